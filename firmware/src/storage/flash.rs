//! A queue in NOR flash.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use embedded_storage_async::nor_flash::{MultiwriteNorFlash, NorFlash, ReadNorFlash};
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};

use super::{Fifo, StorageError, Words};

type NoCache = Cache<Uncached, Uncached, Uncached>;

/// A [`Fifo`] in a range of NOR flash: `sequential-storage`, which uses the pages in turn, so that they wear evenly.
///
/// The flash must take a second write to a word that was written ([`MultiwriteNorFlash`]): external SPI flash, nRF52, ESP32
/// and RP2040 do; STM32 parts whose flash has error correction do not, and need a [`Fifo`] of their own or external flash.
///
/// The format in flash is that of `sequential-storage` 8 (and 7), in words of eight bytes or the flash's, whichever is more. It is read from flash for each operation, without a cache in
/// RAM: at most a pass over the range, of headers mostly. RAM: one page, while it is open.
pub struct FlashFifo<F: MultiwriteNorFlash> {
    queue: QueueStorage<Words<F>, NoCache>,
    page: Vec<u8>,
    max_item: usize,
}

impl<F: MultiwriteNorFlash> FlashFifo<F> {
    /// A queue in `range`, byte addresses at page boundaries, of two pages or more. `None` if the range is not so, if it does
    /// not lie within the flash, or if the flash's pages are too small or its words too large.
    ///
    /// What the range holds is read when it is used. New flash is empty; flash that held something else has to be
    /// [erased](FlashFifo::erase) first.
    pub fn new(flash: F, range: Range<u32>) -> Option<Self> {
        let page = u32::try_from(F::ERASE_SIZE).ok()?;
        let whole = range.end.checked_sub(range.start)?;
        if whole < page.checked_mul(2)? || usize::try_from(range.end).ok()? > flash.capacity() {
            return None;
        }
        let config = QueueConfig::try_new(range).ok()?;
        // Two words of page state, a header of eight bytes in whole words, and the last word of data filled up.
        let word = Words::<F>::WRITE_SIZE.max(Words::<F>::READ_SIZE);
        let overhead = 2 * word + 8_usize.next_multiple_of(word) + word;
        let max_item = F::ERASE_SIZE.saturating_sub(overhead).min(usize::from(u16::MAX));
        let queue = QueueStorage::new(Words(flash), config, Cache::new_uncached());
        Some(Self { queue, page: vec![0; F::ERASE_SIZE], max_item })
    }

    /// Erases the whole range.
    ///
    /// # Errors
    /// Those of the flash.
    pub async fn erase(&mut self) -> Result<(), StorageError<F::Error>> {
        self.queue.erase_all().await.map_err(from_sequential)
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.queue.destroy().0.0
    }
}

impl<F: MultiwriteNorFlash> core::fmt::Debug for FlashFifo<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FlashFifo").field("range", &self.queue.flash_range()).finish_non_exhaustive()
    }
}

impl<F: MultiwriteNorFlash> Fifo for FlashFifo<F>
where
    F::Error: core::fmt::Display,
{
    type Error = F::Error;

    fn max_item(&self) -> usize {
        self.max_item
    }

    async fn append(&mut self, item: &[u8]) -> Result<(), StorageError<F::Error>> {
        if item.len() > self.max_item {
            return Err(StorageError::TooLarge);
        }
        self.queue.push(item, false).await.map_err(from_sequential)
    }

    async fn first(&mut self, item: &mut Vec<u8>) -> Result<bool, StorageError<F::Error>> {
        item.clear();
        let found = self.queue.peek(&mut self.page).await.map_err(from_sequential)?;
        Ok(found.map(|found| item.extend_from_slice(found)).is_some())
    }

    async fn remove_first(&mut self) -> Result<(), StorageError<F::Error>> {
        self.queue.pop(&mut self.page).await.map(drop).map_err(from_sequential)
    }

    async fn scan(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), StorageError<F::Error>> {
        let mut items = self.queue.iter().await.map_err(from_sequential)?;
        while let Some(item) = items.next(&mut self.page).await.map_err(from_sequential)? {
            each(&item);
        }
        Ok(())
    }
}

pub(crate) fn from_sequential<E>(error: sequential_storage::Error<E>) -> StorageError<E> {
    match error {
        sequential_storage::Error::Storage { value, .. } => StorageError::Device(value),
        sequential_storage::Error::FullStorage => StorageError::Full,
        sequential_storage::Error::ItemTooBig => StorageError::TooLarge,
        _ => StorageError::Damaged,
    }
}
