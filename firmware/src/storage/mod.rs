//! Where a device keeps what must outlive a power cut.
//!
//! [`Fifo`] is what the [outbox](crate::outbox) asks for. [`FlashFifo`] is that on any flash with the traits of
//! `embedded-storage-async`, and [`FileFlash`] is such a flash on a Linux disk: one format and one way through a power cut for
//! both.

#[cfg(feature = "std")]
mod file;
mod flash;
mod words;

use alloc::vec::Vec;

#[cfg(feature = "std")]
pub use self::file::{FileFlash, FileFlashError};
pub use self::flash::FlashFifo;
pub(crate) use self::flash::from_sequential;
pub(crate) use self::words::Words;

/// Why something was not stored, or not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError<E> {
    /// There is no room until something is removed. Nothing was stored.
    #[error("the storage is full")]
    Full,
    /// It will never fit. Nothing was stored.
    #[error("larger than the storage can take")]
    TooLarge,
    /// The memory holds something that no power cut explains.
    #[error("the storage is damaged")]
    Damaged,
    /// The memory itself failed; what was to be written may be there or not.
    #[error("the memory failed: {0}")]
    Device(E),
}

/// Items in a row, that outlive a power cut.
///
/// What holds after a power cut at any moment, or after a future that was dropped: an item whose [`append`](Fifo::append)
/// returned `Ok` is there; one whose `append` did not return is there whole or not at all; an item whose
/// [`remove_first`](Fifo::remove_first) returned `Ok` is not there.
#[allow(async_fn_in_trait, reason = "a device's futures are polled where they are made, and need not be Send")]
pub trait Fifo {
    /// How the memory fails.
    type Error: core::fmt::Debug + core::fmt::Display;

    /// The longest item, in bytes.
    fn max_item(&self) -> usize;

    /// Puts an item behind the others; durable when it returns.
    ///
    /// # Errors
    /// [`StorageError::Full`] and [`StorageError::TooLarge`] leave everything as it was.
    async fn append(&mut self, item: &[u8]) -> Result<(), StorageError<Self::Error>>;

    /// Reads the oldest item into `item`, in place of what is there; `false` if there is none.
    ///
    /// # Errors
    /// Those of the memory.
    async fn first(&mut self, item: &mut Vec<u8>) -> Result<bool, StorageError<Self::Error>>;

    /// Removes the oldest item, if there is one; durable when it returns.
    ///
    /// # Errors
    /// Those of the memory.
    async fn remove_first(&mut self) -> Result<(), StorageError<Self::Error>>;

    /// Shows every item, the oldest first.
    ///
    /// # Errors
    /// Those of the memory.
    async fn scan(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), StorageError<Self::Error>>;
}
