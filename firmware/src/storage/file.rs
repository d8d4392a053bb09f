//! Flash that is a file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use alloc::vec;
use alloc::vec::Vec;

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// A page, in bytes: what file systems and SD cards write at once.
const PAGE: u32 = 4096;

/// NOR flash in a file of a fixed size, for Linux.
///
/// Every write and every erase is on the disk (`fdatasync`) before it returns: a write costs what the disk takes for that, 1 to
/// 10 ms on eMMC. The calls block. Pages have 4096 bytes, words one.
///
/// The file is locked while it is open; a second open of the same file fails with [`io::ErrorKind::WouldBlock`]. After a failed
/// sync nobody knows what the disk holds, and every further operation fails until the file is opened anew.
#[derive(Debug)]
pub struct FileFlash {
    file: File,
    bytes: u32,
    failed: bool,
}

/// The file failed, or it was asked for something outside of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFlashError {
    /// Reading, writing or syncing failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// An address outside of the file, or an erase that is not of whole pages.
    #[error("an address outside of the file or within a page")]
    Address,
    /// A sync failed before.
    #[error("a sync failed before; open the file anew")]
    Unknown,
}

impl NorFlashError for FileFlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Address => NorFlashErrorKind::OutOfBounds,
            Self::Io(_) | Self::Unknown => NorFlashErrorKind::Other,
        }
    }
}

impl FileFlash {
    /// Bytes in a page.
    pub const PAGE: u32 = PAGE;

    /// Opens the file, or makes it, erased, with this number of pages of 4096 bytes. It appears whole or not at all.
    ///
    /// # Errors
    /// Those of the file system; [`io::ErrorKind::WouldBlock`] if it is open elsewhere; [`io::ErrorKind::InvalidData`] if it is
    /// there with another size.
    pub fn open(path: impl AsRef<Path>, pages: u32) -> io::Result<Self> {
        let path = path.as_ref();
        let bytes = pages.checked_mul(PAGE).ok_or(io::ErrorKind::InvalidInput)?;
        let made = if path.try_exists()? { None } else { create(path, bytes)? };
        let file = match made {
            Some(file) => file,
            None => {
                let file = OpenOptions::new().read(true).write(true).open(path)?;
                file.try_lock()?;
                file
            }
        };
        if file.metadata()?.len() != u64::from(bytes) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file has another size"));
        }
        Ok(Self { file, bytes, failed: false })
    }

    fn within(&self, offset: u32, length: usize) -> Result<u64, FileFlashError> {
        if self.failed {
            return Err(FileFlashError::Unknown);
        }
        let end = u64::from(offset).saturating_add(length as u64);
        if end > u64::from(self.bytes) { Err(FileFlashError::Address) } else { Ok(u64::from(offset)) }
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileFlashError> {
        let done = self.file.write_all_at(bytes, offset).and_then(|()| self.file.sync_data());
        self.failed = done.is_err();
        Ok(done?)
    }
}

impl Drop for FileFlash {
    fn drop(&mut self) {
        // Closing alone does not end the lock while a child that is being started has the file too.
        let _ = self.file.unlock();
    }
}

/// Writes beside, syncs, and renames, so that a cut leaves no half file under the name. `None` if another process was faster.
fn create(path: &Path, bytes: u32) -> io::Result<Option<File>> {
    let mut beside = std::ffi::OsString::from(path);
    beside.push(".new");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&beside)?;
    file.try_lock()?;
    if path.try_exists()? {
        // It may have had this very name for a moment.
        let _ = std::fs::remove_file(&beside);
        return Ok(None);
    }
    file.set_len(u64::from(bytes))?;
    let page = vec![0xff; PAGE as usize];
    for offset in (0..bytes).step_by(PAGE as usize) {
        file.write_all_at(&page, u64::from(offset))?;
    }
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(Some(file))
}

impl ErrorType for FileFlash {
    type Error = FileFlashError;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileFlashError> {
        let offset = self.within(offset, bytes.len())?;
        Ok(self.file.read_exact_at(bytes, offset)?)
    }

    fn capacity(&self) -> usize {
        self.bytes as usize
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = PAGE as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FileFlashError> {
        let length = to.checked_sub(from).ok_or(FileFlashError::Address)?;
        if !from.is_multiple_of(PAGE) || !to.is_multiple_of(PAGE) {
            return Err(FileFlashError::Address);
        }
        let offset = self.within(from, length as usize)?;
        self.put(offset, &vec![0xff; length as usize])
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileFlashError> {
        let at = self.within(offset, bytes.len())?;
        let mut merged: Vec<u8> = vec![0; bytes.len()];
        self.file.read_exact_at(&mut merged, at)?;
        for (old, new) in merged.iter_mut().zip(bytes) {
            *old &= new;
        }
        self.put(at, &merged)
    }
}

impl MultiwriteNorFlash for FileFlash {}
