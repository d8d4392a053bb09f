//! NOR flash whose power goes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::chance::Chance;

pub const PAGE: usize = 512;

/// A handle to a chip that outlives the device's restarts. `WORD`: bytes that are written at once.
#[derive(Debug, Clone)]
pub struct Flash<const WORD: usize>(Rc<RefCell<Chip>>);

/// What happens in the middle of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The power goes, and everything after it fails.
    Power,
    /// It fails, and those after it do not.
    Failure,
    /// It does not come to its end, and its future is dropped.
    Drop,
    /// The power goes, and nothing comes to its end after it: whoever runs the device is [told](Flash::dark).
    Dark,
}

#[derive(Debug)]
struct Chip {
    bytes: Vec<u8>,
    chance: Chance,
    /// How many steps (a word written, a page erased) until the power goes, or one operation fails.
    until_cut: Option<u64>,
    end: End,
    /// What lengths and places of writes must be multiples of.
    unit: usize,
    /// By word, where no word may be written twice: whether it was, since it was erased.
    written: Option<Vec<bool>>,
    dead: bool,
    steps: u64,
    cuts: u64,
    operations: u64,
    /// How many operations come to their end before the power goes between two of them.
    until_dark: Option<u64>,
    waits: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPower;

impl std::fmt::Display for NoPower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no power")
    }
}

impl NorFlashError for NoPower {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl<const WORD: usize> Flash<WORD> {
    pub fn new(pages: usize, chance: Chance) -> Self {
        let chip = Chip {
            bytes: vec![0xff; pages * PAGE],
            chance,
            until_cut: None,
            end: End::Power,
            unit: WORD,
            written: None,
            dead: false,
            steps: 0,
            cuts: 0,
            operations: 0,
            until_dark: None,
            waits: None,
        };
        Self(Rc::new(RefCell::new(chip)))
    }

    /// Writes are of words of eight bytes from now on, or the test fails: shorter ones do not keep what is stored from a torn
    /// header before it.
    pub fn in_long_words(self) -> Self {
        self.0.borrow_mut().unit = 8;
        self
    }

    /// No word takes a second write from now on.
    pub fn write_once(self) -> Self {
        let words = self.capacity() / WORD;
        self.0.borrow_mut().written = Some(vec![false; words]);
        self
    }

    /// Power again, until it goes after so many steps.
    pub fn power_on(&self, until_cut: Option<u64>) {
        let mut chip = self.0.borrow_mut();
        (chip.until_cut, chip.end, chip.dead) = (until_cut, End::Power, false);
    }

    /// One operation ends so in its middle after so many steps.
    pub fn end_once(&self, end: End, after: u64) {
        let mut chip = self.0.borrow_mut();
        (chip.until_cut, chip.end, chip.dead) = (Some(after), end, false);
    }

    /// The power goes with the end of the operation that follows so many others, and [nothing](End::Dark) comes to its end after it.
    pub fn dark_between(&self, after: u64) {
        let mut chip = self.0.borrow_mut();
        (chip.until_dark, chip.end, chip.dead) = (Some(after), End::Dark, false);
    }

    /// Waits until the power has gone.
    pub async fn dark(&self) {
        poll_fn(|context| {
            let mut chip = self.0.borrow_mut();
            if chip.dead {
                return Poll::Ready(());
            }
            chip.waits = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The end of an operation that is not the flash's own, such as the boot loader's.
    pub async fn operation(&self) {
        self.0.borrow_mut().ended();
        self.unless_dark().await;
    }

    async fn unless_dark(&self) {
        let is_dark = {
            let chip = self.0.borrow();
            chip.dead && chip.end == End::Dark
        };
        if is_dark {
            std::future::pending::<()>().await;
        }
    }

    /// The power goes between two operations.
    pub fn power_off(&self) {
        let mut chip = self.0.borrow_mut();
        chip.cuts += 1;
        chip.die();
    }

    pub fn has_power(&self) -> bool {
        !self.0.borrow().dead
    }

    pub fn operations(&self) -> u64 {
        self.0.borrow().operations
    }

    pub fn steps(&self) -> u64 {
        self.0.borrow().steps
    }

    pub fn cuts(&self) -> u64 {
        self.0.borrow().cuts
    }
}

impl Chip {
    fn die(&mut self) {
        self.dead = true;
        self.waits.take().into_iter().for_each(Waker::wake);
    }

    /// An operation has come to its end.
    fn ended(&mut self) {
        if self.dead {
            return;
        }
        self.operations += 1;
        match &mut self.until_dark {
            Some(0) => {
                self.until_dark = None;
                self.cuts += 1;
                self.die();
            }
            Some(left) => *left -= 1,
            None => {}
        }
    }

    /// Whether the power goes in this step.
    fn step(&mut self) -> bool {
        self.steps += 1;
        match &mut self.until_cut {
            Some(0) => {
                self.until_cut = None;
                self.cuts += 1;
                if matches!(self.end, End::Power | End::Dark) {
                    self.die();
                }
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}

impl<const WORD: usize> ErrorType for Flash<WORD> {
    type Error = NoPower;
}

impl<const WORD: usize> ReadNorFlash for Flash<WORD> {
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NoPower> {
        self.unless_dark().await;
        let chip = self.0.borrow();
        if chip.dead {
            return Err(NoPower);
        }
        let start = offset as usize;
        assert!(start.is_multiple_of(WORD) && bytes.len().is_multiple_of(WORD), "reads are of whole words");
        bytes.copy_from_slice(&chip.bytes[start..start + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl<const WORD: usize> NorFlash for Flash<WORD> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        let done = self.erase_now(from, to);
        self.or_hang(done).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        let done = self.write_now(offset, bytes);
        self.or_hang(done).await
    }
}

impl<const WORD: usize> Flash<WORD> {
    async fn or_hang(&self, done: Result<(), NoPower>) -> Result<(), NoPower> {
        self.0.borrow_mut().ended();
        self.unless_dark().await;
        let hangs = done.is_err() && self.0.borrow().end == End::Drop;
        if hangs { std::future::pending().await } else { done }
    }

    fn erase_now(&self, from: u32, to: u32) -> Result<(), NoPower> {
        let mut chip = self.0.borrow_mut();
        let (from, to) = (from as usize, to as usize);
        assert!(from.is_multiple_of(PAGE) && to.is_multiple_of(PAGE), "pages are erased whole");
        for page in (from..to).step_by(PAGE) {
            if chip.dead {
                return Err(NoPower);
            }
            if chip.step() {
                // Words at its beginning are erased, one of them half, and the rest is as it was.
                let reached = usize::try_from(chip.chance.between(0, (PAGE / WORD) as u64)).unwrap() * WORD;
                chip.bytes[page..page + reached].fill(0xff);
                let torn = chip.chance.bytes(WORD as u64);
                if reached < PAGE {
                    let word = &mut chip.bytes[page + reached..page + reached + WORD];
                    word.iter_mut().zip(torn).for_each(|(old, risen)| *old |= risen);
                }
                if let Some(written) = &mut chip.written {
                    written[page / WORD..(page + reached) / WORD].fill(false);
                }
                return Err(NoPower);
            }
            chip.bytes[page..page + PAGE].fill(0xff);
            if let Some(written) = &mut chip.written {
                written[page / WORD..(page + PAGE) / WORD].fill(false);
            }
        }
        Ok(())
    }

    fn write_now(&self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        let mut chip = self.0.borrow_mut();
        let start = offset as usize;
        let unit = chip.unit;
        assert!(start.is_multiple_of(unit) && bytes.len().is_multiple_of(unit), "writes are of whole words");
        for (word, bytes) in (start..).step_by(WORD).zip(bytes.chunks(WORD)) {
            if chip.dead {
                return Err(NoPower);
            }
            let torn = chip.step();
            if let Some(written) = &chip.written {
                assert!(!written[word / WORD], "a word is written twice");
            }
            let kept = if torn { chip.chance.bytes(WORD as u64) } else { vec![0; WORD] };
            for ((old, new), kept) in chip.bytes[word..word + WORD].iter_mut().zip(bytes).zip(kept) {
                assert_eq!(*old & new, *new, "a written bit cannot be set again");
                // Bits fall, all of them or those that had the time.
                *old &= new | kept;
            }
            // One of which not a bit fell cannot be told from one that was not written.
            let fell = !torn || chip.bytes[word..word + WORD].iter().any(|byte| *byte != 0xff);
            if let Some(written) = &mut chip.written {
                written[word / WORD] = fell;
            }
            if torn {
                return Err(NoPower);
            }
        }
        Ok(())
    }
}

impl<const WORD: usize> MultiwriteNorFlash for Flash<WORD> {}
