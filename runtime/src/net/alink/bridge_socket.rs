//! What the pump drives for a device behind a broker: messages that somebody else reads and sends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_tungstenite::tungstenite::Message as WebSocketMessage;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::messages::{Message, Outgoing};
use super::socket::{Taker, Unread};
use crate::alink::{Incoming, Routes};
use crate::mqtt::QoS;
use crate::net::Disconnected;
use crate::net::socket::{Incoming as Heard, Socket, Take};

/// One device behind a broker.
pub(super) struct BridgeSocket<'a> {
    routes: Routes,
    messages: mpsc::Receiver<(String, Vec<u8>)>,
    out: mpsc::Sender<Box<Outgoing>>,
    qos: QoS,
    idle: Duration,
    /// When it was silent for that long.
    gone: Pin<Box<Sleep>>,
    taker: Taker<'a>,
    unread: Unread<'a>,
    taking: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
}

impl<'a> BridgeSocket<'a> {
    pub(super) fn new(
        routes: Routes,
        messages: mpsc::Receiver<(String, Vec<u8>)>,
        out: mpsc::Sender<Box<Outgoing>>,
        qos: QoS,
        idle: Duration,
        taker: Taker<'a>,
        unread: Unread<'a>,
    ) -> Self {
        Self { routes, messages, out, qos, idle, gone: Box::pin(tokio::time::sleep(idle)), taker, unread, taking: None }
    }
}

impl Socket for BridgeSocket<'_> {
    const LEAVING: CloseCode = CloseCode::Away;

    fn poll_read(&mut self, context: &mut Context<'_>, take: &mut Take<'_>) -> Poll<Result<(), Disconnected>> {
        if let Some(taking) = &mut self.taking {
            ready!(taking.as_mut().poll(context));
            self.taking = None;
        }
        let received = match self.messages.poll_recv(context) {
            Poll::Ready(received) => received,
            Poll::Pending => {
                ready!(self.gone.as_mut().poll(context));
                None
            }
        };
        let Some((topic, payload)) = received else { return Poll::Ready(Err(Disconnected::Silent)) };
        self.gone.as_mut().reset(Instant::now() + self.idle);
        // One at a time, so that nobody has to have enough.
        let _ = match self.routes.arrived(topic, payload) {
            Some(Incoming::Frame(text)) => take(Heard::Text(&text)),
            Some(Incoming::Message { topic, payload }) => {
                self.taking = Some((self.taker)(Message::new(topic, payload)));
                take(Heard::Control)
            }
            Some(Incoming::Unreadable { topic }) => {
                (self.unread)(&topic);
                take(Heard::Control)
            }
            Some(Incoming::Packet(_)) | None => take(Heard::Control),
        };
        Poll::Ready(Ok(()))
    }

    fn queue(&mut self, message: WebSocketMessage) -> Result<(), Disconnected> {
        if let WebSocketMessage::Close(_) = message {
            // Nobody answers a goodbye that nobody hears.
            self.messages.close();
            self.gone.as_mut().reset(Instant::now());
        }
        Ok(())
    }

    fn queue_text(&mut self, frame: String) -> Result<(), Disconnected> {
        match self.routes.leaving(&frame) {
            Ok((topic, message)) => {
                let message = Box::new(Outgoing { topic, payload: message.into_owned().into(), qos: self.qos });
                if self.out.try_send(message).is_err() {
                    tracing::warn!("a frame was not sent: too many wait for the broker");
                }
            }
            Err(error) => tracing::warn!(%error, "a frame was not sent"),
        }
        Ok(())
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Disconnected>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}
