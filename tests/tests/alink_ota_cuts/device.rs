//! The device: its flash, its boot loader, and one life after the other.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use embedded_storage_async::nor_flash::ReadNorFlash;
use onwire::mqtt::Connect;
use onwire::net::BackOff;
use onwire::net::alink::Device;
use onwire_firmware::ota::driver::Driver;
use onwire_firmware::ota::http::{Client, ClientConfig};
use onwire_firmware::ota::{Config, FlashUpdater, HandOver, Image, Module, Updates};
use onwire_simulation::{Chance, End, Flash, PAGE};
use onwire_tests::tracker::*;
use tokio::sync::mpsc;

use crate::site::{DEVICE, Site, Told, VERSION};

const JOURNAL: u32 = 2 * PAGE as u32;
const SLOT: u32 = 3 * PAGE as u32;
const WORD: usize = 8;

/// Where the power goes, once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// In a word, or in the erasing of a page, after so many.
    Torn(u64),
    /// At the end of an operation, after so many.
    Between(u64),
}

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Power,
    Restart,
    /// Every module runs what it is to run, and has told so.
    Runs,
    Failed(i8),
}

/// What is not the flash: which versions run, and the boot loader's flags.
#[derive(Default)]
struct Board {
    running: HashMap<String, String>,
    armed: HashMap<String, String>,
    handed_over: u64,
}

struct BootLoader {
    board: Rc<RefCell<Board>>,
    site: Site,
}

impl HandOver<Flash<WORD>> for BootLoader {
    type Error = Infallible;

    async fn hand_over(&mut self, image: &Image, flash: &mut Flash<WORD>, at: Range<u32>) -> Result<(), Infallible> {
        let mut bytes = vec![0; ((at.end - at.start) as usize).next_multiple_of(WORD)];
        flash.read(at.start, &mut bytes).await.unwrap();
        bytes.truncate(image.size as usize);
        assert_eq!(bytes, self.site.image(&image.module), "not the image that was offered");
        flash.operation().await;
        {
            let mut board = self.board.borrow_mut();
            board.armed.insert(image.module.clone(), image.version.clone());
            board.handed_over += 1;
        }
        flash.operation().await;
        Ok(())
    }
}

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, _: Properties) {}
}

pub(crate) struct World {
    site: Site,
    flash: Flash<WORD>,
    board: Rc<RefCell<Board>>,
    block: u32,
    /// The source is the same file all the time, and what is said of it is so.
    is_steady: bool,
    /// What was surely written when the power went: from there the next life goes on.
    written: Option<(Image, u32)>,
    /// How often each module is to tell what it runs.
    reports: usize,
}

impl World {
    pub(crate) fn new(site: Site, block: u32, is_steady: bool, cut: Option<Cut>) -> Self {
        let flash = Flash::new(((JOURNAL + SLOT) as usize) / PAGE, Chance::new(9)).write_once();
        match cut {
            Some(Cut::Torn(step)) => flash.end_once(End::Dark, step),
            Some(Cut::Between(operation)) => flash.dark_between(operation),
            None => {}
        }
        let running = site.modules().into_iter().map(|module| (module.to_owned(), "1".to_owned())).collect();
        let board = Rc::new(RefCell::new(Board { running, ..Board::default() }));
        Self { site, flash, board, block, is_steady, written: None, reports: 1 }
    }

    /// Runs the device until something ends that.
    pub(crate) async fn life(&mut self) -> Ended {
        let modules = {
            let mut board = self.board.borrow_mut();
            let armed = std::mem::take(&mut board.armed);
            board.running.extend(armed);
            board.running.iter().map(|(name, version)| Module::new(name.as_str(), version.as_str())).collect()
        };
        let loader = BootLoader { board: Rc::clone(&self.board), site: self.site.clone() };
        let updater = FlashUpdater::new(self.flash.clone(), 0..JOURNAL, JOURNAL..JOURNAL + SLOT, loader).unwrap();
        let retry_first = Duration::from_millis(1);
        let config = Config { block: self.block, retry_first, ..Config::default() };
        let opened = tokio::select! {
            biased;
            () = self.flash.dark() => return Ended::Power,
            opened = Updates::open(updater, modules, config) => opened,
        };
        let mut updates = opened.unwrap();

        let (told, mut reports) = mpsc::unbounded_channel();
        let (url, _platform) = self.site.platform(told).await;
        let builder = Device::builder(&url, DEVICE, || Connect::new("device"))
            .back_off(BackOff::new(Duration::from_millis(1), Duration::from_millis(10)));
        let (builder, driver) = Driver::new(builder, Client::new(ClientConfig::default()).unwrap());
        let device = builder.build(Tracker).unwrap();
        let link = device.link();
        let (restarted, mut restarts) = mpsc::unbounded_channel();
        let restart = |module: String, version: String| {
            assert_eq!(self.board.borrow().armed.get(&module), Some(&version), "nothing to restart into");
            restarted.send(()).unwrap();
        };
        let _ = self.site.fetched();
        let ended = tokio::select! {
            biased;
            () = self.flash.dark() => Ended::Power,
            Some(()) = restarts.recv() => Ended::Restart,
            ended = self.told(&mut reports) => ended,
            () = driver.run(&mut updates, &link, restart) => panic!("the driver has ended"),
            () = device.run() => panic!("the device has ended"),
        };
        let fetched = self.site.fetched();
        assert!(self.reports == 1 || fetched.is_empty(), "what runs is fetched again");
        if let Some((image, written)) = self.written.take().filter(|_| self.is_steady) {
            let again = fetched.iter().find(|(module, _)| *module == image.module);
            let from = again.map_or(image.size, |(_, from)| *from);
            assert!(from >= written - written % PAGE as u32, "from {from} again, and {written} was written");
        }
        if ended == Ended::Power {
            self.written = updates.image().map(|(image, written)| (image.clone(), written));
        }
        ended
    }

    /// Follows what the device tells, until it tells the end.
    async fn told(&self, reports: &mut mpsc::UnboundedReceiver<Told>) -> Ended {
        let mut done = Vec::new();
        loop {
            match reports.recv().await.expect("the platform runs") {
                Told::Informed { module, version } => {
                    assert_eq!(self.board.borrow().running[&module], version, "a version that does not run");
                    if version == VERSION {
                        done.push(module);
                    }
                    let has_told = |module: &&str| done.iter().filter(|told| told == module).count() >= self.reports;
                    if self.site.modules().iter().all(has_told) {
                        return Ended::Runs;
                    }
                }
                Told::Progress { step, .. } if step < 0 => return Ended::Failed(step),
                Told::Progress { step, .. } => assert!((1..=100).contains(&step)),
            }
        }
    }

    /// The power comes back, and it may be that the source is another one.
    pub(crate) fn after_a_cut(&mut self) {
        self.flash.power_on(None);
        self.site.turn();
    }

    /// The source is another one from now on.
    pub(crate) fn turn(&mut self) {
        self.site.turn();
    }

    /// What runs is offered once more: nothing is fetched for it, and nothing handed over.
    pub(crate) async fn nothing_is_done_again(&mut self) {
        let handed_over = self.board.borrow().handed_over;
        let modules = self.site.modules().len() as u64;
        assert!((modules..=modules + self.flash.cuts()).contains(&handed_over), "{handed_over} times");
        self.site.insist();
        self.reports = 2;
        assert_eq!(self.life().await, Ended::Runs);
        assert_eq!(self.board.borrow().handed_over, handed_over);
    }

    pub(crate) fn nothing_was_handed_over(&self) {
        assert_eq!(self.board.borrow().handed_over, 0);
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.flash.cuts()
    }

    /// How many steps and how many operations there were.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.flash.steps(), self.flash.operations())
    }
}
