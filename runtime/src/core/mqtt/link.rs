//! One connection, of either side.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::packet::{GenericPacket, GenericPacketTrait, Qos, SubEntry, SubOpts, v3_1_1};
use mqtt_protocol_core::mqtt::prelude::TimerKind;
use mqtt_protocol_core::mqtt::result_code::{ConnectReturnCode, MqttError, SubackReturnCode};
use mqtt_protocol_core::mqtt::{self, Version};

use super::{Connect, Packet, QoS, Refused};
use crate::core::time::Instant;

/// A connection's side: the client's.
pub type Client = mqtt::role::Client;
/// A connection's side: the server's.
pub type Server = mqtt::role::Server;

/// [`Client`] or [`Server`].
pub trait Role: mqtt::role::RoleType + 'static {}
impl Role for Client {}
impl Role for Server {}

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
pub struct Link<R: Role> {
    connection: mqtt::Connection<R>,
    limits: Limits,
    /// What the peer's first packet begins with, until it has come.
    greeting: Option<u8>,
    /// Whether messages may pass.
    connected: bool,
    ended: Option<Fault>,
    incoming: VecDeque<Packet>,
    out: Vec<u8>,
    unacknowledged: usize,
    /// When a timer of the connection rings.
    timers: [Option<Instant>; 3],
    /// Until when a client has to be let in.
    login: Option<Instant>,
}

impl<R: Role> core::fmt::Debug for Link<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Link").field("connected", &self.connected).field("ended", &self.ended).finish_non_exhaustive()
    }
}

type Event = mqtt::prelude::GenericEvent<u16>;

impl<R: Role> Link<R> {
    fn new(limits: Limits, greeting: u8) -> Self {
        let max = u32::try_from(limits.max_packet).unwrap_or(u32::MAX);
        let options = mqtt::connection::ConnectionOptions::new().maximum_packet_size_recv(max);
        let mut connection = mqtt::Connection::with_options(Version::V3_1_1, options);
        connection.set_auto_pub_response(true);
        connection.set_auto_ping_response(true);
        connection.set_pingresp_recv_timeout(u64::try_from(limits.ping_timeout.as_millis()).unwrap_or(u64::MAX));
        Self {
            connection,
            limits,
            greeting: Some(greeting),
            connected: false,
            ended: None,
            incoming: VecDeque::new(),
            out: Vec::new(),
            unacknowledged: 0,
            timers: [None; 3],
            login: None,
        }
    }

    /// Takes bytes of the transport. What they say is at [`Link::poll_packet`]; it is never more than they hold.
    ///
    /// # Errors
    /// [`Fault`]: the connection has ended; what is left of [`Link::poll_transmit`] may still be sent.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Fault> {
        if !self.connected && self.login.is_none() {
            self.login = Some(now + self.limits.login_timeout);
        }
        // Somebody who speaks HTTP, say, is not waited for.
        if let (Some(greeting), Some(first)) = (self.greeting, bytes.first()) {
            self.greeting = None;
            if *first != greeting {
                self.end(Fault::Protocol);
            }
        }
        let mut cursor = Cursor::new(bytes);
        while self.ended.is_none() && (cursor.position() as usize) < bytes.len() {
            let events = self.connection.recv(&mut cursor);
            self.take(events, now);
        }
        self.standing()
    }

    /// Why it has ended, if it has.
    pub fn ended(&self) -> Option<Fault> {
        self.ended
    }

    /// Whether messages may pass.
    pub fn is_connected(&self) -> bool {
        self.connected && self.ended.is_none()
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
        self.unacknowledged < self.limits.in_flight
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
        if topic.is_empty() || topic.contains(['+', '#', '\0']) {
            return Err(NotPublished::Topic);
        }
        if payload.len() + topic.len() + 4 > MAX_REMAINING {
            return Err(NotPublished::TooLong);
        }
        let mut message = v3_1_1::Publish::builder().topic_name(topic).map_err(|_| NotPublished::Topic)?;
        let id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce if !self.has_room() => return Err(NotPublished::InFlight),
            QoS::AtLeastOnce => {
                let id = self.connection.acquire_packet_id().map_err(|_| NotPublished::InFlight)?;
                message = message.qos(Qos::AtLeastOnce).packet_id(id);
                Some(id)
            }
        };
        let message = message.payload(payload.to_vec()).build().map_err(|_| NotPublished::TooLong)?;
        self.unacknowledged += usize::from(id.is_some());
        let events = self.connection.send(GenericPacket::V3_1_1Publish(message));
        self.take(events, now);
        Ok(id)
    }

    /// When [`Link::handle_timeout`] wants to be called.
    pub fn poll_deadline(&self) -> Option<Instant> {
        self.timers.iter().flatten().copied().chain(self.login).min()
    }

    /// Sends a ping, or finds that the peer is silent.
    ///
    /// # Errors
    /// [`Fault::Silent`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Fault> {
        if self.login.is_some_and(|login| login <= now) {
            self.end(Fault::Silent);
        }
        for kind in [TimerKind::PingreqSend, TimerKind::PingreqRecv, TimerKind::PingrespRecv] {
            if self.timer(kind).take_if(|at| *at <= now).is_some() {
                let events = self.connection.notify_timer_fired(kind);
                self.take(events, now);
            }
        }
        self.standing()
    }

    fn standing(&self) -> Result<(), Fault> {
        self.ended.map_or(Ok(()), Err)
    }

    fn end(&mut self, fault: Fault) {
        self.ended.get_or_insert(fault);
        self.timers = [None; 3];
        self.login = None;
    }

    fn timer(&mut self, kind: TimerKind) -> &mut Option<Instant> {
        let [send, receive, response] = &mut self.timers;
        match kind {
            TimerKind::PingreqSend => send,
            TimerKind::PingreqRecv => receive,
            TimerKind::PingrespRecv => response,
        }
    }

    fn take(&mut self, events: Vec<Event>, now: Instant) {
        let mut closes = false;
        let mut fault = None;
        for event in events {
            match event {
                Event::NotifyPacketReceived(packet) => self.arrived(packet, now),
                Event::RequestSendPacket { packet, .. } => {
                    self.out.extend(packet.to_continuous_buffer());
                }
                Event::RequestTimerReset { kind, duration_ms } => {
                    *self.timer(kind) = Some(now + Duration::from_millis(duration_ms));
                }
                Event::RequestTimerCancel(kind) => *self.timer(kind) = None,
                Event::NotifyError(error) => fault = Some(error),
                Event::RequestClose => closes = true,
                Event::NotifyPacketIdReleased(_) => {}
            }
        }
        match fault {
            Some(MqttError::PacketTooLarge) => self.end(Fault::TooLarge),
            Some(MqttError::UnsupportedProtocolVersion) => self.end(Fault::Version),
            Some(MqttError::ProtocolError | MqttError::PacketNotAllowedToSend | MqttError::InvalidPacketForRole) => {
                self.end(Fault::Protocol);
            }
            Some(_) => self.end(Fault::Malformed),
            // Nothing else closes without a word.
            None if closes && self.connected && !self.is_leaving() => self.end(Fault::Silent),
            None => {}
        }
    }

    /// Whether the last packet was a goodbye, after which silence is no fault.
    fn is_leaving(&self) -> bool {
        matches!(self.incoming.back(), Some(Packet::Disconnect))
    }

    fn arrived(&mut self, packet: GenericPacket<u16>, now: Instant) {
        let packet = match packet {
            GenericPacket::V3_1_1Connect(connect) => Packet::Connect(Box::new(Connect {
                client_id: connect.client_id().into(),
                clean_session: connect.clean_session(),
                keep_alive: Duration::from_secs(connect.keep_alive().into()),
                username: connect.user_name().map(String::from),
                password: connect.password().map(Vec::from),
                has_will: connect.will_flag(),
            })),
            GenericPacket::V3_1_1Connack(answer) => match refusal(answer.return_code()) {
                None => {
                    self.connected = true;
                    self.login = None;
                    Packet::Accepted { session_present: answer.session_present() }
                }
                Some(refused) => Packet::Refused(refused),
            },
            GenericPacket::V3_1_1Publish(message) => {
                Packet::Message { topic: message.topic_name().into(), payload: message.payload().as_slice().to_vec() }
            }
            GenericPacket::V3_1_1Subscribe(wish) => {
                let filter = |entry: &SubEntry| (entry.topic_filter().into(), quality(entry.sub_opts().qos()));
                Packet::Subscribe { id: wish.packet_id(), filters: wish.entries().iter().map(filter).collect() }
            }
            GenericPacket::V3_1_1Suback(answer) => {
                let granted = answer.return_codes().into_iter().map(|code| match code {
                    SubackReturnCode::Failure => None,
                    SubackReturnCode::SuccessMaximumQos0 => Some(QoS::AtMostOnce),
                    _ => Some(QoS::AtLeastOnce),
                });
                Packet::Subscribed { id: answer.packet_id(), granted: granted.collect() }
            }
            GenericPacket::V3_1_1Unsubscribe(wish) => {
                if let Ok(answer) = v3_1_1::Unsuback::builder().packet_id(wish.packet_id()).build() {
                    let events = self.connection.send(GenericPacket::V3_1_1Unsuback(answer));
                    self.take(events, now);
                }
                Packet::Unsubscribe { filters: wish.entries().iter().map(|filter| filter.as_str().into()).collect() }
            }
            GenericPacket::V3_1_1Puback(answer) => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                Packet::Acknowledged { id: answer.packet_id() }
            }
            GenericPacket::V3_1_1Pingreq(_) | GenericPacket::V3_1_1Pingresp(_) => Packet::Ping,
            GenericPacket::V3_1_1Disconnect(_) => Packet::Disconnect,
            // Steps of QoS 2, which the crate takes by itself.
            _ => return,
        };
        self.incoming.push_back(packet);
    }
}

/// First bytes of the packets that open a connection (MQTT 3.1.1 §2.2).
const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;

/// MQTT 3.1.1 §2.2.3.
const MAX_REMAINING: usize = 268_435_455;

fn quality(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce | Qos::ExactlyOnce => QoS::AtLeastOnce,
    }
}

fn refusal(code: ConnectReturnCode) -> Option<Refused> {
    Some(match code {
        ConnectReturnCode::Accepted => return None,
        ConnectReturnCode::UnacceptableProtocolVersion => Refused::ProtocolVersion,
        ConnectReturnCode::IdentifierRejected => Refused::Identifier,
        ConnectReturnCode::ServerUnavailable => Refused::ServerUnavailable,
        ConnectReturnCode::BadUserNameOrPassword => Refused::BadCredentials,
        ConnectReturnCode::NotAuthorized => Refused::NotAuthorized,
    })
}

impl Link<Client> {
    /// A client at the start of a connection; [`Link::connect`] goes first.
    pub fn client(limits: Limits) -> Self {
        Self::new(limits, CONNACK)
    }

    /// Asks to be let in. [`Packet::Accepted`] or [`Packet::Refused`] follows.
    ///
    /// # Errors
    /// [`NotPublished::TooLong`] if a part is longer than 65,535 bytes, or a password stands without a user name.
    pub fn connect(&mut self, connect: &Connect, now: Instant) -> Result<(), NotPublished> {
        let too_long = |_| NotPublished::TooLong;
        let keep_alive = u16::try_from(connect.keep_alive.as_secs()).unwrap_or(u16::MAX);
        let mut packet = v3_1_1::Connect::builder()
            .client_id(connect.client_id.as_str())
            .map_err(too_long)?
            .clean_session(connect.clean_session)
            .keep_alive(keep_alive);
        if let Some(username) = &connect.username {
            packet = packet.user_name(username.as_str()).map_err(too_long)?;
        }
        if let Some(password) = &connect.password {
            packet = packet.password(password.clone()).map_err(too_long)?;
        }
        let packet = packet.build().map_err(too_long)?;
        self.login = Some(now + self.limits.login_timeout);
        let events = self.connection.send(GenericPacket::V3_1_1Connect(packet));
        self.take(events, now);
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
        let entry = |(filter, qos): &(&str, QoS)| {
            let qos = match qos {
                QoS::AtMostOnce => Qos::AtMostOnce,
                QoS::AtLeastOnce => Qos::AtLeastOnce,
            };
            SubEntry::new(*filter, SubOpts::new().set_qos(qos)).map_err(|_| NotPublished::Topic)
        };
        let entries = filters.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let id = self.connection.acquire_packet_id().map_err(|_| NotPublished::InFlight)?;
        let packet = v3_1_1::Subscribe::builder().packet_id(id).entries(entries).build();
        let packet = packet.map_err(|_| NotPublished::Topic)?;
        let events = self.connection.send(GenericPacket::V3_1_1Subscribe(packet));
        self.take(events, now);
        Ok(id)
    }

    /// Sends a ping now, whatever the keep-alive.
    pub fn ping(&mut self, now: Instant) {
        if let Ok(packet) = v3_1_1::Pingreq::builder().build()
            && self.is_connected()
        {
            let events = self.connection.send(GenericPacket::V3_1_1Pingreq(packet));
            self.take(events, now);
        }
    }

    /// Says goodbye.
    pub fn disconnect(&mut self, now: Instant) {
        if let Ok(packet) = v3_1_1::Disconnect::builder().build()
            && self.is_connected()
        {
            self.connected = false;
            let events = self.connection.send(GenericPacket::V3_1_1Disconnect(packet));
            self.take(events, now);
        }
    }
}

impl Link<Server> {
    /// A server that a client has connected to at `now`.
    pub fn server(limits: Limits, now: Instant) -> Self {
        Self { login: Some(now + limits.login_timeout), ..Self::new(limits, CONNECT) }
    }

    /// Lets the client in. Nothing is remembered of earlier connections.
    pub fn accept(&mut self, now: Instant) {
        self.connected = true;
        self.login = None;
        self.acknowledge(ConnectReturnCode::Accepted, now);
    }

    /// Does not; the transport is to be closed once what is to be transmitted has been.
    pub fn refuse(&mut self, why: Refused, now: Instant) {
        self.login = None;
        self.acknowledge(
            match why {
                Refused::ProtocolVersion => ConnectReturnCode::UnacceptableProtocolVersion,
                Refused::Identifier => ConnectReturnCode::IdentifierRejected,
                Refused::ServerUnavailable => ConnectReturnCode::ServerUnavailable,
                Refused::BadCredentials => ConnectReturnCode::BadUserNameOrPassword,
                Refused::NotAuthorized => ConnectReturnCode::NotAuthorized,
            },
            now,
        );
    }

    fn acknowledge(&mut self, code: ConnectReturnCode, now: Instant) {
        if let Ok(packet) = v3_1_1::Connack::builder().session_present(false).return_code(code).build() {
            let events = self.connection.send(GenericPacket::V3_1_1Connack(packet));
            self.take(events, now);
        }
    }

    /// Answers a [`Packet::Subscribe`]: for each filter whether it is granted, and with which quality.
    pub fn subscribed(&mut self, id: u16, granted: &[Option<QoS>], now: Instant) {
        let code = |granted: &Option<QoS>| match granted {
            Some(QoS::AtMostOnce) => SubackReturnCode::SuccessMaximumQos0,
            Some(QoS::AtLeastOnce) => SubackReturnCode::SuccessMaximumQos1,
            None => SubackReturnCode::Failure,
        };
        let codes = granted.iter().map(code).collect();
        if let Ok(packet) = v3_1_1::Suback::builder().packet_id(id).return_codes(codes).build() {
            let events = self.connection.send(GenericPacket::V3_1_1Suback(packet));
            self.take(events, now);
        }
    }
}
