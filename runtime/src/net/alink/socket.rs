//! What the pump drives: MQTT packets instead of WebSocket frames.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{self, Message as WebSocketMessage};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::Sleep;

use super::messages::{Message, Outgoing};
use super::owed::{Account, Owed, Settled};
use crate::Instant;
use crate::alink::{Channel, Incoming, NotSent};
#[cfg(feature = "client")]
use crate::mqtt::QoS;
use crate::mqtt::{Link, NotPublished, Packet, Role};
use crate::net::Disconnected;
use crate::net::clock::Clock;
use crate::net::socket::{Incoming as Heard, Socket, Take};
use crate::session::Receipt;

/// What is read at once; a larger packet comes in pieces.
const BUFFER: usize = 4096;

/// How many bytes may wait for a peer that does not read before it is not read from either.
const BACKLOG: usize = 64 * 1024;

/// Somebody who takes messages that are no frames, one after the other; each is acknowledged when what is owed for it is
/// dropped.
pub(super) type Taker<'a> =
    Box<dyn Fn(Message, Owed) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> + Send + Sync + 'a>;

/// Whether somebody may listen to topics beside its own: those of its sub-devices.
pub(super) type MayAlso<'a> = dyn Fn(&str) -> bool + Send + Sync + 'a;
/// Somebody who is told on which topic a message is not text where text was due.
pub(super) type Unread<'a> = Box<dyn Fn(&str) + Send + Sync + 'a>;

/// What the two sides do differently.
pub(super) trait Sided: Role + Sized {
    /// Answers what only this side is asked.
    fn packet(channel: &mut Channel<Self>, packet: &Packet, may_also: &MayAlso<'_>);

    /// Says goodbye, as far as MQTT lets this side.
    fn leave(link: &mut Link<Self>);

    /// Asks for messages, if that is for this side to do.
    #[cfg(feature = "client")]
    fn subscribe(link: &mut Link<Self>, filters: &[(&str, QoS)], now: Instant) -> Result<(), NotPublished>;
}

#[cfg(feature = "client")]
impl Sided for crate::mqtt::Client {
    fn packet(_: &mut Channel<Self>, packet: &Packet, _: &MayAlso<'_>) {
        if let Packet::Subscribed { granted, .. } = packet
            && granted.contains(&None)
        {
            tracing::warn!("the broker does not grant every subscription");
        }
    }

    fn leave(link: &mut Link<Self>) {
        link.disconnect();
    }

    fn subscribe(link: &mut Link<Self>, filters: &[(&str, QoS)], now: Instant) -> Result<(), NotPublished> {
        link.subscribe(filters, now).map(|_| ())
    }
}

#[cfg(feature = "server")]
impl Sided for crate::mqtt::Server {
    fn packet(channel: &mut Channel<Self>, packet: &Packet, may_also: &MayAlso<'_>) {
        if let Packet::Subscribe { id, filters } = packet {
            let own = channel.own();
            let may = |filter: &str| own.may_subscribe(filter) || may_also(filter);
            let granted: Vec<_> = filters.iter().map(|(filter, qos)| may(filter).then_some(*qos)).collect();
            channel.link_mut().subscribed(*id, &granted);
        }
    }

    fn leave(_: &mut Link<Self>) {}

    #[cfg(feature = "client")]
    fn subscribe(_: &mut Link<Self>, _: &[(&str, QoS)], _: Instant) -> Result<(), NotPublished> {
        Ok(())
    }
}

/// One device's connection.
pub(super) struct AlinkSocket<'a, S, R: Role> {
    stream: S,
    channel: Channel<R>,
    clock: Clock,
    out: Vec<u8>,
    written: usize,
    unflushed: bool,
    outgoing: mpsc::Receiver<Box<Outgoing>>,
    taker: Taker<'a>,
    may_also: Box<MayAlso<'a>>,
    unread: Unread<'a>,
    /// For messages that are no frames.
    owed: Account,
    /// A message that is being taken; nothing is read meanwhile.
    taking: Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
    /// Whoever takes frames had enough.
    is_held: bool,
    /// What came together with the login has not been looked at.
    is_new: bool,
    /// Goodbye was said, which MQTT does not answer.
    has_left: bool,
    /// Rings for MQTT's own deadlines; too early at times, never too late.
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<'a, S, R: Sided> AlinkSocket<'a, S, R> {
    pub(super) fn new(
        stream: S,
        channel: Channel<R>,
        clock: Clock,
        outgoing: mpsc::Receiver<Box<Outgoing>>,
        taker: Taker<'a>,
        unread: Unread<'a>,
    ) -> Self {
        Self {
            stream,
            channel,
            clock,
            out: Vec::new(),
            written: 0,
            unflushed: false,
            outgoing,
            taker,
            may_also: Box::new(|_| false),
            unread,
            owed: Account::default(),
            taking: None,
            is_held: false,
            is_new: true,
            has_left: false,
            timer: None,
        }
    }

    /// With more topics than its own.
    #[cfg(feature = "server")]
    pub(super) fn may_also(self, may_also: impl Fn(&str) -> bool + Send + Sync + 'a) -> Self {
        Self { may_also: Box::new(may_also), ..self }
    }

    /// Takes no more messages: nobody sends them any more, and whoever waits for room is told so.
    #[cfg(feature = "server")]
    pub(super) fn close_queue(&mut self) {
        self.outgoing.close();
    }

    /// Hands over what has come, until there is no more or nobody wants it.
    fn hand_over(&mut self, context: &mut Context<'_>, take: &mut Take<'_>) -> Poll<Result<(), Disconnected>> {
        self.is_held = false;
        loop {
            if let Some(taking) = &mut self.taking {
                ready!(taking.as_mut().poll(context));
                self.taking = None;
            }
            let Some(incoming) = self.channel.poll() else { return Poll::Ready(Ok(())) };
            let goes_on = match incoming {
                Incoming::Frame { text, receipt } => take(Heard::Text(&text, receipt)),
                Incoming::Message { topic, payload, id } => {
                    let owed = self.owed.owe(id);
                    self.taking = Some((self.taker)(Message::new(topic, payload), owed));
                    take(Heard::Control)
                }
                Incoming::Unreadable { topic } => {
                    (self.unread)(&topic);
                    take(Heard::Control)
                }
                Incoming::Retained { topic } => {
                    tracing::warn!(topic, "ignored a call that the broker had kept");
                    take(Heard::Control)
                }
                Incoming::Packet(Packet::Disconnect) => return Poll::Ready(Err(Disconnected::Closed(1000.into()))),
                Incoming::Packet(packet) => {
                    R::packet(&mut self.channel, &packet, &*self.may_also);
                    take(Heard::Control)
                }
            };
            if !goes_on {
                self.is_held = true;
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Looks after MQTT's deadlines: a ping that is due, a peer that is silent.
    fn poll_time(&mut self, context: &mut Context<'_>) -> Result<(), Disconnected> {
        loop {
            let Some(next) = self.channel.link().poll_deadline() else { return Ok(()) };
            let now = self.clock.now();
            if next <= now {
                self.channel.link_mut().handle_timeout(now)?;
                continue;
            }
            let clock = self.clock;
            let (at, sleep) = self.timer.get_or_insert_with(|| (next, Box::pin(clock.sleep_until(next))));
            if next < *at || sleep.is_elapsed() {
                *at = next;
                sleep.as_mut().reset(clock.tokio(next));
            }
            if sleep.as_mut().poll(context).is_pending() {
                return Ok(());
            }
        }
    }

    /// Takes the next message of the queue; whether there was one.
    fn next_message(&mut self, context: &mut Context<'_>) -> bool {
        let Poll::Ready(Some(message)) = self.outgoing.poll_recv(context) else {
            return false;
        };
        let now = self.clock.now();
        match *message {
            Outgoing::Message { topic, payload, qos } => {
                if let Err(error) = self.channel.link_mut().publish(&topic, &payload, qos, now) {
                    tracing::warn!(topic, %error, "a message was not sent");
                }
            }
            #[cfg(feature = "client")]
            Outgoing::Subscribe(filters) => {
                let filters: Vec<_> = filters.iter().map(|(filter, qos)| (filter.as_str(), *qos)).collect();
                if let Err(error) = R::subscribe(self.channel.link_mut(), &filters, now) {
                    tracing::warn!(%error, "topics of a sub-device were not asked for");
                }
            }
        }
        true
    }
}

impl<S: AsyncRead + Unpin, R: Sided> AlinkSocket<'_, S, R> {
    /// After the goodbye nothing is acknowledged, so that nothing is taken: the peer sends it again. It is read all the same
    /// until the peer ends its side, because a socket that is closed with bytes in it takes back what it has sent.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Disconnected>> {
        let mut buffer = [0; BUFFER];
        let mut read = ReadBuf::new(&mut buffer);
        match ready!(Pin::new(&mut self.stream).poll_read(context, &mut read)) {
            Ok(()) if !read.filled().is_empty() => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(Disconnected::Closed(1000.into()))),
        }
    }
}

impl<S: AsyncWrite + Unpin, R: Sided> AlinkSocket<'_, S, R> {
    fn poll_write_out(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Disconnected>> {
        let lost = |error| Disconnected::from(tungstenite::Error::Io(error));
        loop {
            while let Some(bytes @ [_, ..]) = self.out.get(self.written..) {
                match ready!(Pin::new(&mut self.stream).poll_write(context, bytes)) {
                    Ok(0) => return Poll::Ready(Err(Disconnected::Closed(1006.into()))),
                    Ok(written) => self.written += written,
                    Err(error) => return Poll::Ready(Err(lost(error))),
                }
                self.unflushed = true;
            }
            // Given back at once: an idle connection keeps no buffer.
            (self.out, self.written) = (Vec::new(), 0);
            match self.channel.link_mut().poll_transmit() {
                Some(bytes) => self.out = bytes,
                None => break,
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context)).map_err(lost)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, R: Sided> Socket for AlinkSocket<'_, S, R> {
    const LEAVING: CloseCode = CloseCode::Away;

    fn poll_read(&mut self, context: &mut Context<'_>, take: &mut Take<'_>) -> Poll<Result<(), Disconnected>> {
        if self.has_left {
            return self.poll_discard(context);
        }
        // Acknowledgements and answers to pings for somebody who does not read: writing, which waits, wakes the task.
        if self.channel.link().waiting() > BACKLOG {
            return Poll::Pending;
        }
        if self.holds_input() {
            return self.hand_over(context, take);
        }
        if let Some(fault) = self.channel.link().ended() {
            return Poll::Ready(Err(fault.into()));
        }
        let mut buffer = [0; BUFFER];
        let mut read = ReadBuf::new(&mut buffer);
        // Whoever speaks on before the login is answered has said it all, and may wait for an answer now.
        if !std::mem::take(&mut self.is_new) {
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut read)) {
                Err(error) => return Poll::Ready(Err(tungstenite::Error::Io(error).into())),
                Ok(()) if read.filled().is_empty() => return Poll::Ready(Err(Disconnected::Closed(1006.into()))),
                Ok(()) => {}
            }
        }
        // What was whole before a fault is handed over; the fault comes with the next look.
        let _ = self.channel.receive(read.filled(), self.clock.now());
        match self.hand_over(context, take) {
            // It is read on as soon as the message is taken.
            Poll::Pending => Poll::Ready(Ok(())),
            ready => ready,
        }
    }

    fn holds_input(&self) -> bool {
        self.is_held || self.taking.is_some()
    }

    const ACKNOWLEDGES: bool = true;

    fn done(&mut self, message: Receipt) {
        self.channel.done(message);
    }

    const ANSWERS_GOODBYE: bool = false;

    fn queue(&mut self, message: WebSocketMessage) -> Result<(), Disconnected> {
        match message {
            WebSocketMessage::Text(frame) => return self.queue_text(frame.to_string(), None),
            WebSocketMessage::Close(_) => {
                R::leave(self.channel.link_mut());
                self.has_left = true;
            }
            // MQTT's own pings come from its own deadlines.
            _ => {}
        }
        Ok(())
    }

    fn queue_text(&mut self, frame: String, answers: Option<Receipt>) -> Result<(), Disconnected> {
        match self.channel.send(&frame, answers, self.clock.now()) {
            Ok(()) => Ok(()),
            Err(NotSent::NotPublished(NotPublished::NotConnected)) => Err(Disconnected::Closed(1006.into())),
            Err(error) => {
                tracing::warn!(%error, "a frame was not sent");
                Ok(())
            }
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Disconnected>> {
        loop {
            self.poll_time(context)?;
            while let Poll::Ready(settled) = self.owed.poll_settled(context) {
                if let Settled::Done(id) = settled {
                    self.channel.link_mut().acknowledge(id);
                }
            }
            ready!(self.poll_write_out(context))?;
            if !self.channel.link().has_room() {
                // An acknowledgement, which is read, wakes the task.
                return Poll::Pending;
            }
            if !self.next_message(context) {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.stream).poll_shutdown(context).map(|_| ())
    }
}

/// Sends what a link has to say before there is a pump.
pub(super) async fn write_all<S: AsyncWrite + Unpin, R: Role>(
    stream: &mut S,
    link: &mut Link<R>,
) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt;
    while let Some(bytes) = link.poll_transmit() {
        stream.write_all(&bytes).await?;
    }
    stream.flush().await
}

/// Reads until there is a packet.
pub(super) async fn next_packet<S: AsyncRead + Unpin, R: Role>(
    stream: &mut S,
    link: &mut Link<R>,
    clock: Clock,
) -> Result<Packet, Disconnected> {
    use tokio::io::AsyncReadExt;
    loop {
        if let Some(packet) = link.poll_packet() {
            return Ok(packet);
        }
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).await.map_err(tungstenite::Error::Io)?;
        let bytes = buffer.get(..read).filter(|bytes| !bytes.is_empty()).ok_or(Disconnected::Closed(1006.into()))?;
        link.receive(bytes, clock.now())?;
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::alink::{DeviceRef, SyncServices};
    use crate::mqtt::{Client, Connect, Limits, QoS, Server};

    #[tokio::test]
    async fn a_device_that_does_not_read_its_acknowledgements_is_not_read_from_for_ever() {
        let now = Instant::default();
        let (mut client, mut link) =
            (Link::<Client>::client(Limits::default()), Link::<Server>::server(Limits::default(), now));
        client.connect(&Connect::new("device"), now).unwrap();
        link.receive(&client.poll_transmit().unwrap(), now).unwrap();
        link.poll_packet().unwrap();
        link.accept(now);
        client.receive(&link.poll_transmit().unwrap(), now).unwrap();
        client.publish("a", b"", QoS::AtLeastOnce, now).unwrap();
        let message = client.poll_transmit().unwrap();

        let device = DeviceRef { product_key: "a1", device_name: "d" };
        let channel = Channel::platform(link, device, SyncServices::default());
        let (peer, stream) = tokio::io::duplex(4096);
        let taker: Taker<'static> = Box::new(|_, _| Box::pin(std::future::ready(())));
        let (_sender, outgoing) = mpsc::channel(1);
        let (mut peer, mut socket) = (
            std::pin::pin!(peer),
            AlinkSocket::new(stream, channel, Clock::start(), outgoing, taker, Box::new(|_| {})),
        );
        let flood = message.repeat(400);
        let (mut rest, mut context) = (&*flood, Context::from_waker(Waker::noop()));
        for _ in 0..1000 {
            // Tokio lets a task do only so much in one turn.
            tokio::task::yield_now().await;
            if let Poll::Ready(sent) = peer.as_mut().poll_write(&mut context, rest) {
                rest = rest.get(sent.unwrap()..).filter(|rest| !rest.is_empty()).unwrap_or(&flood);
            }
            let _ = socket.poll_flush(&mut context);
            let _ = socket.poll_read(&mut context, &mut |_| true);
            let waiting = socket.channel.link().waiting();
            assert!(waiting <= BACKLOG + BUFFER, "{waiting} bytes wait");
        }
        assert!(socket.channel.link().waiting() > BACKLOG, "as much as may wait does");
    }
}
