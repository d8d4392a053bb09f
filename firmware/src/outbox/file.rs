//! A postbox in a file.

use std::io;
use std::path::Path;

use super::{Config, Outbox, OutboxError, Postbox};
use crate::storage::{FileFlash, FileFlashError, FlashFifo, StorageError};

/// A [`Postbox`] whose entries wait in a file, on Linux.
pub type FilePostbox = Postbox<FlashFifo<FileFlash>>;

impl FilePostbox {
    /// Opens the file, or makes it, with this number of pages of 4096 bytes: two or more. Sixteen hold some 100 orders of 500
    /// bytes. One process has it at a time.
    ///
    /// # Errors
    /// [`OutboxError`]: what [`FileFlash::open`] says stands in it as [`FileFlashError::Io`].
    pub async fn open(path: impl AsRef<Path>, pages: u32, config: Config) -> Result<Self, OutboxError<FileFlashError>> {
        let failed = |error: io::Error| OutboxError::Storage(StorageError::Device(FileFlashError::Io(error)));
        let flash = FileFlash::open(path, pages).map_err(failed)?;
        let range = 0..pages.saturating_mul(FileFlash::PAGE);
        let storage = FlashFifo::new(flash, range).ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        Ok(Self::new(Outbox::open(storage, config).await?))
    }
}
