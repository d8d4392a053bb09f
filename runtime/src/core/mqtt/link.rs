//! One connection, of either side.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::time::Duration;

use super::wire::{self, Kind, Length, MAX_BODY, Reader};
use super::{Connect, Packet, QoS, Refused};
use crate::core::time::Instant;

/// A connection's side: the client's.
#[derive(Debug)]
pub enum Client {}

/// A connection's side: the server's.
#[derive(Debug)]
pub enum Server {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Client {}
    impl Sealed for super::Server {}
}

/// [`Client`] or [`Server`].
pub trait Role: sealed::Sealed + 'static {
    #[doc(hidden)]
    const IS_SERVER: bool;
}

impl Role for Client {
    const IS_SERVER: bool = false;
}

impl Role for Server {
    const IS_SERVER: bool = true;
}

/// How much a connection takes and holds.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the largest packet that is taken; a larger one ends the connection before room is made for it. Default
    /// 256 KiB, the limit of Aliyun IoT.
    pub max_packet: usize,
    /// How many own messages may wait for their acknowledgement; one more is not taken. Default 16.
    pub in_flight: usize,
    /// How long the server may take to answer a ping before the connection is ended. Default 30 s.
    pub ping_timeout: Duration,
    /// How long a client may take from the first byte on to be let in. Default 30 s.
    pub login_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet: 256 * 1024,
            in_flight: 16,
            ping_timeout: Duration::from_secs(30),
            login_timeout: Duration::from_secs(30),
        }
    }
}

/// What ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The peer sent what is no MQTT 3.1.1.
    #[error("the peer sent a malformed packet")]
    Malformed,
    /// The peer sent a packet that has no place here.
    #[error("the peer broke the protocol")]
    Protocol,
    /// The peer sent a packet that is larger than [`Limits::max_packet`].
    #[error("the peer sent a packet that is too large")]
    TooLarge,
    /// A client of another version of MQTT; it was told so.
    #[error("the peer speaks another version of MQTT")]
    Version,
    /// Nothing was heard of the peer for too long.
    #[error("the peer is silent")]
    Silent,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPublished {
    /// As many as [`Limits::in_flight`] wait for their acknowledgement.
    #[error("too many messages are not acknowledged")]
    InFlight,
    /// The topic is empty, longer than 65,535 bytes, or has a wildcard.
    #[error("no topic that can be published to")]
    Topic,
    /// The message is longer than MQTT can carry (256 MiB).
    #[error("the message is too long")]
    TooLong,
    /// The client was not let in, or the connection has ended.
    #[error("not connected")]
    NotConnected,
}

/// One side of one connection.
#[derive(Debug)]
pub struct Link<R: Role> {
    limits: Limits,
    state: State,
    ended: Option<Fault>,
    /// A packet that has come in part.
    input: Vec<u8>,
    incoming: VecDeque<Packet>,
    out: Vec<u8>,
    last_id: u16,
    /// Own messages that are not acknowledged, and own subscriptions that are not answered.
    unacknowledged: Vec<u16>,
    /// Messages of QoS 2 that were taken and not released.
    unreleased: Vec<u16>,
    /// Messages of the peer that are not acknowledged yet, in the order in which they came.
    received: VecDeque<Received>,
    keep_alive: Duration,
    /// A client's ping is due; a server's patience ends.
    keep_alive_at: Option<Instant>,
    /// Until when a ping has to be answered, or a client let in.
    patience: Option<Instant>,
    role: PhantomData<R>,
}

/// A message of the peer that has to be acknowledged.
#[derive(Debug, Clone, Copy)]
struct Received {
    id: u16,
    /// PUBACK or PUBREC.
    answer: Kind,
    /// Whoever took it is done with it.
    is_done: bool,
}

/// A packet that is all there.
struct Whole<'b> {
    first: u8,
    body: &'b [u8],
    /// Of all of it.
    length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has said who it is.
    Strange,
    /// A client has, and is not let in yet.
    Asking,
    /// Messages may pass.
    Connected,
    /// Goodbye was said.
    Left,
}

impl<R: Role> Link<R> {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Strange,
            ended: None,
            input: Vec::new(),
            incoming: VecDeque::new(),
            out: Vec::new(),
            last_id: 0,
            unacknowledged: Vec::new(),
            unreleased: Vec::new(),
            received: VecDeque::new(),
            keep_alive: Duration::ZERO,
            keep_alive_at: None,
            patience: None,
            role: PhantomData,
        }
    }

    /// Takes bytes of the transport. What they say is at [`Link::poll_packet`]; it is never more than they hold.
    ///
    /// # Errors
    /// [`Fault`]: the connection has ended; what is left of [`Link::poll_transmit`] may still be sent.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Fault> {
        let mut bytes = bytes;
        while self.ended.is_none() && self.state != State::Left {
            // A client may speak on before it is let in (§3.1.4), and is heard then.
            if R::IS_SERVER && self.state == State::Asking {
                if self.input.len() + bytes.len() > self.limits.max_packet {
                    return self.end(Fault::TooLarge);
                }
                self.input.extend_from_slice(bytes);
                break;
            }
            // Whole packets are read where they stand; what is kept is one that has come in part.
            let known = self.input.len();
            let taken = if known == 0 {
                match self.whole(bytes) {
                    Ok(Some(Whole { first, body, length })) => {
                        self.packet(first, body, now);
                        length
                    }
                    Ok(None) if bytes.is_empty() => break,
                    Ok(None) => {
                        self.input.extend_from_slice(bytes);
                        bytes.len()
                    }
                    Err(fault) => return self.end(fault),
                }
            } else {
                let wanted = match wire::length(&self.input) {
                    Ok(Length::Known { header, body }) => header + body - known,
                    // The length's next byte.
                    Ok(Length::Incomplete) => 1,
                    Err(fault) => return self.end(fault),
                };
                let (more, _) = bytes.split_at(wanted.min(bytes.len()));
                self.input.extend_from_slice(more);
                let input = core::mem::take(&mut self.input);
                match self.whole(&input) {
                    Ok(Some(Whole { first, body, .. })) => self.packet(first, body, now),
                    Ok(None) => self.input = input,
                    Err(fault) => return self.end(fault),
                }
                if more.is_empty() {
                    break;
                }
                more.len()
            };
            bytes = bytes.get(taken..).unwrap_or(&[]);
        }
        self.standing()
    }

    /// The packet at the beginning of `bytes`: first byte, body, and length of all; `None` if it is not all there.
    fn whole<'b>(&self, bytes: &'b [u8]) -> Result<Option<Whole<'b>>, Fault> {
        let Some(first) = bytes.first().copied() else { return Ok(None) };
        // Somebody who speaks HTTP, say, is not waited for.
        let kind = Kind::of(first)?;
        let opens = if R::IS_SERVER { Kind::Connect } else { Kind::ConnAck };
        let is_opening = self.state == if R::IS_SERVER { State::Strange } else { State::Asking };
        if (kind == opens) != is_opening || (!R::IS_SERVER && self.state == State::Strange) {
            return Err(Fault::Protocol);
        }
        let Length::Known { header, body } = wire::length(bytes)? else { return Ok(None) };
        if header + body > self.limits.max_packet {
            return Err(Fault::TooLarge);
        }
        Ok(bytes.get(header..header + body).map(|content| Whole { first, body: content, length: header + body }))
    }

    fn packet(&mut self, first: u8, body: &[u8], now: Instant) {
        if let Err(fault) = self.read(first, Reader::new(body), now) {
            if fault == Fault::Version {
                self.write(Kind::ConnAck, &[&[0, Refused::ProtocolVersion.code()]]);
            }
            let _ = self.end(fault);
        } else if R::IS_SERVER && self.state == State::Connected {
            self.heard(now);
        }
    }

    fn read(&mut self, first: u8, mut body: Reader<'_>, now: Instant) -> Result<(), Fault> {
        let kind = Kind::of(first)?;
        let is_for_server =
            matches!(kind, Kind::Connect | Kind::Subscribe | Kind::Unsubscribe | Kind::PingReq | Kind::Disconnect);
        let is_for_client = matches!(kind, Kind::ConnAck | Kind::SubAck | Kind::UnsubAck | Kind::PingResp);
        if (is_for_server && !R::IS_SERVER) || (is_for_client && R::IS_SERVER) {
            return Err(Fault::Protocol);
        }
        let packet = match kind {
            Kind::Connect => {
                let connect = wire::read_connect(body)?;
                self.keep_alive = connect.keep_alive + connect.keep_alive / 2;
                self.state = State::Asking;
                Packet::Connect(connect)
            }
            Kind::ConnAck => match wire::read_acknowledgement(body)? {
                Ok(session_present) => {
                    (self.state, self.patience) = (State::Connected, None);
                    self.spoken(now);
                    Packet::Accepted { session_present }
                }
                Err(refused) => {
                    (self.state, self.patience, self.keep_alive_at) = (State::Left, None, None);
                    Packet::Refused(refused)
                }
            },
            Kind::Publish => return self.read_message(first, body),
            Kind::PubAck => {
                let id = body.id()?;
                body.end()?;
                // One that nobody waits for is an echo of an earlier connection.
                let Some(index) = self.unacknowledged.iter().position(|waiting| *waiting == id) else { return Ok(()) };
                self.unacknowledged.swap_remove(index);
                Packet::Acknowledged { id }
            }
            Kind::PubRel => {
                let id = body.id()?;
                body.end()?;
                self.unreleased.retain(|taken| *taken != id);
                self.write(Kind::PubComp, &[&id.to_be_bytes()]);
                return Ok(());
            }
            // Nothing of ours is of QoS 2.
            Kind::PubRec | Kind::PubComp => return Err(Fault::Protocol),
            Kind::Subscribe => Packet::Subscribe { id: body.id()?, filters: wire::read_filters(body)? },
            Kind::SubAck => {
                let id = body.id()?;
                self.unacknowledged.retain(|waiting| *waiting != id);
                let granted = body.rest().iter().map(|code| match code {
                    0 => Some(QoS::AtMostOnce),
                    1 | 2 => Some(QoS::AtLeastOnce),
                    _ => None,
                });
                Packet::Subscribed { id, granted: granted.collect() }
            }
            Kind::Unsubscribe => {
                let id = body.id()?;
                let mut filters = Vec::new();
                while !body.is_empty() {
                    filters.push(String::from(body.text()?));
                }
                if filters.is_empty() {
                    return Err(Fault::Protocol);
                }
                self.write(Kind::UnsubAck, &[&id.to_be_bytes()]);
                Packet::Unsubscribe { filters }
            }
            Kind::UnsubAck => return body.id().map(|_| ()),
            Kind::PingReq => {
                body.end()?;
                self.write(Kind::PingResp, &[]);
                Packet::Ping
            }
            Kind::PingResp => {
                body.end()?;
                self.patience = None;
                Packet::Ping
            }
            Kind::Disconnect => {
                body.end()?;
                (self.state, self.patience, self.keep_alive_at) = (State::Left, None, None);
                Packet::Disconnect
            }
        };
        self.incoming.push_back(packet);
        Ok(())
    }

    /// A PUBLISH (§3.3).
    fn read_message(&mut self, first: u8, mut body: Reader<'_>) -> Result<(), Fault> {
        let qos = first >> 1 & 3;
        let topic = body.text()?;
        if topic.is_empty() || topic.contains(['+', '#']) {
            return Err(Fault::Protocol);
        }
        let id = match qos {
            0 => None,
            1 => {
                let id = body.id()?;
                self.received.push_back(Received { id, answer: Kind::PubAck, is_done: false });
                Some(id)
            }
            2 => {
                let id = body.id()?;
                if self.unreleased.contains(&id) {
                    // Its PUBREC was lost, or comes when the message is done with.
                    if !self.received.iter().any(|waits| waits.id == id && waits.answer == Kind::PubRec) {
                        self.write(Kind::PubRec, &[&id.to_be_bytes()]);
                    }
                    return Ok(());
                }
                if self.unreleased.len() >= self.limits.in_flight {
                    return Err(Fault::Protocol);
                }
                self.unreleased.push(id);
                self.received.push_back(Received { id, answer: Kind::PubRec, is_done: false });
                Some(id)
            }
            _ => return Err(Fault::Malformed),
        };
        self.incoming.push_back(Packet::Message {
            topic: topic.into(),
            payload: body.rest().into(),
            id,
            is_duplicate: first & 8 != 0,
            is_retained: !R::IS_SERVER && first & 1 != 0,
        });
        Ok(())
    }

    /// Acknowledges the message of that number ([`Packet::Message`]): it was handled, stored or refused, and need not come
    /// again. Acknowledgements leave in the order of the messages (§4.6), so that one waits for those before it.
    pub fn acknowledge(&mut self, id: u16) {
        if let Some(waits) = self.received.iter_mut().find(|waits| waits.id == id && !waits.is_done) {
            waits.is_done = true;
        }
        while let Some(done) = self.received.pop_front_if(|first| first.is_done) {
            if self.is_connected() {
                self.write(done.answer, &[&done.id.to_be_bytes()]);
            }
        }
    }

    /// The number of the message of the peer that has waited longest for [`Link::acknowledge`].
    pub fn oldest_unacknowledged(&self) -> Option<u16> {
        self.received.front().map(|first| first.id)
    }

    /// How many messages of the peer wait for [`Link::acknowledge`].
    pub fn unacknowledged(&self) -> usize {
        self.received.len()
    }

    /// Why it has ended, if it has.
    pub fn ended(&self) -> Option<Fault> {
        self.ended
    }

    /// Whether messages may pass.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected && self.ended.is_none()
    }

    /// What came in next.
    pub fn poll_packet(&mut self) -> Option<Packet> {
        self.incoming.pop_front()
    }

    /// Bytes for the transport, all that there are.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.out.is_empty()).then(|| core::mem::take(&mut self.out))
    }

    /// How many bytes wait for the transport.
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Whether another message that is to be acknowledged would be taken.
    pub fn has_room(&self) -> bool {
        self.unacknowledged.len() < self.limits.in_flight
    }

    /// Sends a message; its number if it is to be acknowledged.
    ///
    /// # Errors
    /// [`NotPublished`]; nothing was sent then.
    pub fn publish(
        &mut self,
        topic: &str,
        payload: &[u8],
        qos: QoS,
        now: Instant,
    ) -> Result<Option<u16>, NotPublished> {
        if !self.is_connected() {
            return Err(NotPublished::NotConnected);
        }
        let length = u16::try_from(topic.len()).map_err(|_| NotPublished::Topic)?.to_be_bytes();
        if topic.is_empty() || topic.contains(['+', '#', '\0']) {
            return Err(NotPublished::Topic);
        }
        if payload.len() + topic.len() + 4 > MAX_BODY {
            return Err(NotPublished::TooLong);
        }
        let id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(self.next_id().ok_or(NotPublished::InFlight)?),
        };
        let (first, number) =
            id.map_or((Kind::Publish.first(), None), |id: u16| (Kind::Publish.first() | 2, Some(id.to_be_bytes())));
        let number: &[u8] = number.as_ref().map_or(&[], |number| number);
        wire::write(&mut self.out, first, &[&length, topic.as_bytes(), number, payload]);
        self.spoken(now);
        Ok(id)
    }

    /// A number that is free, and is not any more; `None` if too many are not.
    fn next_id(&mut self) -> Option<u16> {
        if !self.has_room() {
            return None;
        }
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.unacknowledged.contains(&self.last_id) {
                break;
            }
        }
        self.unacknowledged.push(self.last_id);
        Some(self.last_id)
    }

    /// When [`Link::handle_timeout`] wants to be called.
    pub fn poll_deadline(&self) -> Option<Instant> {
        self.keep_alive_at.into_iter().chain(self.patience).min()
    }

    /// Sends a ping, or finds that the peer is silent.
    ///
    /// # Errors
    /// [`Fault::Silent`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Fault> {
        if self.patience.is_some_and(|patience| patience <= now) {
            return self.end(Fault::Silent);
        }
        if self.keep_alive_at.take_if(|at| *at <= now).is_some() {
            if R::IS_SERVER {
                return self.end(Fault::Silent);
            }
            self.send_ping(now);
        }
        self.standing()
    }

    fn send_ping(&mut self, now: Instant) {
        self.write(Kind::PingReq, &[]);
        self.patience.get_or_insert(now + self.limits.ping_timeout);
        self.spoken(now);
    }

    /// A client's next ping is due a whole keep-alive after it has said anything.
    fn spoken(&mut self, now: Instant) {
        if !R::IS_SERVER && self.keep_alive > Duration::ZERO {
            self.keep_alive_at = Some(now + self.keep_alive);
        }
    }

    /// A server's patience begins anew.
    fn heard(&mut self, now: Instant) {
        self.keep_alive_at = (self.keep_alive > Duration::ZERO).then(|| now + self.keep_alive);
    }

    fn write(&mut self, kind: Kind, parts: &[&[u8]]) {
        wire::write(&mut self.out, kind.first(), parts);
    }

    fn standing(&self) -> Result<(), Fault> {
        self.ended.map_or(Ok(()), Err)
    }

    fn end(&mut self, fault: Fault) -> Result<(), Fault> {
        self.ended.get_or_insert(fault);
        (self.keep_alive_at, self.patience, self.input) = (None, None, Vec::new());
        self.standing()
    }
}

impl Link<Client> {
    /// A client at the start of a connection; [`Link::connect`] goes first.
    pub fn client(limits: Limits) -> Self {
        Self::new(limits)
    }

    /// Asks to be let in. [`Packet::Accepted`] or [`Packet::Refused`] follows.
    ///
    /// # Errors
    /// [`NotPublished::TooLong`] if a part is longer than 65,535 bytes, or a password stands without a user name;
    /// [`NotPublished::NotConnected`] if it was called before.
    pub fn connect(&mut self, connect: &Connect, now: Instant) -> Result<(), NotPublished> {
        if self.state != State::Strange {
            return Err(NotPublished::NotConnected);
        }
        let body = wire::connect_body(connect).ok_or(NotPublished::TooLong)?;
        self.keep_alive = connect.keep_alive.min(Duration::from_secs(u16::MAX.into()));
        self.state = State::Asking;
        self.patience = Some(now + self.limits.login_timeout);
        self.write(Kind::Connect, &[&body]);
        Ok(())
    }

    /// Asks for messages. [`Packet::Subscribed`] follows with the number that is returned.
    ///
    /// # Errors
    /// [`NotPublished`].
    pub fn subscribe(&mut self, filters: &[(&str, QoS)], now: Instant) -> Result<u16, NotPublished> {
        if !self.is_connected() {
            return Err(NotPublished::NotConnected);
        }
        let mut body = Vec::new();
        for (filter, qos) in filters {
            wire::put(&mut body, filter.as_bytes()).filter(|()| !filter.is_empty()).ok_or(NotPublished::Topic)?;
            body.push(*qos as u8);
        }
        if body.is_empty() || body.len() + 2 > MAX_BODY {
            return Err(NotPublished::Topic);
        }
        let id = self.next_id().ok_or(NotPublished::InFlight)?;
        self.write(Kind::Subscribe, &[&id.to_be_bytes(), &body]);
        self.spoken(now);
        Ok(id)
    }

    /// Sends a ping now, whatever the keep-alive.
    pub fn ping(&mut self, now: Instant) {
        if self.is_connected() {
            self.send_ping(now);
        }
    }

    /// Says goodbye.
    pub fn disconnect(&mut self) {
        if self.is_connected() {
            self.write(Kind::Disconnect, &[]);
            (self.state, self.keep_alive_at, self.patience) = (State::Left, None, None);
        }
    }
}

impl Link<Server> {
    /// A server that a client has connected to at `now`.
    pub fn server(limits: Limits, now: Instant) -> Self {
        Self { patience: Some(now + limits.login_timeout), ..Self::new(limits) }
    }

    /// Lets the client in. Nothing is remembered of earlier connections.
    pub fn accept(&mut self, now: Instant) {
        if self.state == State::Asking && self.ended.is_none() {
            (self.state, self.patience) = (State::Connected, None);
            self.write(Kind::ConnAck, &[&[0, 0]]);
            self.heard(now);
            // What it said meanwhile. Whether that was a fault is known to `ended`.
            let said = core::mem::take(&mut self.input);
            let _ = self.receive(&said, now);
        }
    }

    /// Does not; the transport is to be closed once what is to be transmitted has been.
    pub fn refuse(&mut self, why: Refused) {
        if self.state == State::Asking && self.ended.is_none() {
            (self.state, self.patience) = (State::Left, None);
            self.write(Kind::ConnAck, &[&[0, why.code()]]);
        }
    }

    /// Answers a [`Packet::Subscribe`]: for each filter whether it is granted, and with which quality.
    pub fn subscribed(&mut self, id: u16, granted: &[Option<QoS>]) {
        let codes: Vec<u8> = granted.iter().map(|granted| granted.map_or(0x80, |qos| qos as u8)).collect();
        self.write(Kind::SubAck, &[&id.to_be_bytes(), &codes]);
    }
}
