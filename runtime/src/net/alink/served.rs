//! What listener and bridge have in common: a platform, its directory, and devices that share a connection.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::fault::{ClientFault, Faulty};
use super::lane_socket::LaneSocket;
use super::lanes::Inbox;
use super::messages::Publisher;
use super::rrpc::Ending;
use super::socket::{Taker, Unread};
use super::{ListenerConfig, PROTOCOL, Platform};
use crate::alink::{DeviceRef, Routes, SyncServices};
use crate::net::clock::Clock;
use crate::net::observe::Watch;
use crate::net::peers::{Info, Older, Presence};
use crate::net::{Disconnected, KeepAlive, Peers, pump, random_first_id};
use crate::session::Config;
use crate::{Connection, Router};

/// A platform that serves.
pub(super) struct Served<P> {
    pub(super) platform: P,
    pub(super) peers: Peers,
    pub(super) config: ListenerConfig,
    pub(super) clock: Clock,
}

/// A device that has come, and is in the directory; its messages come on a lane.
pub(super) struct OnLane {
    pub(super) connection: Connection,
    presence: Presence,
    routes: Routes,
    pub(super) publisher: Publisher,
    /// After how much silence it counts as gone.
    pub(super) idle: Option<Duration>,
    /// From where its messages come.
    pub(super) remote: Option<SocketAddr>,
}

impl<P: Platform> Served<P> {
    /// A session with a device.
    pub(super) fn connection(&self, identity: &str) -> Connection {
        let session = Config { first_id: random_first_id(), ..self.config.session.clone() };
        Connection::new(identity, <P::Router as Router>::DIALECT, session)
    }

    /// Enters a device in the directory.
    pub(super) fn enter(
        &self,
        identity: &str,
        device: DeviceRef<'_>,
        sync: SyncServices,
        publisher: Publisher,
        info: Info,
    ) -> OnLane {
        let connection = self.connection(identity);
        let presence = self.peers.enter(connection.peer(), Arc::new(info));
        OnLane { connection, presence, routes: Routes::platform(device, sync), publisher, idle: None, remote: None }
    }

    /// Serves it until its lane is closed; other messages than calls go to `taker`, or else to the platform.
    pub(super) async fn serve<'a>(&'a self, device: OnLane, inbox: Inbox, taker: Option<Taker<'a>>) -> Disconnected {
        let OnLane { connection, mut presence, routes, publisher, idle, remote } = device;
        let (platform, peer) = (&self.platform, connection.peer().clone());
        let _ending = publisher.asked.clone().map(Ending);
        // The routes, which know its names, are the socket's.
        let (product_key, device_name) = (routes.own().product_key.to_owned(), routes.own().device_name.to_owned());
        let fault = Arc::new(move |fault: &ClientFault| {
            let device = DeviceRef { product_key: &product_key, device_name: &device_name };
            platform.fault(Faulty { device: Some(device), remote }, fault);
        });
        let older = presence.older();
        let before = older.clone();
        let taker = taker.unwrap_or_else(|| {
            let (peer, publisher) = (peer.clone(), publisher.clone());
            Box::new(move |message, owed| {
                let Some(message) = publisher.answered(message) else { return Box::pin(std::future::ready(())) };
                let (peer, publisher) = (peer.clone(), publisher.clone());
                let before = before.clone();
                Box::pin(async move {
                    Older::settled(before).await;
                    platform.message(&peer, &publisher, message).await;
                    drop(owed);
                })
            })
        });
        let unread: Unread<'_> = {
            let fault = Arc::clone(&fault);
            Box::new(move |topic| {
                tracing::warn!(topic, "ignored a message that is no text");
                fault(&ClientFault::NotText { topic: topic.to_owned() });
            })
        };
        let mut socket = LaneSocket::new(routes, inbox, publisher.queue(), self.config.qos, taker, unread);
        if let Some(idle) = idle {
            socket = socket.idle(idle);
        }
        let span = tracing::info_span!("connection", identity = peer.identity(), protocol = PROTOCOL);
        let handlers = pin!(async {
            Older::settled(older).await;
            connection.serve_send(platform.router()).await;
        });
        let keep_alive = KeepAlive { ping_after: None, patience: self.config.patience, silence: None };
        let watch = self.config.observe.clone().map(Watch::new);
        let run = async {
            tracing::info!("connected");
            platform.connected(&peer, &publisher).await;
            let ended = pump::run(&mut socket, &connection, self.clock, keep_alive, handlers, presence, watch).await;
            tracing::info!(%ended, "disconnected");
            // Behind a broker it is the broker that does not read.
            let is_own = remote.is_some() || !matches!(ended, Disconnected::Stalled);
            if let Some(of_end) = ClientFault::of(&ended).filter(|_| is_own) {
                fault(&of_end);
            }
            ended
        };
        run.instrument(span).await
    }
}
