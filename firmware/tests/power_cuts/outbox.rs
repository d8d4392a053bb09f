//! An outbox against a platform that loses answers and refuses some, with cuts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use onwire::Instant;
use onwire_firmware::outbox::{Config, EntryId, Outbox, OutboxError, PushError, Settled};
use onwire_firmware::storage::{FlashFifo, StorageError};
use onwire_simulation::{Chance, End, Flash, PAGE};

use crate::end_of;

const PAGES: usize = 5;

/// What was pushed, by number, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pushed {
    Stored,
    /// The power went before `push` returned.
    Perhaps,
}

#[derive(Default)]
struct World {
    pushed: Vec<(u64, Pushed)>,
    number: u64,
    /// By id: which entry. An id stands for one entry for ever.
    ids: HashMap<EntryId, u64>,
    /// What the platform processed, in order; repetitions are not.
    processed: Vec<u64>,
    /// Settled for good, so never to be sent again.
    settled: HashSet<EntryId>,
    refused: HashSet<u64>,
    handed_back: Option<EntryId>,
    pushes_refused: u64,
}

type Device<const WORD: usize> = Outbox<FlashFifo<Flash<WORD>>>;

/// Of any length up to a page, beginning with its number.
fn payload(number: u64) -> Vec<u8> {
    let mut shape = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let length = if shape.is_multiple_of(5) { 300 } else { 60 };
    shape %= length;
    let mut payload = format!("{number} ").into_bytes();
    payload.resize(payload.len() + usize::try_from(shape).unwrap(), b'x');
    payload
}

fn read_number(payload: &[u8]) -> u64 {
    let text = std::str::from_utf8(payload).unwrap();
    let number = text.split_once(' ').unwrap().0.parse().unwrap();
    assert_eq!(payload, self::payload(number), "what is sent is what was pushed");
    number
}

/// `None` when the power went while it was opened.
fn open<const WORD: usize>(flash: &Flash<WORD>) -> Option<Device<WORD>> {
    let storage = FlashFifo::new(flash.clone(), 0..u32::try_from(PAGES * PAGE).unwrap()).unwrap();
    let config = Config { max_entries: 20, max_bytes: 1500, ..Config::default() };
    match end_of(Outbox::open(storage, config)) {
        Some(Ok(outbox)) => Some(outbox),
        None | Some(Err(OutboxError::Storage(StorageError::Device(_)))) => None,
        Some(Err(error)) => panic!("{error}"),
    }
}

impl World {
    fn push<const WORD: usize>(&mut self, outbox: &mut Device<WORD>) {
        self.number += 1;
        match end_of(outbox.push("thing.event.orderUpdateEvt.post", &payload(self.number))) {
            Some(Ok(id)) => {
                assert_eq!(self.ids.insert(id, self.number), None, "an id was given before");
                self.pushed.push((self.number, Pushed::Stored));
            }
            Some(Err(PushError::Full)) => self.pushes_refused += 1,
            None | Some(Err(PushError::Storage(StorageError::Device(_)))) => {
                self.pushed.push((self.number, Pushed::Perhaps));
            }
            Some(Err(error)) => panic!("{error}"),
        }
    }

    /// Sends what is due; the platform processes it; the answer arrives or does not.
    fn exchange<const WORD: usize>(&mut self, outbox: &mut Device<WORD>, at: Instant, chance: &mut Chance, loss: u64) {
        let (id, number) = match end_of(outbox.poll(at)) {
            Some(Ok(Some(sending))) => (sending.id, read_number(sending.payload)),
            Some(Ok(None)) => return self.settled.extend(self.handed_back.take()),
            None | Some(Err(OutboxError::Storage(StorageError::Device(_)))) => return,
            Some(Err(error)) => panic!("{error}"),
        };
        // A look that succeeded has removed what was handed back before.
        self.settled.extend(self.handed_back.take());
        assert!(!self.settled.contains(&id), "settled, and sent again: {id}");
        if chance.percent(loss) {
            return;
        }
        let first_time = !self.processed.contains(&number);
        assert_eq!(*self.ids.entry(id).or_insert(number), number, "one id, two entries");
        if first_time {
            self.processed.push(number);
        } else {
            assert_eq!(self.processed.last(), Some(&number), "an older entry after a newer one");
        }
        if chance.percent(loss) {
            return;
        }
        let code = match number % 7 {
            0 => 460,
            _ if chance.percent(loss / 2) => 429,
            _ => 200,
        };
        match end_of(outbox.answered(id, code)) {
            Some(Ok(Settled::Done)) => {
                assert_eq!(code, 200);
                self.settled.insert(id);
            }
            Some(Ok(Settled::Refused(entry))) => {
                assert_eq!((code, entry.id, read_number(&entry.payload)), (460, id, number));
                self.refused.insert(number);
                self.handed_back = Some(id);
            }
            Some(Ok(Settled::Later)) => assert_eq!(code, 429),
            Some(Ok(Settled::Unknown)) => panic!("an answer to what is under way"),
            None | Some(Err(OutboxError::Storage(StorageError::Device(_)))) => {}
            Some(Err(error)) => panic!("{error}"),
        }
    }

    fn drain<const WORD: usize>(&mut self, flash: &Flash<WORD>, chance: &mut Chance) {
        flash.power_on(None);
        self.handed_back = None;
        let mut outbox = open(flash).expect("there is power");
        outbox.connected();
        let mut at = Instant::from_millis(0);
        for _ in 0..100_000 {
            let Some(deadline) = outbox.deadline() else { break };
            at = at.max(deadline);
            self.exchange(&mut outbox, at, chance, 30);
        }
        assert!(outbox.is_empty() && outbox.bytes() == 0);
        // Everything that was stored, in the order in which it was; and of what was being pushed when the power went, some.
        let mut processed = self.processed.iter().peekable();
        for (number, pushed) in &self.pushed {
            if processed.next_if_eq(&number).is_none() {
                assert_eq!(*pushed, Pushed::Perhaps, "lost or out of order: {number}");
            }
        }
        assert_eq!(processed.next(), None, "nothing is sent that was not accepted");
        let refused = self.processed.iter().copied().filter(|number| number.is_multiple_of(7)).collect::<HashSet<_>>();
        assert_eq!(self.refused, refused, "what is refused is handed back");
        // And it takes new ones, with ids that go on.
        self.push(&mut outbox);
        assert_eq!(outbox.len(), 1);
    }
}

fn some_steps<const WORD: usize>(
    world: &mut World,
    outbox: &mut Device<WORD>,
    flash: &Flash<WORD>,
    chance: &mut Chance,
) {
    let mut at = Instant::from_millis(chance.between(0, 1000));
    for _ in 0..chance.between(1, 40) {
        if !flash.has_power() {
            return;
        }
        match chance.between(0, 9) {
            0..=3 => world.push(outbox),
            4 => outbox.disconnected(),
            5 => outbox.connected(),
            6 => at = at + Duration::from_secs(chance.between(0, 700)),
            _ => {
                at = outbox.deadline().map_or(at, |deadline| at.max(deadline));
                world.exchange(outbox, at, chance, 30);
            }
        }
    }
}

pub(crate) fn run<const WORD: usize>(mut chance: Chance) {
    let flash = Flash::<WORD>::new(PAGES, chance.clone()).in_long_words();
    let mut world = World::default();
    for _ in 0..chance.between(1, 15) {
        match chance.between(0, 9) {
            0 => flash.power_on(None),
            1 => flash.end_once(End::Failure, chance.between(0, 400)),
            2 => flash.end_once(End::Drop, chance.between(0, 400)),
            3 => flash.power_on(Some(chance.between(0, 10))),
            _ => flash.power_on(Some(chance.between(0, 1500))),
        }
        world.handed_back = None;
        if let Some(mut outbox) = open(&flash) {
            outbox.connected();
            some_steps(&mut world, &mut outbox, &flash, &mut chance);
        }
    }
    world.drain(&flash, &mut chance);
}

/// The same boot again and again, and the power goes one step later each time.
pub(crate) fn cut_everywhere<const WORD: usize>(chance: Chance) {
    let attempt = |cut: Option<u64>| {
        let mut chance = chance.clone();
        let flash = Flash::<WORD>::new(PAGES, chance.clone()).in_long_words();
        let mut world = World::default();
        flash.power_on(cut);
        for _ in 0..4 {
            if !flash.has_power() {
                flash.power_on(None);
            }
            world.handed_back = None;
            if let Some(mut outbox) = open(&flash) {
                outbox.connected();
                some_steps(&mut world, &mut outbox, &flash, &mut chance);
            }
        }
        let steps = flash.steps();
        world.drain(&flash, &mut chance);
        (steps, flash.cuts())
    };
    let (steps, _) = attempt(None);
    for step in 0..steps {
        assert_eq!(attempt(Some(step)).1, 1);
    }
}
