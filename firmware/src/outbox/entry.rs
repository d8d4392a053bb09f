//! Entries, and what becomes of them.

use core::fmt;

use alloc::boxed::Box;

/// The message id of an entry: the same in every resend, also after a restart, and no other entry's.
///
/// Numbers from 2 147 483 648 to 4 294 967 295, in order and round again: the upper half of what Alink takes for an id, so that a
/// session that counts from 1 does not meet them. Written as the decimal number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryId(u32);

const LOWEST: u32 = 1 << 31;

impl EntryId {
    pub(super) fn new(offset: u32) -> Self {
        Self(LOWEST | offset)
    }

    pub(super) fn read(number: u32) -> Option<Self> {
        (number >= LOWEST).then_some(Self(number))
    }

    pub(super) fn next(self) -> Self {
        Self(LOWEST | self.0.wrapping_add(1))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The id that an answer carries, if it is one of an outbox.
    pub fn parse(id: &str) -> Option<Self> {
        id.parse().ok().and_then(Self::read)
    }
}

impl Default for EntryId {
    fn default() -> Self {
        Self::new(0)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its message id.
    pub id: EntryId,
    /// The name that it was pushed with.
    pub name: Box<str>,
    /// What it says.
    pub payload: Box<[u8]>,
}

impl Entry {
    pub(super) fn weight(&self) -> u32 {
        super::record::weight(&self.name, &self.payload)
    }
}

/// An entry to send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// The message id to send it with, in every attempt the same.
    pub id: EntryId,
    /// Which time since the connection is there, from 1.
    pub attempt: u32,
    /// The name that it was pushed with.
    pub name: &'a str,
    /// What it says.
    pub payload: &'a [u8],
}

/// What an answer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The platform has it; it is removed.
    Done,
    /// The platform could not take it now; it stays, and is sent again at its time.
    Later,
    /// The platform will not take it: it is the caller's to deal with, and removed by the next poll. Handed back once more if
    /// the power goes before that.
    Refused(Entry),
    /// No entry under way has this id: answered before, or never sent.
    Unknown,
}
