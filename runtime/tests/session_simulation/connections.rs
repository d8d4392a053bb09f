//! Two connections with their handlers, each driven by tasks of its own.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use onwire::ocpp::v16::{self, *};
use onwire::session::{Config, Received};
use onwire::{CallError, CallFailure, Connection, ErrorCode, Peer, Router};

use crate::executor::{Executor, Time};
use onwire_simulation::Chance;

const PATIENCE: u64 = 30_000;

/// One direction of the link.
struct Link {
    /// How many frames it takes.
    capacity: usize,
    frames: RefCell<VecDeque<(u64, String)>>,
    half_open: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Link {
    fn put(&self, frame: String, world: &World) {
        if !self.half_open.get() {
            let now = world.time.now().as_millis();
            let slow = if world.percent(5) { 40_000 } else { 400 };
            let earliest = self.frames.borrow().back().map_or(0, |last| last.0);
            let due = earliest.max(now + world.between(0, slow));
            self.frames.borrow_mut().push_back((due, frame));
        }
        self.wake();
    }

    fn wake(&self) {
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    async fn until<T>(&self, mut found: impl FnMut(&mut VecDeque<(u64, String)>) -> Option<T>) -> T {
        poll_fn(|context| match found(&mut self.frames.borrow_mut()) {
            Some(found) => Poll::Ready(found),
            None => {
                self.waiting.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    async fn room(&self) {
        self.until(|frames| (frames.len() < self.capacity).then_some(())).await;
    }

    async fn get(&self, time: &Time) -> String {
        let due = self.until(|frames| frames.front().map(|first| first.0)).await;
        time.sleep_until(due).await;
        let (_, frame) = self.until(VecDeque::pop_front).await;
        self.wake();
        frame
    }
}

/// What both sides and the observer share.
struct World {
    time: Time,
    chance: RefCell<Chance>,
    /// How often the handler of each number ran.
    runs: RefCell<BTreeMap<String, u32>>,
    /// Whether answers are remembered, so that a handler runs once.
    keeps: bool,
    next: Cell<u64>,
    /// What went wrong where a panic is caught.
    failure: Cell<Option<&'static str>>,
    /// CALLs that the connections took, and those that a handler took.
    taken: Cell<(u64, u64)>,
    /// Calls that were made, and those that came to an outcome or were taken back.
    calls: Cell<(u64, u64)>,
}

impl World {
    fn percent(&self, percent: u64) -> bool {
        self.chance.borrow_mut().percent(percent)
    }

    fn between(&self, low: u64, high: u64) -> u64 {
        self.chance.borrow_mut().between(low, high)
    }

    fn check(&self, holds: bool, what: &'static str) {
        if !holds {
            self.failure.set(Some(what));
        }
    }

    /// Makes a call and checks what becomes of it.
    async fn call(&self, peer: &Peer) -> Result<(), CallFailure> {
        self.next.set(self.next.get() + 1);
        let number = self.next.get().to_string();
        let mut request = DataTransferRequest::new("simulation");
        request.data = Some(number.as_str().into());
        let _counted = Counted::new(self);
        let response = peer.call(request).await?;
        self.check(response.data.as_deref() == Some(number.as_str()), "the answer to another call");
        Ok(())
    }

    async fn on(&self, peer: &Peer, request: DataTransferRequest) -> Result<DataTransferResponse, CallError> {
        let number = request.data.clone().unwrap_or_default().to_string();
        let (taken, handled) = self.taken.get();
        self.taken.set((taken, handled + 1));
        let runs = {
            let mut all = self.runs.borrow_mut();
            let runs = all.entry(number).or_default();
            *runs += 1;
            *runs
        };
        self.check(runs == 1 || !self.keeps, "a handler ran twice for one CALL");
        match self.between(0, 19) {
            0 => std::future::pending().await,
            1 => self.time.sleep(self.between(50_000, 100_000)).await,
            // Without the hook, which would print.
            2 => std::panic::resume_unwind(Box::new(())),
            3 => {
                self.time.sleep(self.between(0, 1000)).await;
                std::panic::resume_unwind(Box::new(()));
            }
            4 | 5 => drop(self.call(peer).await),
            6 => return Err(ErrorCode::GenericError.into()),
            7..10 => self.time.sleep(self.between(0, 20_000)).await,
            _ => {}
        }
        let mut response = DataTransferResponse::new(DataTransferStatus::Accepted);
        response.data = request.data;
        Ok(response)
    }

    async fn after(&self, peer: &Peer) {
        match self.between(0, 19) {
            0 => std::future::pending().await,
            1 => std::panic::resume_unwind(Box::new(())),
            2..6 => drop(self.call(peer).await),
            6..9 => self.time.sleep(self.between(0, 100_000)).await,
            _ => {}
        }
    }
}

/// A call that was made; it is over when this is dropped.
struct Counted<'w>(&'w World);

impl<'w> Counted<'w> {
    fn new(world: &'w World) -> Self {
        let (made, over) = world.calls.get();
        world.calls.set((made + 1, over));
        Self(world)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let (made, over) = self.0.calls.get();
        self.0.calls.set((made, over + 1));
    }
}

struct Station(Rc<World>);
struct System(Rc<World>);

#[onwire::handlers(ocpp::v16, role = ChargePoint, local)]
impl Station {
    #[on(DataTransfer)]
    async fn on(&self, peer: &Peer, req: DataTransferRequest) -> Result<DataTransferResponse, CallError> {
        self.0.on(peer, req).await
    }

    #[after(DataTransfer)]
    async fn after(&self, peer: &Peer) {
        self.0.after(peer).await;
    }
}

#[onwire::handlers(ocpp::v16, role = CentralSystem, local)]
impl System {
    #[on(DataTransfer)]
    async fn on(&self, peer: &Peer, req: DataTransferRequest) -> Result<DataTransferResponse, CallError> {
        self.0.on(peer, req).await
    }

    #[after(DataTransfer)]
    async fn after(&self, peer: &Peer) {
        self.0.after(peer).await;
    }
}

/// Runs `work` for at most so long.
async fn at_most<T>(time: &Time, milliseconds: u64, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut sleep) = (pin!(work), pin!(time.sleep(milliseconds)));
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        sleep.as_mut().poll(context).map(|()| None)
    })
    .await
}

struct Side {
    connection: Rc<Connection>,
    outgoing: Rc<Link>,
    incoming: Rc<Link>,
    /// CALLs that were sent.
    sent: Rc<RefCell<Vec<(u64, String)>>>,
}

impl Side {
    fn spawn(&self, executor: &mut Executor, world: &Rc<World>, router: impl Router + 'static) {
        self.spawn_transport(executor, world);
        let (connection, time) = (self.connection.clone(), world.time.clone());
        executor.spawn("time", async move {
            loop {
                let deadline = connection.poll_deadline();
                let wait =
                    deadline.map_or(u64::MAX, |deadline| deadline.as_millis().saturating_sub(time.now().as_millis()));
                let changed = connection.deadline_before(deadline);
                let over = match deadline {
                    Some(_) => at_most(&time, wait, changed).await.is_none(),
                    None => {
                        changed.await;
                        false
                    }
                };
                if over {
                    connection.handle_timeout(time.now());
                }
            }
        });
        let (connection, time) = (self.connection.clone(), world.time.clone());
        // Whoever serves may be cancelled, and start again.
        let restart = world.percent(10).then(|| world.between(0, 100_000));
        executor.spawn("handlers", async move {
            if let Some(restart) = restart {
                at_most(&time, restart, connection.serve(&router)).await;
            }
            connection.serve(&router).await;
        });
        for _ in 0..world.between(0, 8) {
            let (peer, world) = (self.connection.peer().clone(), world.clone());
            executor.spawn("caller", async move {
                for _ in 0..world.between(1, 4) {
                    world.time.sleep(world.between(0, 30_000)).await;
                    if world.percent(10) {
                        at_most(&world.time, world.between(0, 20_000), world.call(&peer)).await;
                    } else {
                        drop(world.call(&peer).await);
                    }
                }
            });
        }
    }

    fn spawn_transport(&self, executor: &mut Executor, world: &Rc<World>) {
        let (connection, link, sent, shared) =
            (self.connection.clone(), self.outgoing.clone(), self.sent.clone(), world.clone());
        executor.spawn("writer", async move {
            let time = &shared.time;
            while let Some(frame) = connection.transmit(|| time.now()).await {
                if at_most(time, PATIENCE, link.room()).await.is_none() {
                    connection.end(CallFailure::Disconnected);
                    return;
                }
                if frame.starts_with("[2,") {
                    sent.borrow_mut().push((time.now().as_millis(), frame.clone()));
                }
                link.put(frame, &shared);
            }
        });
        let (connection, link, time) = (self.connection.clone(), self.incoming.clone(), world.time.clone());
        let shared = world.clone();
        executor.spawn("reader", async move {
            while connection.input_wanted().await {
                let mut frame = pin!(link.get(&time));
                let mut ended = pin!(connection.ended());
                let next = poll_fn(|context| {
                    if ended.as_mut().poll(context).is_ready() {
                        return Poll::Ready(None);
                    }
                    frame.as_mut().poll(context).map(Some)
                });
                let Some(frame) = next.await else { return };
                if connection.receive(&frame, time.now()) == Received::Call {
                    let (taken, handled) = shared.taken.get();
                    shared.taken.set((taken + 1, handled));
                }
            }
        });
        let (link, sent, shared) = (self.outgoing.clone(), self.sent.clone(), world.clone());
        executor.spawn("repeater", async move {
            for _ in 0..shared.between(0, 6) {
                shared.time.sleep(shared.between(0, 30_000)).await;
                let now = shared.time.now().as_millis();
                let recent = sent.borrow().iter().rev().find(|(at, _)| at + 15_000 > now).cloned();
                if let Some((_, frame)) = recent {
                    link.put(frame, &shared);
                }
            }
        });
        if world.percent(10) {
            let (link, shared) = (self.outgoing.clone(), world.clone());
            executor.spawn("half-open", async move {
                shared.time.sleep(shared.between(0, 100_000)).await;
                link.half_open.set(true);
                link.frames.borrow_mut().clear();
                link.wake();
            });
        }
    }
}

pub(crate) fn run(mut chance: Chance) {
    let mut configure = |first_id| {
        let mut config = Config::default();
        config.call_timeout = Duration::from_secs(30);
        config.call_queue = chance.pick(&[1, 2, 8]);
        config.inbox = chance.pick(&[1, 2, 8]);
        config.after_queue = chance.pick(&[1, 4]);
        config.first_id = first_id;
        config
    };
    let mut configs = [configure(1), configure(5000)];
    let keeps = chance.percent(70);
    let capacities = [chance.pick(&[1, 1, 4]), chance.pick(&[1, 4])];
    for config in &mut configs {
        config.answer_memory = if keeps { 1 << 20 } else { 0 };
        // A CALL that stood still on the link is no new one.
        config.call_timeout = if keeps { Duration::from_secs(3000) } else { config.call_timeout };
        config.repeat_window = Duration::from_secs(6000);
    }
    let mut executor = Executor::default();
    executor.doubts = chance.percent(30);
    let world = Rc::new(World {
        time: executor.time.clone(),
        chance: RefCell::new(chance),
        runs: RefCell::default(),
        keeps,
        next: Cell::new(100),
        failure: Cell::default(),
        taken: Cell::default(),
        calls: Cell::default(),
    });
    let link = |capacity| {
        Rc::new(Link { capacity, frames: RefCell::default(), half_open: Cell::default(), waiting: RefCell::default() })
    };
    let links = [link(capacities[0]), link(capacities[1])];
    let [station, system] = configs.map(|config| Rc::new(Connection::new("simulation", &v16::DIALECT, config)));
    let sides = [(&station, &links[0], &links[1]), (&system, &links[1], &links[0])].map(|(connection, to, from)| {
        Side { connection: connection.clone(), outgoing: to.clone(), incoming: from.clone(), sent: Rc::default() }
    });
    sides[0].spawn(&mut executor, &world, Station(world.clone()));
    sides[1].spawn(&mut executor, &world, System(world.clone()));
    if world.percent(30) {
        let (connections, time) = ([station.clone(), system.clone()], world.time.clone());
        let at = world.between(0, 150_000);
        executor.spawn("disconnect", async move {
            time.sleep(at).await;
            connections.iter().for_each(|connection| connection.end(CallFailure::Disconnected));
        });
    }
    executor.run();

    assert_eq!(world.failure.take(), None);
    // With time every call comes to an outcome, whether or not the connection stands.
    let (made, over) = world.calls.get();
    assert_eq!(made, over, "a call is stuck: {:?}", executor.pending());
    assert!(!executor.pending().contains(&"caller"), "a caller is stuck");
    for connection in [&station, &system] {
        assert_eq!(connection.poll_transmit(executor.time.now()), None, "something is not sent");
        connection.end(CallFailure::Disconnected);
    }
    executor.run();
    assert_eq!(executor.pending(), ["time", "time"], "something does not end with the connection");
    let (taken, handled) = world.taken.get();
    assert_eq!(taken, handled, "a message that a connection took was not handled");
}
