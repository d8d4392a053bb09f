//! Packets as bytes (MQTT 3.1.1 §2 and §3).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Connect, Fault, QoS, Refused};

/// The upper half of a packet's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::Connect,
        Self::ConnAck,
        Self::Publish,
        Self::PubAck,
        Self::PubRec,
        Self::PubRel,
        Self::PubComp,
        Self::Subscribe,
        Self::SubAck,
        Self::Unsubscribe,
        Self::UnsubAck,
        Self::PingReq,
        Self::PingResp,
        Self::Disconnect,
    ];

    /// Of a first byte; the lower half of most is fixed (§2.2.2).
    pub(super) fn of(first: u8) -> Result<Self, Fault> {
        let kind = Self::ALL.into_iter().find(|kind| *kind as u8 == first >> 4).ok_or(Fault::Malformed)?;
        let flags = first & 0x0f;
        let is_right = match kind {
            Self::Publish => true,
            // MQTT 3.1 had DUP there, and some clients still set it when they repeat themselves.
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => flags & !8 == 2,
            _ => flags == 0,
        };
        if is_right { Ok(kind) } else { Err(Fault::Malformed) }
    }

    pub(super) fn first(self) -> u8 {
        let flags = if matches!(self, Self::PubRel | Self::Subscribe | Self::Unsubscribe) { 2 } else { 0 };
        (self as u8) << 4 | flags
    }
}

/// What remains of a packet after its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// The length's own bytes are not all there.
    Incomplete,
    /// So many bytes of header, and so many after them.
    Known { header: usize, body: usize },
}

/// Reads the length that follows the first byte (§2.2.3).
pub(super) fn length(bytes: &[u8]) -> Result<Length, Fault> {
    let mut body = 0;
    for (index, byte) in bytes.iter().skip(1).take(4).enumerate() {
        body |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Length::Known { header: index + 2, body });
        }
    }
    if bytes.len() > 4 { Err(Fault::Malformed) } else { Ok(Length::Incomplete) }
}

/// The longest body (§2.2.3).
pub(super) const MAX_BODY: usize = 268_435_455;

/// A packet's body that is being read.
pub(super) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn new(body: &'b [u8]) -> Self {
        Self(body)
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Fault::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        self.take(1)?.first().copied().ok_or(Fault::Malformed)
    }

    fn number(&mut self) -> Result<u16, Fault> {
        <[u8; 2]>::try_from(self.take(2)?).map(u16::from_be_bytes).map_err(|_| Fault::Malformed)
    }

    /// A packet's number, which is never 0.
    pub(super) fn id(&mut self) -> Result<u16, Fault> {
        self.number().and_then(|id| if id == 0 { Err(Fault::Malformed) } else { Ok(id) })
    }

    fn binary(&mut self) -> Result<&'b [u8], Fault> {
        let length = self.number()?;
        self.take(length.into())
    }

    /// UTF-8 without U+0000 (§1.5.3).
    pub(super) fn text(&mut self) -> Result<&'b str, Fault> {
        let text = str::from_utf8(self.binary()?).map_err(|_| Fault::Malformed)?;
        if text.contains('\0') { Err(Fault::Malformed) } else { Ok(text) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(self) -> &'b [u8] {
        self.0
    }

    /// A packet ends where it says.
    pub(super) fn end(self) -> Result<(), Fault> {
        if self.is_empty() { Ok(()) } else { Err(Fault::Malformed) }
    }
}

const USERNAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL_RETAIN: u8 = 0x20;
const WILL_QOS: u8 = 0x18;
const WILL: u8 = 0x04;
const CLEAN_SESSION: u8 = 0x02;

/// Reads a CONNECT (§3.1).
pub(super) fn read_connect(mut body: Reader<'_>) -> Result<Box<Connect>, Fault> {
    let (name, level) = (body.text()?, body.byte()?);
    // 3.1 differs in nothing that is used here but its name.
    if !matches!((name, level), ("MQTT", 4) | ("MQIsdp", 3)) {
        return Err(if matches!(name, "MQTT" | "MQIsdp") { Fault::Version } else { Fault::Protocol });
    }
    let flags = body.byte()?;
    let has = |flag: u8| flags & flag != 0;
    let orphaned = !has(WILL) && has(WILL_RETAIN | WILL_QOS) || has(PASSWORD) && !has(USERNAME);
    if flags & 1 != 0 || orphaned || flags & WILL_QOS == WILL_QOS {
        return Err(Fault::Malformed);
    }
    let keep_alive = Duration::from_secs(body.number()?.into());
    let mut connect = Box::new(Connect::new(body.text()?));
    connect.clean_session = has(CLEAN_SESSION);
    connect.keep_alive = keep_alive;
    connect.has_will = has(WILL);
    if has(WILL) {
        body.text()?;
        body.binary()?;
    }
    if has(USERNAME) {
        connect.username = Some(String::from(body.text()?));
    }
    if has(PASSWORD) {
        connect.password = Some(Vec::from(body.binary()?));
    }
    body.end()?;
    Ok(connect)
}

/// Reads the filters of a SUBSCRIBE (§3.8).
pub(super) fn read_filters(mut body: Reader<'_>) -> Result<Vec<(String, QoS)>, Fault> {
    let mut filters = Vec::new();
    while !body.is_empty() {
        let filter = String::from(body.text()?);
        let qos = match body.byte()? {
            0 => QoS::AtMostOnce,
            1 | 2 => QoS::AtLeastOnce,
            _ => return Err(Fault::Malformed),
        };
        filters.push((filter, qos));
    }
    if filters.is_empty() { Err(Fault::Protocol) } else { Ok(filters) }
}

/// Reads a CONNACK's two bytes (§3.2).
pub(super) fn read_acknowledgement(mut body: Reader<'_>) -> Result<Result<bool, Refused>, Fault> {
    let (flags, code) = (body.byte()?, body.byte()?);
    body.end()?;
    if flags > 1 {
        return Err(Fault::Malformed);
    }
    Ok(match code {
        0 => Ok(flags == 1),
        code => Err(Refused::ALL.into_iter().find(|refused| refused.code() == code).ok_or(Fault::Malformed)?),
    })
}

/// Writes a packet: its first byte, its length, and the parts of its body.
pub(super) fn write(out: &mut Vec<u8>, first: u8, parts: &[&[u8]]) {
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    out.reserve(length + 5);
    out.push(first);
    loop {
        let (byte, rest) = ((length & 0x7f) as u8, length >> 7);
        out.push(if rest > 0 { byte | 0x80 } else { byte });
        length = rest;
        if length == 0 {
            break;
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Writes text or bytes with their length before them; `None` if that does not fit into two bytes.
pub(super) fn put(body: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    body.extend(u16::try_from(bytes.len()).ok()?.to_be_bytes());
    body.extend_from_slice(bytes);
    Some(())
}

/// The body of a CONNECT; `None` if a part is too long.
pub(super) fn connect_body(connect: &Connect) -> Option<Vec<u8>> {
    if connect.password.is_some() && connect.username.is_none() {
        return None;
    }
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let flags = flag(connect.username.is_some(), USERNAME)
        | flag(connect.password.is_some(), PASSWORD)
        | flag(connect.clean_session, CLEAN_SESSION);
    let keep_alive = u16::try_from(connect.keep_alive.as_secs()).unwrap_or(u16::MAX).to_be_bytes();
    let mut body = Vec::new();
    put(&mut body, b"MQTT")?;
    body.extend([4, flags]);
    body.extend(keep_alive);
    put(&mut body, connect.client_id.as_bytes())?;
    if let Some(username) = &connect.username {
        put(&mut body, username.as_bytes())?;
    }
    if let Some(password) = &connect.password {
        put(&mut body, password)?;
    }
    Some(body)
}
