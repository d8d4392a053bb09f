//! The one image that is on its way.

use alloc::vec::Vec;

use onwire::Instant;

use super::{Offer, Source};

/// Which fetch: bytes of an older one are not taken for those of a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FetchId(pub(super) u32);

/// Bytes to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// For [`Updates::received`](super::Updates::received).
    pub id: FetchId,
    /// From where.
    pub source: Source,
    /// The first byte.
    pub offset: u32,
    /// How many: all the rest over HTTP, a block over MQTT.
    pub length: u32,
    /// The whole file's length. One of another length is not what was offered.
    pub size: u32,
}

/// Why a fetch ended early.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FetchFailure {
    /// The connection was not to be had, or ended, or the server had an error: it is tried again, from where it stopped.
    #[error("interrupted: {0}")]
    Interrupted(alloc::string::String),
    /// The file is not there, or not for us, any more: the platform is asked for another URL, and it is tried again.
    #[error("gone: {0}")]
    Gone(alloc::string::String),
    /// It is another file than it was, or than was offered: it is begun anew, once.
    #[error("another file: {0}")]
    Changed(alloc::string::String),
    /// It will not work ever: a URL that is none, too many redirects. The update fails.
    #[error("{0}")]
    Impossible(alloc::string::String),
}

/// What became of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Taken; more is expected of this fetch.
    More,
    /// Taken, or of no use any more: end this fetch, and poll.
    Enough,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The updater's memory is to be read, before all else: an operation on it was begun, and nothing is known of its end.
    Load,
    Fetch,
    Verify,
    Finish,
    Restart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetching {
    No { before: Option<Instant> },
    Since { last: Instant },
}

pub(super) struct Job {
    pub(super) offer: Offer,
    pub(super) step: Step,
    /// Written, by the updater.
    pub(super) written: u32,
    /// Received behind that.
    pub(super) buffer: Vec<u8>,
    pub(super) fetching: Fetching,
    /// Failures since something was written: all, and those while connected.
    pub(super) pauses: u32,
    pub(super) failures: u32,
    /// The file was gone, and the platform has been asked for another URL.
    pub(super) gone: bool,
    /// It was fetched in more than one piece, so that a wrong digest may come of a file that changed in between.
    pub(super) pieces: bool,
    /// It was begun anew once already.
    pub(super) restarted: bool,
    /// What the updater has of it is of no use.
    pub(super) anew: bool,
    pub(super) reported: u8,
    pub(super) reported_at: Option<Instant>,
    pub(super) restart_said: bool,
}

impl Job {
    pub(super) fn new(offer: Offer) -> Self {
        Self {
            offer,
            step: Step::Load,
            written: 0,
            buffer: Vec::new(),
            fetching: Fetching::No { before: None },
            pauses: 0,
            failures: 0,
            gone: false,
            pieces: false,
            restarted: false,
            anew: false,
            reported: 0,
            reported_at: None,
            restart_said: false,
        }
    }

    pub(super) fn size(&self) -> u32 {
        self.offer.image.size
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u32 {
        self.written.saturating_add(u32::try_from(self.buffer.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self.offer.source, Source::Stream { .. })
    }

    /// 1 to 99 while there is something to do, 100 when it is handed over.
    pub(super) fn percent(&self) -> u8 {
        let whole = u64::from(self.size()).max(1);
        let percent = u8::try_from(u64::from(self.written) * 100 / whole).unwrap_or(100);
        match self.step {
            Step::Restart => 100,
            _ => percent.clamp(1, 99),
        }
    }
}
