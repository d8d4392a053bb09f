//! Updates of two modules, from a platform and a file server that lose things, with cuts.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use embedded_storage_async::nor_flash::ReadNorFlash;
use onwire::Instant;
use onwire_firmware::ota::{
    Action, Config, Digest, FetchFailure, FlashUpdater, FlashUpdaterError, HandOver, Image, Module, Offer, Reply,
    Source, Updates,
};
use onwire_firmware::storage::StorageError;
use onwire_simulation::{Chance, End, Flash, PAGE};

use crate::end_of;

const JOURNAL: u32 = 2 * PAGE as u32;
const SLOT: u32 = 6 * PAGE as u32;
const MODULES: [&str; 2] = ["default", "app"];

/// What is not the flash: which versions run, and the boot loader's flags.
#[derive(Default)]
struct Board {
    images: HashMap<(String, String), Vec<u8>>,
    running: HashMap<String, String>,
    armed: HashMap<String, String>,
    /// The next start of this version fails, and the boot loader goes back.
    broken: Option<String>,
    handed_over: u64,
}

struct BootLoader {
    board: Rc<RefCell<Board>>,
    chance: Chance,
    cut_percent: u64,
}

impl<const WORD: usize> HandOver<Flash<WORD>> for BootLoader {
    type Error = Infallible;

    async fn hand_over(&mut self, image: &Image, flash: &mut Flash<WORD>, at: Range<u32>) -> Result<(), Infallible> {
        let mut bytes = vec![0; ((at.end - at.start) as usize).next_multiple_of(WORD)];
        if flash.read(at.start, &mut bytes).await.is_err() {
            return Ok(());
        }
        let mut board = self.board.borrow_mut();
        let whole = &board.images[&(image.module.clone(), image.version.clone())];
        assert_eq!(bytes[..whole.len()], whole[..], "not the image that was offered");
        assert_eq!(at.end - at.start, image.size);
        if self.chance.percent(self.cut_percent) {
            flash.power_off();
            return Ok(());
        }
        board.armed.insert(image.module.clone(), image.version.clone());
        board.handed_over += 1;
        if self.chance.percent(self.cut_percent) {
            flash.power_off();
        }
        Ok(())
    }
}

type Device<const WORD: usize> = Updates<FlashUpdater<Flash<WORD>, BootLoader>>;

struct World<const WORD: usize> {
    flash: Flash<WORD>,
    board: Rc<RefCell<Board>>,
    targets: HashMap<String, Offer>,
    versions: u64,
    block: u32,
    /// Percent: how often something is lost, broken or wrong.
    loss: u64,
    now: Instant,
    /// What was surely written when the power went while bytes were received: from there the next start goes on.
    written: Option<(Image, u32)>,
    fetched: u64,
}

fn digest(bytes: &[u8], sha256: bool) -> Digest {
    use md5::Digest as _;
    match sha256 {
        true => Digest::Sha256(sha2::Sha256::digest(bytes).into()),
        false => Digest::Md5(md5::Md5::digest(bytes).into()),
    }
}

impl<const WORD: usize> World<WORD> {
    fn new(chance: &mut Chance) -> Self {
        let flash = Flash::new(((JOURNAL + SLOT) as usize) / PAGE, chance.clone());
        // Flash that is written by the byte takes bit after bit.
        let board = Board { running: MODULES.map(|name| (name.into(), "0".into())).into(), ..Board::default() };
        Self {
            flash: if WORD > 1 { flash.write_once() } else { flash },
            board: Rc::new(RefCell::new(board)),
            targets: HashMap::new(),
            versions: 0,
            block: [PAGE as u32, 2 * PAGE as u32, 104][usize::try_from(chance.between(0, 2)).unwrap()],
            loss: 15,
            now: Instant::from_millis(0),
            written: None,
            fetched: 0,
        }
    }

    /// The platform has something new.
    fn release(&mut self, chance: &mut Chance) {
        self.versions += 1;
        let module = MODULES[usize::try_from(chance.between(0, 1)).unwrap()].to_owned();
        let version = self.versions.to_string();
        let length = chance.between(1, u64::from(SLOT));
        let bytes = chance.bytes(length);
        let image = Image {
            module: module.clone(),
            version: version.clone(),
            size: u32::try_from(length).unwrap(),
            digest: digest(&bytes, chance.percent(50)),
            difference: false,
        };
        let source = match chance.percent(50) {
            true => Source::Url(format!("http://files/{module}/{version}")),
            false => Source::Stream { stream: self.versions, file: 1 },
        };
        self.board.borrow_mut().images.insert((module.clone(), version), bytes);
        self.targets.insert(module, Offer { image, source });
    }

    /// Starts the device. `None` if the power goes in that.
    fn boot(&mut self, chance: &mut Chance) -> Option<Device<WORD>> {
        {
            let mut board = self.board.borrow_mut();
            for (module, version) in std::mem::take(&mut board.armed) {
                if board.broken.take_if(|broken| *broken == version).is_none() {
                    board.running.insert(module, version);
                }
            }
        }
        let modules = MODULES.map(|name| Module::new(name, self.board.borrow().running[name].clone())).into();
        let loader = BootLoader { board: self.board.clone(), chance: chance.clone(), cut_percent: self.loss };
        let updater = FlashUpdater::new(self.flash.clone(), 0..JOURNAL, JOURNAL..JOURNAL + SLOT, loader)
            .expect("ranges are right");
        let config = Config { block: self.block, ..Config::default() };
        match end_of(Updates::open(updater, modules, config)) {
            Some(Ok(updates)) => {
                // A whole image is checked first; it is begun anew if it is not what was offered.
                self.written.take_if(|_| updates.image().is_some_and(|(image, written)| image.size == written));
                Some(updates)
            }
            None | Some(Err(FlashUpdaterError::Storage(StorageError::Device(_)))) => None,
            Some(Err(error)) => panic!("{error}"),
        }
    }

    fn offer(&mut self, device: &mut Device<WORD>, module: &str) {
        if let Some(offer) = self.targets.get(module).cloned() {
            end_of(device.offered(offer, self.now));
        }
    }

    /// Does what the device asks for; `false` when it asks for nothing.
    fn step(&mut self, device: &mut Device<WORD>, chance: &mut Chance) -> bool {
        let Some(action) = end_of(device.poll(self.now)).flatten() else { return false };
        if !self.flash.has_power() {
            return false;
        }
        match action {
            Action::Inform { module, version } => {
                assert_eq!(self.board.borrow().running[&module], version, "a version that does not run");
                let outdated = self.targets.get(&module).is_some_and(|offer| offer.image.version != version);
                if outdated && !chance.percent(self.loss) {
                    self.offer(device, &module);
                }
            }
            Action::Query { module } => {
                if !chance.percent(self.loss) {
                    self.offer(device, &module);
                }
            }
            Action::Progress { step, .. } => assert!((-4..=100).contains(&step) && step != 0),
            Action::Restart { module, version } => {
                assert_eq!(self.board.borrow().armed.get(&module), Some(&version), "nothing to restart into");
                if chance.percent(self.loss) {
                    self.board.borrow_mut().broken = Some(version);
                }
                self.flash.power_off();
            }
            Action::Fetch(fetch) => self.serve(device, &fetch, chance),
        }
        true
    }

    fn serve(&mut self, device: &mut Device<WORD>, fetch: &onwire_firmware::ota::Fetch, chance: &mut Chance) {
        let image = device.image().expect("something is fetched").0.clone();
        let running = self.board.borrow().running[&image.module].clone();
        assert_ne!(running, image.version, "what runs is not fetched again");
        if let Some((before, written)) = self.written.take().filter(|(before, _)| *before == image) {
            assert!(fetch.offset >= written - written % PAGE as u32, "{} of {written} {before:?}", fetch.offset);
        }
        let mut bytes = self.board.borrow().images[&(image.module.clone(), image.version.clone())].clone();
        assert_eq!(fetch.size as usize, bytes.len());
        if chance.percent(self.loss / 4) {
            let at = usize::try_from(chance.between(0, bytes.len() as u64 - 1)).unwrap();
            bytes[at] ^= 1;
        }
        let mut surely = None;
        let mut at = fetch.offset as usize;
        let end = (fetch.offset + fetch.length) as usize;
        while at < end {
            if chance.percent(self.loss / 3) {
                let failure = match chance.between(0, 9) {
                    0 => FetchFailure::Gone("404".into()),
                    1 => FetchFailure::Changed("ETag".into()),
                    _ => FetchFailure::Interrupted("reset".into()),
                };
                end_of(device.fetch_failed(fetch.id, failure, self.now));
                return;
            }
            // Pieces of any length, and at times one that is here already.
            let from =
                at.saturating_sub(usize::try_from(chance.between(0, 40)).unwrap() * usize::from(chance.percent(20)));
            let to = end.min(at + usize::try_from(chance.between(1, 700)).unwrap());
            let reply = end_of(device.received(fetch.id, u32::try_from(from).unwrap(), &bytes[from..to], self.now));
            self.fetched += (to - at) as u64;
            if !self.flash.has_power() {
                self.written = surely;
                return;
            }
            surely = device.image().map(|(image, written)| (image.clone(), written));
            at = to;
            if reply != Some(Reply::More) {
                return;
            }
        }
    }

    fn some_steps(&mut self, device: &mut Device<WORD>, chance: &mut Chance) {
        for _ in 0..chance.between(1, 60) {
            if !self.flash.has_power() {
                return;
            }
            match chance.between(0, 19) {
                0 => self.release(chance),
                1 => device.disconnected(),
                2 => device.connected(),
                3 => {
                    let module = MODULES[usize::try_from(chance.between(0, 1)).unwrap()];
                    self.offer(device, module);
                }
                _ => {
                    if !self.step(device, chance) {
                        self.now = device.deadline().map_or(self.now, |deadline| self.now.max(deadline));
                    }
                }
            }
        }
    }

    /// Without cuts and losses: what was released last runs in the end.
    fn settle(&mut self, chance: &mut Chance) {
        self.loss = 0;
        self.board.borrow_mut().broken = None;
        for _ in 0..20 {
            self.flash.power_on(None);
            let mut device = self.boot(chance).expect("there is power");
            device.connected();
            for _ in 0..10_000 {
                if !self.step(&mut device, chance) {
                    match device.deadline() {
                        Some(deadline) if self.flash.has_power() => self.now = self.now.max(deadline),
                        _ => break,
                    }
                }
            }
            let board = self.board.borrow();
            let running = |(module, offer): (&String, &Offer)| board.running[module] == offer.image.version;
            if self.targets.iter().all(running) {
                drop(board);
                // And it stays so: nothing is fetched, nothing handed over.
                let (fetched, handed_over) = (self.fetched, self.board.borrow().handed_over);
                for _ in 0..3 {
                    self.flash.power_on(None);
                    let mut device = self.boot(chance).unwrap();
                    device.connected();
                    while self.step(&mut device, chance) {}
                    assert_eq!(device.image(), None);
                }
                assert_eq!((self.fetched, self.board.borrow().handed_over), (fetched, handed_over));
                return;
            }
        }
        panic!("lost: {:?} of {:?}", self.board.borrow().running, self.targets);
    }
}

pub(crate) fn run<const WORD: usize>(mut chance: Chance) {
    let mut world = World::<WORD>::new(&mut chance);
    world.release(&mut chance);
    for _ in 0..chance.between(1, 20) {
        match chance.between(0, 9) {
            0..=1 => world.flash.power_on(None),
            2 => world.flash.end_once(End::Failure, chance.between(0, 800)),
            4 => world.flash.end_once(End::Drop, chance.between(0, 800)),
            3 => world.flash.power_on(Some(chance.between(0, 20))),
            _ => world.flash.power_on(Some(chance.between(0, 3000))),
        }
        if let Some(mut device) = world.boot(&mut chance) {
            device.connected();
            world.some_steps(&mut device, &mut chance);
        }
        world.now = world.now + Duration::from_secs(1);
    }
    world.settle(&mut chance);
}

/// The same update again and again, and the power goes one step later each time.
pub(crate) fn cut_everywhere<const WORD: usize>(chance: Chance) {
    let attempt = |cut: Option<u64>| {
        let mut chance = chance.clone();
        let mut world = World::<WORD>::new(&mut chance);
        (world.loss, world.block) = (0, 512);
        world.release(&mut chance);
        world.flash.power_on(cut);
        if let Some(mut device) = world.boot(&mut chance) {
            device.connected();
            while world.step(&mut device, &mut chance) {}
        }
        let (steps, cuts) = (world.flash.steps(), world.flash.cuts());
        world.settle(&mut chance);
        let size = u64::from(world.targets.values().next().unwrap().image.size);
        assert!(world.fetched <= size + 511 + 700, "{} of {size} bytes were fetched", world.fetched);
        (steps, cuts)
    };
    let (steps, _) = attempt(None);
    for step in 0..steps {
        assert_eq!(attempt(Some(step)).1, 1);
    }
}
