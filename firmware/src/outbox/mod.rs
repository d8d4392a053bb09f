//! What the platform must get: stored first, then sent, and resent until it is answered.
//!
//! An order or an event that is [pushed](Outbox::push) is in the storage when `push` returns. From then on it is sent, and sent
//! again by the [rule](Config), across lost connections, restarts and power cuts, until the platform [answers](Outbox::answered)
//! it; then it is removed. A resend carries the same [id](EntryId), so that the platform sees what it has already: delivery is at
//! least once, and processing once.
//!
//! **Order** is strict: one entry is under way at a time, and the next one is sent when it was answered. So an order never
//! overtakes the one before it, and a lost answer shuffles nothing. The price is one round trip for each entry, and that an entry
//! that is never answered holds up those behind it, which [`withdraw`](Outbox::withdraw) ends. What need not wait for one another
//! (the connectors of a charger, events beside orders) gets an outbox each, in a range of flash of its own.
//!
//! **Bounds**: [`Config::max_entries`], [`Config::max_bytes`] and the storage's own. What does not fit is refused with
//! [`PushError`]; nothing that was accepted is dropped for it.
//!
//! **Answers** other than success: some codes are about the moment (throttled, an error in the platform), and the entry stays and
//! is sent again at its time; the others are final, and the entry leaves the outbox into the caller's hands with
//! [`Settled::Refused`]. [`Config::retry`] decides which is which. A refused entry is removed by the next
//! [`poll`](Outbox::poll) and not before, so that a cut cannot lose it between the two: it is then refused again.
//!
//! There is no I/O in it but the [`Fifo`]: [`poll`](Outbox::poll) gives what to send, [`deadline`](Outbox::deadline) when to ask
//! again. RAM: the entry that is under way.
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use onwire::Instant;
//! use onwire_firmware::outbox::{Config, Outbox, Settled};
//! use onwire_firmware::storage::{FileFlash, FlashFifo};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("outbox");
//! let flash = FileFlash::open(path, 16)?; // 64 KiB
//! let storage = FlashFifo::new(flash, 0..64 * 1024).ok_or("two pages or more")?;
//! let mut outbox = Outbox::open(storage, Config::default()).await?;
//!
//! let order = outbox.push("thing.event.orderUpdateEvt.post", br#"{"value":{"tradeNo":"1"}}"#).await?;
//!
//! outbox.connected();
//! let sending = outbox.poll(Instant::from_millis(0)).await?.expect("the order");
//! assert_eq!((sending.id, sending.name), (order, "thing.event.orderUpdateEvt.post"));
//! // Publish it with "id": sending.id.to_string(), and when {"id":"…","code":200} comes:
//! assert_eq!(outbox.answered(order, 200).await?, Settled::Done);
//! assert!(outbox.is_empty());
//! # Ok(())
//! # }
//! # futures_util::FutureExt::now_or_never(run()).expect("files do not wait").expect("stored");
//! # }
//! ```

mod config;
mod delivery;
mod entry;
#[cfg(feature = "std")]
mod file;
#[cfg(feature = "client")]
mod link;
mod record;

use alloc::vec::Vec;

use onwire::Instant;

pub use self::config::{Config, is_temporary};
pub use self::delivery::{Clock, NotPosted, Postbox};
pub use self::entry::{Entry, EntryId, Outgoing, Settled};
#[cfg(feature = "std")]
pub use self::file::FilePostbox;
use self::record::Record;
use crate::storage::{Fifo, StorageError};

/// Why an entry was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError<E> {
    /// As many entries or bytes wait as may, or the storage is full. Nothing was stored; push again when something was answered.
    #[error("the outbox is full")]
    Full,
    /// The entry is larger than the outbox or its storage takes. Nothing was stored.
    #[error("larger than the outbox takes")]
    TooLarge,
    /// The storage failed. The entry may be stored or not: if it is, it will be sent.
    #[error(transparent)]
    Storage(#[from] StorageError<E>),
}

/// Why an outbox could not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError<E> {
    /// The storage holds something that no outbox wrote, or a later version of it. It is left as it is.
    #[error("the storage holds something else")]
    Foreign,
    /// The storage failed. What it holds is read again before the next operation.
    #[error(transparent)]
    Storage(#[from] StorageError<E>),
}

/// Entries in storage on their way to the platform; see the [module](self).
#[derive(Debug)]
pub struct Outbox<S> {
    storage: S,
    config: Config,
    next: EntryId,
    entries: u32,
    bytes: u32,
    /// A record of the next id stands before the entries, from the time when there were none.
    marked: bool,
    /// An operation on the storage did not come to its end, and the counts are not to be trusted.
    stale: bool,
    first: Option<Entry>,
    /// The first entry was refused and handed back, and is to be removed.
    refused: Option<EntryId>,
    online: bool,
    sent: u32,
    due: Option<Instant>,
}

impl<S: Fifo> Outbox<S> {
    /// Reads what waits in the storage. Nothing is sent before [`connected`](Outbox::connected).
    ///
    /// # Errors
    /// [`OutboxError::Foreign`], and those of the storage.
    pub async fn open(storage: S, config: Config) -> Result<Self, OutboxError<S::Error>> {
        let next = EntryId::new(config.first_id);
        let mut outbox = Self {
            storage,
            config,
            next,
            entries: 0,
            bytes: 0,
            marked: false,
            stale: true,
            first: None,
            refused: None,
            online: false,
            sent: 0,
            due: None,
        };
        outbox.refresh().await?;
        Ok(outbox)
    }

    /// Stores an entry behind the others: its name (the method or the topic, as the caller needs it for sending), and what it
    /// says (the `params`). It is there after a power cut once this has returned `Ok`.
    ///
    /// # Errors
    /// [`PushError::Full`] and [`PushError::TooLarge`], both without any effect, and those of the storage.
    pub async fn push(&mut self, name: &str, payload: &[u8]) -> Result<EntryId, PushError<S::Error>> {
        self.refresh().await.map_err(|error| match error {
            OutboxError::Storage(error) => PushError::Storage(error),
            OutboxError::Foreign => PushError::Storage(StorageError::Damaged),
        })?;
        let id = self.next;
        let record = Record::Entry { id, name, payload };
        let size = record.weight();
        let item = record.write().filter(|item| item.len() <= self.storage.max_item() && size <= self.config.max_bytes);
        let item = item.ok_or(PushError::TooLarge)?;
        if self.entries >= self.config.max_entries || self.bytes.saturating_add(size) > self.config.max_bytes {
            return Err(PushError::Full);
        }
        match self.append(&item).await {
            Ok(()) => {}
            Err(StorageError::Full) => return Err(PushError::Full),
            Err(StorageError::TooLarge) => return Err(PushError::TooLarge),
            Err(error) => return Err(PushError::Storage(error)),
        }
        self.next = id.next();
        self.entries += 1;
        self.bytes += size;
        // The entry is stored; if this fails, the mark before it goes when the storage is read again.
        if self.marked && self.remove_first().await.is_ok() {
            self.marked = false;
        }
        Ok(id)
    }

    /// What to send now, if anything is due: the oldest entry, with the id that it has for good.
    ///
    /// # Errors
    /// [`OutboxError::Foreign`], and those of the storage. Ask again at the [`deadline`](Outbox::deadline).
    pub async fn poll(&mut self, now: Instant) -> Result<Option<Outgoing<'_>>, OutboxError<S::Error>> {
        if let Some(refused) = self.refused {
            if self.is_first(refused).await? {
                self.settle().await?;
            }
            self.refused = None;
        }
        if !self.online || self.due.is_some_and(|due| now < due) {
            return Ok(None);
        }
        // If the storage fails below, the next look at it is not at once.
        self.due = Some(now + self.config.quick_interval);
        self.refresh().await?;
        self.load().await?;
        let Some(entry) = &self.first else {
            self.due = None;
            return Ok(None);
        };
        self.sent = self.sent.saturating_add(1);
        let quick = self.sent <= self.config.quick_resends;
        let wait = if quick { self.config.quick_interval } else { self.config.slow_interval };
        self.due = Some(now + wait);
        Ok(Some(Outgoing { id: entry.id, attempt: self.sent, name: &entry.name, payload: &entry.payload }))
    }

    /// The platform answered, with this `code`; 200 is success. Answers to what does not wait any more, second ones among them,
    /// change nothing.
    ///
    /// # Errors
    /// [`OutboxError::Foreign`], and those of the storage; the entry is then sent again.
    pub async fn answered(&mut self, id: EntryId, code: u32) -> Result<Settled, OutboxError<S::Error>> {
        if !self.is_first(id).await? || self.refused == Some(id) {
            return Ok(Settled::Unknown);
        }
        match &self.first {
            Some(entry) if code != 200 => {
                if (self.config.retry)(code) {
                    return Ok(Settled::Later);
                }
                self.refused = Some(id);
                Ok(Settled::Refused(entry.clone()))
            }
            _ => {
                self.settle().await?;
                Ok(Settled::Done)
            }
        }
    }

    /// Takes out the entry that is under way, unanswered, so that those behind it are sent; `None` if `id` is not that one.
    ///
    /// # Errors
    /// [`OutboxError::Foreign`], and those of the storage.
    pub async fn withdraw(&mut self, id: EntryId) -> Result<Option<Entry>, OutboxError<S::Error>> {
        if !self.is_first(id).await? {
            return Ok(None);
        }
        Ok(self.settle().await?)
    }

    /// The connection is there: the oldest entry is sent at once, and the rule begins anew.
    pub fn connected(&mut self) {
        self.online = true;
        self.sent = 0;
        self.due = None;
    }

    /// The connection is gone; nothing is sent until [`connected`](Outbox::connected).
    pub fn disconnected(&mut self) {
        self.online = false;
    }

    /// When to [`poll`](Outbox::poll) again; it may lie in the past, which is now. `None` if there is nothing to wait for: ask
    /// again after [`push`](Outbox::push), [`answered`](Outbox::answered) and [`connected`](Outbox::connected).
    pub fn deadline(&self) -> Option<Instant> {
        if self.refused.is_some() {
            return Some(Instant::default());
        }
        let waits = self.online && (self.entries > 0 || self.stale);
        waits.then(|| self.due.unwrap_or_default())
    }

    /// How many entries wait for their answer.
    pub fn len(&self) -> u32 {
        self.entries
    }

    /// Whether everything was answered.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How many bytes wait: names and payloads.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Gives the storage back, with what waits in it.
    pub fn into_storage(self) -> S {
        self.storage
    }

    async fn is_first(&mut self, id: EntryId) -> Result<bool, OutboxError<S::Error>> {
        self.refresh().await?;
        self.load().await?;
        Ok(self.first.as_ref().is_some_and(|first| first.id == id))
    }

    async fn load(&mut self) -> Result<(), OutboxError<S::Error>> {
        if self.first.is_some() || self.entries == 0 {
            return Ok(());
        }
        let mut item = Vec::new();
        if !self.storage.first(&mut item).await? {
            self.stale = true;
            return Err(OutboxError::Storage(StorageError::Damaged));
        }
        match Record::read(&item) {
            Some(Record::Entry { id, name, payload }) => {
                self.first = Some(Entry { id, name: name.into(), payload: payload.into() });
                Ok(())
            }
            // The counts said an entry, so they are wrong.
            _ => {
                self.stale = true;
                Err(OutboxError::Foreign)
            }
        }
    }

    /// Removes the first entry. When it is the last, the next id is recorded before, so that ids go on after a restart: an id that
    /// came twice would be taken for a repetition by the platform, and what it says would be lost.
    async fn settle(&mut self) -> Result<Option<Entry>, StorageError<S::Error>> {
        let last = self.entries == 1;
        let mark = Record::Mark { next: self.next }.write().unwrap_or_default();
        let marked = match last {
            true => match self.append(&mark).await {
                Ok(()) => true,
                Err(StorageError::Full) => false,
                Err(error) => return Err(error),
            },
            false => false,
        };
        self.remove_first().await?;
        let entry = self.first.take();
        let weight = entry.as_ref().map_or(0, Entry::weight);
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(weight);
        self.sent = 0;
        self.due = None;
        if last {
            self.bytes = 0;
            self.marked = marked || self.append(&mark).await.is_ok();
        }
        Ok(entry)
    }

    /// Reads the storage, if an operation did not come to its end since.
    async fn refresh(&mut self) -> Result<(), OutboxError<S::Error>> {
        if !self.stale {
            return Ok(());
        }
        self.first = None;
        let mut found = Found { next: self.next, ..Found::default() };
        self.storage.scan(&mut |item| found.item(item)).await?;
        if found.foreign {
            return Err(OutboxError::Foreign);
        }
        let settled = if found.entries > 0 { found.through_mark } else { found.through_mark.saturating_sub(1) };
        for _ in 0..settled {
            self.storage.remove_first().await?;
        }
        self.next = found.next;
        self.entries = found.entries;
        self.bytes = found.bytes;
        self.marked = found.entries == 0 && found.through_mark > 0;
        self.stale = false;
        Ok(())
    }

    async fn append(&mut self, item: &[u8]) -> Result<(), StorageError<S::Error>> {
        // Until it has come to its end: the future may be dropped.
        self.stale = true;
        let done = self.storage.append(item).await;
        self.stale = !matches!(done, Ok(()) | Err(StorageError::Full | StorageError::TooLarge));
        done
    }

    async fn remove_first(&mut self) -> Result<(), StorageError<S::Error>> {
        self.stale = true;
        self.storage.remove_first().await?;
        self.stale = false;
        Ok(())
    }
}

/// What a pass over the storage found.
#[derive(Default)]
struct Found {
    next: EntryId,
    items: u32,
    /// How many items there are up to the last mark, and with it: those before a mark were answered.
    through_mark: u32,
    entries: u32,
    bytes: u32,
    foreign: bool,
}

impl Found {
    fn item(&mut self, item: &[u8]) {
        self.items += 1;
        match Record::read(item) {
            Some(Record::Mark { next }) => {
                self.through_mark = self.items;
                (self.entries, self.bytes) = (0, 0);
                self.next = next;
            }
            Some(record @ Record::Entry { id, .. }) => {
                self.entries += 1;
                self.bytes = self.bytes.saturating_add(record.weight());
                self.next = id.next();
            }
            None => self.foreign = true,
        }
    }
}
