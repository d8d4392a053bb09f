//! The generator: very many charge points in one thread, over epoll.
//!
//! A connection takes some 50 bytes here besides the kernel's socket and what rustls needs for TLS, since buffers are shared and only what is cut
//! off in the middle is kept. [`Fleet::turn`] waits for the server and reports what happened; what is to follow from
//! that is in `runs`.

mod frame;
mod latencies;
mod message;
mod runs;
mod target;
mod tls;

use std::mem;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use onwire_load::documents;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{RecvFlags, SendFlags, recv, send};

pub(crate) use self::latencies::Latencies;
pub(crate) use self::message::Message;
use self::message::Received;
pub(crate) use self::runs::{BackOff, Reconnector};
pub(crate) use self::target::Target;
use self::tls::Session;

/// How long a server may take to let a charge point in, and to answer a CALL.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events that are asked for at once.
const EVENTS: usize = 256;
/// No server has reason to send more in answer to a request without a body.
const LONGEST_HEAD: usize = 16 * 1024;

/// Charge points that are connected to one server, or want to be.
pub(crate) struct Fleet {
    target: Target,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// How many have been accepted by BootNotification.
    ready: usize,
    /// How many are on the way there.
    opening: usize,
    boot: Message,
    tally: Tally,
    happenings: Vec<Happening>,
    events: Vec<Event>,
    input: Vec<u8>,
    /// What TLS makes of the input.
    plain: Vec<u8>,
    last_sweep: Instant,
}

/// What did not go as it should.
#[derive(Default)]
pub(crate) struct Tally {
    /// Connections that could not be opened, or ended.
    pub(crate) lost: u64,
    /// Why, of the last one.
    pub(crate) last_loss: String,
    /// CALLs that were answered with CALLERROR.
    pub(crate) refused: u64,
    /// The last CALLERROR.
    pub(crate) last_refusal: String,
    /// Messages that were none of OCPP-J, or answered no CALL.
    pub(crate) stray: u64,
}

/// What a turn brings for the charge point with this index.
enum Happening {
    /// It is connected and has booted.
    Ready(usize),
    /// Its CALL has been answered, after this time.
    Answered(usize, Duration),
    /// Its connection has ended, or could not be made.
    Lost(usize),
}

struct Connection {
    socket: Option<OwnedFd>,
    tls: Option<Box<Session>>,
    stage: Stage,
    /// Whether its last CALL is not answered yet.
    awaiting: bool,
    /// The number of its last CALL.
    number: u32,
    /// When that was sent; while it connects, when it began to.
    since: Instant,
    rest: Option<Box<Rest>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Closed,
    Connecting,
    Upgrading,
    Booting,
    Ready,
}

/// What was cut off.
#[derive(Default)]
struct Rest {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Fleet {
    pub(crate) fn new(target: Target) -> Result<Self> {
        Ok(Self {
            target,
            epoll: epoll::create(CreateFlags::CLOEXEC).context("making an epoll")?,
            connections: Vec::new(),
            ready: 0,
            opening: 0,
            boot: Message::new("BootNotification", &documents::boot_notification()),
            tally: Tally::default(),
            happenings: Vec::new(),
            events: Vec::with_capacity(EVENTS),
            input: vec![0; 64 * 1024],
            plain: Vec::new(),
            last_sweep: Instant::now(),
        })
    }

    /// How many charge points are connected and have booted.
    pub(crate) fn ready(&self) -> usize {
        self.ready
    }

    /// How many charge points there are.
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Waits for the server, `wait` at most, and lets `act` see what happened.
    fn turn(&mut self, wait: Duration, mut act: impl FnMut(&mut Self, Happening)) -> Result<()> {
        // What happened since the last turn is not to wait for the server.
        let wait = if self.happenings.is_empty() { wait } else { Duration::ZERO };
        let wait = Timespec::try_from(wait)?;
        let mut events = mem::take(&mut self.events);
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("waiting for the server"),
        }
        for event in &events {
            self.step(usize::try_from(event.data.u64())?, event.flags);
        }
        self.events = events;
        self.sweep();
        // What `act` does may make more happen; that is for the next turn.
        let mut happenings = mem::take(&mut self.happenings);
        happenings.drain(..).for_each(|happening| act(self, happening));
        if self.happenings.is_empty() {
            self.happenings = happenings;
        }
        Ok(())
    }

    /// Gives up those who have waited too long, now and then.
    fn sweep(&mut self) {
        if self.last_sweep.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.last_sweep = Instant::now();
        for index in 0..self.connections.len() {
            let Some(connection) = self.connections.get(index) else { return };
            let waits = connection.awaiting || ![Stage::Closed, Stage::Ready].contains(&connection.stage);
            if waits && connection.since.elapsed() > PATIENCE {
                self.lose(index, &anyhow!("no answer within {} s", PATIENCE.as_secs()));
            }
        }
    }

    /// Begins to connect a charge point; one index after the other is added.
    fn connect(&mut self, index: usize) {
        if index == self.connections.len() {
            self.connections.push(Connection {
                socket: None,
                tls: None,
                stage: Stage::Closed,
                awaiting: false,
                number: 0,
                since: Instant::now(),
                rest: None,
            });
        }
        let Some(connection) = self.connections.get_mut(index) else { return };
        connection.stage = Stage::Connecting;
        connection.since = Instant::now();
        self.opening += 1;
        let begun = self.target.connect(index).and_then(|socket| {
            epoll::add(&self.epoll, &socket, EventData::new_u64(index as u64), EventFlags::OUT)?;
            Ok(socket)
        });
        match begun {
            Ok(socket) => connection.socket = Some(socket),
            Err(error) => self.lose(index, &error),
        }
    }

    /// Sends a CALL for a charge point that is ready.
    fn call(&mut self, index: usize, message: &mut Message) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        if connection.stage != Stage::Ready {
            return;
        }
        let called = connection.call(index, &self.epoll, message);
        self.lose_if(index, called);
    }

    fn step(&mut self, index: usize, flags: EventFlags) {
        let stepped = match self.connections.get_mut(index) {
            Some(connection) if connection.stage == Stage::Connecting => {
                connection.connected(index, &self.epoll, &self.target)
            }
            Some(connection) => {
                let flushed = match flags.contains(EventFlags::OUT) {
                    true => connection.flush(index, &self.epoll),
                    false => Ok(()),
                };
                flushed.and_then(|()| if flags == EventFlags::OUT { Ok(()) } else { self.receive(index) })
            }
            None => Ok(()),
        };
        self.lose_if(index, stepped);
    }

    fn receive(&mut self, index: usize) -> Result<()> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        let Some(socket) = &connection.socket else { return Ok(()) };
        let received = match recv(socket, self.input.as_mut_slice(), RecvFlags::empty()) {
            Ok((0, _)) => bail!("the server ended the connection"),
            Ok((received, _)) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(error) => return Err(error).context("receiving"),
        };
        let input = mem::take(&mut self.input);
        let consumed = self.unseal(index, input.get(..received).unwrap_or_default());
        self.input = input;
        consumed
    }

    /// Takes the bytes out of TLS, if there is any.
    fn unseal(&mut self, index: usize, bytes: &[u8]) -> Result<()> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        let Some(tls) = &mut connection.tls else { return self.consume(index, bytes) };
        let mut plain = mem::take(&mut self.plain);
        plain.clear();
        let opened = tls.open(bytes, &mut plain);
        let opened = opened.and_then(|answer| connection.transmit(index, &self.epoll, &answer));
        let consumed = opened.and_then(|()| self.consume(index, &plain));
        self.plain = plain;
        consumed
    }

    fn consume(&mut self, index: usize, bytes: &[u8]) -> Result<()> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        let mut kept = connection.rest.as_mut().map(|rest| mem::take(&mut rest.incoming)).unwrap_or_default();
        let mut left = if kept.is_empty() {
            bytes
        } else {
            kept.extend(bytes);
            &kept
        };
        if connection.stage == Stage::Upgrading
            && let Some(frames) = upgraded(left)?
        {
            left = frames;
            connection.stage = Stage::Booting;
            connection.call(index, &self.epoll, &mut self.boot)?;
        }
        if connection.stage != Stage::Upgrading {
            while let Some((frame, after)) = frame::split(left)? {
                left = after;
                self.take(index, &frame)?;
            }
        }
        if let Some(connection) = self.connections.get_mut(index) {
            connection.keep(left);
        }
        Ok(())
    }

    fn take(&mut self, index: usize, frame: &frame::Frame<'_>) -> Result<()> {
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        match frame.opcode {
            frame::TEXT => {}
            frame::PING => {
                let pong = frame::write(frame::PONG, frame.payload);
                return connection.send(index, &self.epoll, &pong);
            }
            frame::CLOSE => {
                let code = frame.payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                bail!("the server closed the connection ({code})");
            }
            // An answer counts with the first of its fragments.
            frame::CONTINUATION | frame::PONG => return Ok(()),
            _ => {
                self.tally.stray += 1;
                return Ok(());
            }
        }
        match message::look_at(frame.payload) {
            Received::Call(id) => return connection.send(index, &self.epoll, &message::refusal(id)),
            Received::Result(number) if connection.is_waiting_for(number) => {}
            Received::Error(number) if connection.is_waiting_for(number) => {
                self.tally.refused += 1;
                self.tally.last_refusal = String::from_utf8_lossy(frame.payload).into_owned();
            }
            _ => {
                self.tally.stray += 1;
                return Ok(());
            }
        }
        connection.awaiting = false;
        if connection.stage == Stage::Booting {
            connection.stage = Stage::Ready;
            self.opening -= 1;
            self.ready += 1;
            self.happenings.push(Happening::Ready(index));
        } else {
            self.happenings.push(Happening::Answered(index, connection.since.elapsed()));
        }
        Ok(())
    }

    fn lose_if(&mut self, index: usize, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.lose(index, &error);
        }
    }

    fn lose(&mut self, index: usize, why: &Error) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        match connection.stage {
            Stage::Closed => return,
            Stage::Ready => self.ready -= 1,
            Stage::Connecting | Stage::Upgrading | Stage::Booting => self.opening -= 1,
        }
        connection.stage = Stage::Closed;
        connection.socket = None;
        connection.tls = None;
        connection.awaiting = false;
        connection.rest = None;
        self.tally.lost += 1;
        self.tally.last_loss = format!("{why:#}");
        self.happenings.push(Happening::Lost(index));
    }
}

impl Connection {
    fn connected(&mut self, index: usize, epoll: &OwnedFd, target: &Target) -> Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        socket_error(socket)?.context("connecting")?;
        epoll::modify(epoll, socket, EventData::new_u64(index as u64), EventFlags::IN)?;
        self.stage = Stage::Upgrading;
        self.tls = target.begin_tls()?.map(Box::new);
        self.send(index, epoll, &target.handshake(index))
    }

    fn call(&mut self, index: usize, epoll: &OwnedFd, message: &mut Message) -> Result<()> {
        self.number = self.number.wrapping_add(1);
        self.awaiting = true;
        self.since = Instant::now();
        let frame = message.numbered(self.number);
        self.send(index, epoll, frame)
    }

    fn is_waiting_for(&self, number: u32) -> bool {
        self.awaiting && self.number == number
    }

    fn send(&mut self, index: usize, epoll: &OwnedFd, bytes: &[u8]) -> Result<()> {
        match &mut self.tls {
            None => self.transmit(index, epoll, bytes),
            Some(tls) => {
                let sealed = tls.seal(bytes)?;
                self.transmit(index, epoll, &sealed)
            }
        }
    }

    /// Sends what the socket takes, and keeps the rest until it takes more.
    fn transmit(&mut self, index: usize, epoll: &OwnedFd, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Some(socket) = &self.socket else { return Ok(()) };
        if let Some(rest) = self.rest.as_mut().filter(|rest| !rest.outgoing.is_empty()) {
            rest.outgoing.extend(bytes);
            return Ok(());
        }
        let left = bytes.get(sent(socket, bytes)?..).unwrap_or_default();
        if !left.is_empty() {
            self.rest.get_or_insert_default().outgoing = left.to_vec();
            let flags = EventFlags::IN | EventFlags::OUT;
            epoll::modify(epoll, socket, EventData::new_u64(index as u64), flags)?;
        }
        Ok(())
    }

    fn flush(&mut self, index: usize, epoll: &OwnedFd) -> Result<()> {
        let (Some(socket), Some(rest)) = (&self.socket, &mut self.rest) else { return Ok(()) };
        let count = sent(socket, &rest.outgoing)?;
        rest.outgoing.drain(..count);
        if rest.outgoing.is_empty() {
            epoll::modify(epoll, socket, EventData::new_u64(index as u64), EventFlags::IN)?;
            if rest.incoming.is_empty() {
                self.rest = None;
            }
        }
        Ok(())
    }

    fn keep(&mut self, incoming: &[u8]) {
        if !incoming.is_empty() {
            self.rest.get_or_insert_default().incoming = incoming.to_vec();
        } else if self.rest.as_ref().is_some_and(|rest| rest.outgoing.is_empty()) {
            self.rest = None;
        }
    }
}

/// How many bytes the socket took.
fn sent(socket: &OwnedFd, bytes: &[u8]) -> Result<usize> {
    match send(socket, bytes, SendFlags::NOSIGNAL) {
        Ok(sent) => Ok(sent),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(error).context("sending"),
    }
}

/// What came behind the answer to the handshake; none if that is not there in full.
fn upgraded(bytes: &[u8]) -> Result<Option<&[u8]>> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = bytes.windows(END.len()).position(|window| window == END) else {
        if bytes.len() > LONGEST_HEAD {
            bail!("the server's answer to the handshake does not end");
        }
        return Ok(None);
    };
    let (head, rest) = bytes.split_at(end);
    if !head.starts_with(b"HTTP/1.1 101") {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        bail!("the server answered the handshake with {}", String::from_utf8_lossy(line));
    }
    Ok(rest.strip_prefix(END))
}

#[cfg(test)]
mod tests {
    use super::upgraded;

    #[test]
    fn frames_may_follow_the_handshake_at_once() {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";
        assert_eq!(upgraded(answer).unwrap(), Some(b"\x81\x00".as_slice()));
        assert_eq!(upgraded(&answer[..20]).unwrap(), None);
        let error = upgraded(b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err();
        assert_eq!(error.to_string(), "the server answered the handshake with HTTP/1.1 404 Not Found");
    }
}
