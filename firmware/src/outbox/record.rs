//! What the outbox writes: a version and kind, an id, and for an entry the length of its name, the name and the payload.

use alloc::vec::Vec;

use super::EntryId;

const ENTRY: u8 = 0x11;
const MARK: u8 = 0x12;

pub(super) enum Record<'a> {
    Entry {
        id: EntryId,
        name: &'a str,
        payload: &'a [u8],
    },
    /// Everything before it was answered, and this is the next id.
    Mark {
        next: EntryId,
    },
}

impl<'a> Record<'a> {
    /// `None` if it is too long for its own format.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let mut item = Vec::new();
        match self {
            Self::Entry { id, name, payload } => {
                item.reserve_exact(7 + name.len() + payload.len());
                item.push(ENTRY);
                item.extend_from_slice(&id.number().to_le_bytes());
                item.extend_from_slice(&u16::try_from(name.len()).ok()?.to_le_bytes());
                item.extend_from_slice(name.as_bytes());
                item.extend_from_slice(payload);
            }
            Self::Mark { next } => {
                item.push(MARK);
                item.extend_from_slice(&next.number().to_le_bytes());
            }
        }
        Some(item)
    }

    /// `None` if no outbox wrote it.
    pub(super) fn read(item: &'a [u8]) -> Option<Self> {
        let (&kind, rest) = item.split_first()?;
        let (id, rest) = rest.split_first_chunk::<4>()?;
        let id = EntryId::read(u32::from_le_bytes(*id))?;
        match kind {
            MARK if rest.is_empty() => Some(Self::Mark { next: id }),
            ENTRY => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                let (name, payload) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
                Some(Self::Entry { id, name: core::str::from_utf8(name).ok()?, payload })
            }
            _ => None,
        }
    }

    /// What counts against the bound: name and payload.
    pub(super) fn weight(&self) -> u32 {
        match self {
            Self::Entry { name, payload, .. } => weight(name, payload),
            Self::Mark { .. } => 0,
        }
    }
}

pub(super) fn weight(name: &str, payload: &[u8]) -> u32 {
    u32::try_from(name.len().saturating_add(payload.len())).unwrap_or(u32::MAX)
}
