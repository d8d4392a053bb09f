//! What the listeners of all protocols have alike: how connections are accepted, and how they end together.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use tokio::sync::OwnedSemaphorePermit;

use super::{AddressCap, Crowded, Peers, Present};

/// As many may wait to be accepted as the system allows: when all charge points come back at once, those beyond that are
/// dropped, and try again after 1, 3, 7, 15 s.
const BACKLOG: u32 = 1 << 16;

/// The first of the addresses that can be listened on.
pub(super) async fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut failed = None;
    for address in lookup_host(address).await? {
        match listening(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no address to listen on")))
}

fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that is started again finds connections of the one before. On Windows it would mean that others may take
    // the port as well.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

pub(super) fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot send small messages at once");
    }
}

/// A place among those who have not said yet who they are: one of all, and one of their address.
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_address: Present,
}

impl Place {
    pub(super) fn new(of_all: OwnedSemaphorePermit, cap: &AddressCap, remote: SocketAddr) -> Result<Self, Crowded> {
        match cap.enter(remote.ip()) {
            Ok(of_address) => Ok(Self { _of_all: of_all, _of_address: of_address }),
            Err(crowded) => {
                if crowded.is_first {
                    tracing::warn!(%remote, "let go, and others from there: too many at once that do not say who they are");
                }
                Err(crowded)
            }
        }
    }
}

/// Accepts so many connections in a second.
pub(super) struct Pace {
    interval: Option<Duration>,
    next: tokio::time::Instant,
}

impl Pace {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        let interval = per_second.map(|rate| Duration::from_secs(1) / rate.max(1));
        Self { interval, next: tokio::time::Instant::now() }
    }

    pub(super) async fn wait(&self) {
        if self.next > tokio::time::Instant::now() {
            tokio::time::sleep_until(self.next).await;
        }
    }

    pub(super) fn count(&mut self) {
        if let Some(interval) = self.interval {
            // What was not used is not saved up.
            self.next = self.next.max(tokio::time::Instant::now()) + interval;
        }
    }

    pub(super) fn pause(&mut self, duration: Duration) {
        self.next = tokio::time::Instant::now() + duration;
    }
}

/// Ends all connections without loss, spread over that time, so that not all peers come back in one moment.
pub(super) async fn say_goodbye(peers: &Peers, spread: Duration) {
    // A hash map's order is as good as dice. A sub-device goes with its gateway.
    let all: Vec<_> = peers.list().into_iter().filter(|connected| connected.gateway.is_none()).collect();
    let pause = spread / u32::try_from(all.len()).unwrap_or(u32::MAX).max(1);
    for (index, connected) in all.into_iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(pause).await;
        }
        connected.peer.close();
    }
}
