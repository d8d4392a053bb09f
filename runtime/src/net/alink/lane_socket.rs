//! What the pump drives for a device that shares an MQTT connection: messages that somebody else reads and sends.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_tungstenite::tungstenite::Message as WebSocketMessage;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::lanes::Inbox;
use super::messages::{Message, Outgoing};
use super::owed::Owed;
use super::socket::{Taker, Unread};
use crate::alink::{Arrived, Routes};
use crate::core::alink::Taken;
use crate::mqtt::QoS;
use crate::net::Disconnected;
use crate::net::socket::{Incoming as Heard, Socket, Take};
use crate::session::Receipt;

type Work<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One device of many on a connection.
pub(super) struct LaneSocket<'a> {
    routes: Routes,
    inbox: Inbox,
    out: mpsc::Sender<Box<Outgoing>>,
    qos: QoS,
    taker: Taker<'a>,
    unread: Unread<'a>,
    taking: Option<Work<'a>>,
    taken: Taken<Owed>,
    /// A frame for which there was no room.
    sending: Option<Work<'static>>,
    /// For how long it may be silent, and when it was.
    idle: Option<(Duration, Pin<Box<Sleep>>)>,
    /// What is to be done when this side goes.
    goodbye: Option<Work<'static>>,
    has_left: bool,
}

impl<'a> LaneSocket<'a> {
    pub(super) fn new(
        routes: Routes,
        inbox: Inbox,
        out: mpsc::Sender<Box<Outgoing>>,
        qos: QoS,
        taker: Taker<'a>,
        unread: Unread<'a>,
    ) -> Self {
        Self {
            routes,
            inbox,
            out,
            qos,
            taker,
            unread,
            taking: None,
            taken: Taken::default(),
            sending: None,
            idle: None,
            goodbye: None,
            has_left: false,
        }
    }

    /// Counts as gone when it was silent for that long.
    #[cfg(feature = "server")]
    pub(super) fn idle(self, idle: Duration) -> Self {
        Self { idle: Some((idle, Box::pin(tokio::time::sleep(idle)))), ..self }
    }

    /// Says goodbye so.
    #[cfg(feature = "client")]
    pub(super) fn goodbye(self, goodbye: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { goodbye: Some(Box::pin(goodbye)), ..self }
    }

    fn ended(&self) -> Disconnected {
        self.inbox.why().map_or(Disconnected::Closed(1000.into()), Disconnected::SubDevice)
    }
}

impl Socket for LaneSocket<'_> {
    const LEAVING: CloseCode = CloseCode::Away;

    fn poll_read(&mut self, context: &mut Context<'_>, take: &mut Take<'_>) -> Poll<Result<(), Disconnected>> {
        if self.has_left {
            // Nobody answers a goodbye, and a slow handler is not to hold it up.
            return Poll::Ready(Err(Disconnected::Closed(1000.into())));
        }
        if let Some(taking) = &mut self.taking {
            ready!(taking.as_mut().poll(context));
            self.taking = None;
        }
        let received = match self.inbox.messages.poll_recv(context) {
            Poll::Ready(Some(received)) => received,
            Poll::Ready(None) => return Poll::Ready(Err(self.ended())),
            Poll::Pending => {
                let Some((_, gone)) = &mut self.idle else { return Poll::Pending };
                ready!(gone.as_mut().poll(context));
                return Poll::Ready(Err(Disconnected::Silent));
            }
        };
        if let Some((idle, gone)) = &mut self.idle {
            gone.as_mut().reset(Instant::now() + *idle);
        }
        let (topic, payload, owed) = received;
        // One at a time, so that nobody has to have enough.
        let _ = match self.routes.arrived(topic, payload) {
            Some(Arrived::Frame { text, reply }) => {
                let receipt = self.taken.put(reply, owed);
                take(Heard::Text(&text, Some(receipt)))
            }
            Some(Arrived::Message { topic, payload }) => {
                self.taking = Some((self.taker)(Message::new(topic, payload), owed));
                take(Heard::Control)
            }
            Some(Arrived::Unreadable { topic }) => {
                (self.unread)(&topic);
                take(Heard::Control)
            }
            None => take(Heard::Control),
        };
        Poll::Ready(Ok(()))
    }

    fn holds_input(&self) -> bool {
        self.taking.is_some() || !self.inbox.messages.is_empty()
    }

    const ACKNOWLEDGES: bool = true;

    fn done(&mut self, message: Receipt) {
        drop(self.taken.done(message));
    }

    const ANSWERS_GOODBYE: bool = false;

    fn queue(&mut self, message: WebSocketMessage) -> Result<(), Disconnected> {
        if let WebSocketMessage::Close(_) = message {
            self.inbox.messages.close();
            self.has_left = true;
        }
        Ok(())
    }

    fn queue_text(&mut self, frame: String, answers: Option<Receipt>) -> Result<(), Disconnected> {
        let reply = answers.and_then(|receipt| self.taken.reply(receipt));
        let (topic, payload) = match self.routes.leaving(&frame, reply) {
            Ok((topic, message)) => (topic, message.into_owned().into_bytes()),
            Err(error) => {
                tracing::warn!(%error, "a frame was not sent");
                return Ok(());
            }
        };
        let message = Box::new(Outgoing::Message { topic, payload, qos: self.qos });
        match self.out.try_send(message) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Disconnected::Closed(1006.into())),
            Err(mpsc::error::TrySendError::Full(message)) => {
                let out = self.out.clone();
                self.sending = Some(Box::pin(async move { drop(out.send(message).await) }));
                Ok(())
            }
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Disconnected>> {
        if let Some(sending) = &mut self.sending {
            ready!(sending.as_mut().poll(context));
            self.sending = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(goodbye) = self.goodbye.as_mut().filter(|_| self.has_left) {
            ready!(goodbye.as_mut().poll(context));
            self.goodbye = None;
        }
        Poll::Ready(())
    }
}
