//! An updater on NOR flash.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};

use super::{Image, Offer, Stage, Updater};
use crate::storage::{StorageError, Words, from_sequential};

type NoCache = Cache<Uncached, Uncached, Uncached, u8>;

const OFFER: u8 = 0;
const PROGRESS: u8 = 1;

const WRITING: u8 = 0;
const FINISHING: u8 = 1;
const FINISHED: u8 = 2;

/// How an image comes to run: setting the boot loader's flag, copying to a file system, starting a module anew.
#[allow(async_fn_in_trait, reason = "a device's futures are polled where they are made, and need not be Send")]
pub trait HandOver<F> {
    /// How it fails.
    type Error: fmt::Debug + fmt::Display;

    /// The image is whole in `flash`, in this range of addresses, and its digest right. Called again, with the same image, when
    /// the power went before it returned.
    ///
    /// # Errors
    /// Its own; the update has then failed with step -4.
    async fn hand_over(&mut self, image: &Image, flash: &mut F, at: Range<u32>) -> Result<(), Self::Error>;
}

/// Why an updater on flash failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlashUpdaterError<E, H> {
    /// The flash, or the journal in it.
    #[error(transparent)]
    Storage(#[from] StorageError<E>),
    /// The image was not taken.
    #[error("not handed over: {0}")]
    HandOver(H),
    /// Nothing is there to write to or to hand over, or not at this place.
    #[error("not what is there")]
    OutOfPlace,
}

/// An [`Updater`] in a range of NOR flash: a journal of a few pages, which wear evenly, and the rest for the image.
///
/// Any flash will do; no word is written twice. Resumption after a power cut is from the beginning of the page in which it
/// stopped. RAM: one page.
pub struct FlashUpdater<F: NorFlash, H> {
    journal: MapStorage<u8, Words<F>, NoCache>,
    slot: Range<u32>,
    hand_over: H,
    page: Vec<u8>,
    /// Tells the progress of this image from that of another one.
    generation: u32,
    image: Option<Image>,
}

impl<F: NorFlash, H> fmt::Debug for FlashUpdater<F, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlashUpdater").field("slot", &self.slot).field("image", &self.image).finish_non_exhaustive()
    }
}

impl<F: NorFlash, H: HandOver<F>> FlashUpdater<F, H>
where
    F::Error: fmt::Display,
{
    /// An updater with its journal and its image in these ranges, byte addresses at page boundaries; the journal has two pages or
    /// more. `None` if they are not so, overlap, or lie outside of the flash.
    ///
    /// An offer has to fit a page of the journal: what is longer (a URL can have 2 KB) is refused, on flash with small pages.
    /// The journal has to be erased before the first use if it held something else.
    pub fn new(flash: F, journal: Range<u32>, slot: Range<u32>, hand_over: H) -> Option<Self> {
        let page = u32::try_from(F::ERASE_SIZE).ok()?;
        let aligned = [journal.start, journal.end, slot.start, slot.end].iter().all(|at| at.is_multiple_of(page));
        let apart = journal.end <= slot.start || slot.end <= journal.start;
        let within = usize::try_from(journal.end.max(slot.end)).ok()? <= flash.capacity();
        let long_enough = journal.end.checked_sub(journal.start)? >= page.checked_mul(2)? && slot.start < slot.end;
        if !(aligned && apart && within && long_enough) {
            return None;
        }
        let journal = MapStorage::new(Words(flash), MapConfig::try_new(journal).ok()?, Cache::new_uncached());
        Some(Self { journal, slot, hand_over, page: vec![0; F::ERASE_SIZE], generation: 0, image: None })
    }

    /// The hand-over.
    pub fn hand_over(&mut self) -> &mut H {
        &mut self.hand_over
    }

    async fn store(&mut self, key: u8, value: &[u8]) -> Result<(), StorageError<F::Error>> {
        self.journal.store_item(&mut self.page, &key, &value).await.map_err(from_sequential)
    }

    async fn note(&mut self, stage: u8, written: u32) -> Result<(), StorageError<F::Error>> {
        let mut value = [stage; 9];
        value[..4].copy_from_slice(&self.generation.to_le_bytes());
        value[4..8].copy_from_slice(&written.to_le_bytes());
        self.store(PROGRESS, &value).await
    }

    /// Records what is under way, and forgets how far the last one was, in one step.
    async fn replace(&mut self, offer: Option<&Offer>) -> Result<(), StorageError<F::Error>> {
        let last = self.journal.fetch_item::<&[u8]>(&mut self.page, &OFFER).await.map_err(from_sequential)?;
        let last = last.and_then(|value| value.first_chunk()).map_or(0, |generation| u32::from_le_bytes(*generation));
        let generation = last.wrapping_add(1);
        let mut value = generation.to_le_bytes().to_vec();
        value.extend_from_slice(&offer.map(Offer::to_bytes).unwrap_or_default());
        self.image = None;
        self.store(OFFER, &value).await?;
        self.generation = generation;
        self.image = offer.map(|offer| offer.image.clone());
        Ok(())
    }

    fn address(&self, offset: u32) -> Option<u32> {
        self.slot.start.checked_add(offset)
    }
}

impl<F: NorFlash, H: HandOver<F>> Updater for FlashUpdater<F, H>
where
    F::Error: fmt::Display,
{
    type Error = FlashUpdaterError<F::Error, H::Error>;

    fn capacity(&self, _module: &str) -> u32 {
        self.slot.end - self.slot.start
    }

    async fn state(&mut self) -> Result<Option<(Offer, Stage)>, Self::Error> {
        self.image = None;
        let value = self.journal.fetch_item::<&[u8]>(&mut self.page, &OFFER).await.map_err(from_sequential)?;
        let Some((generation, offer)) = value.and_then(|value| value.split_first_chunk::<4>()) else { return Ok(None) };
        let generation = *generation;
        self.generation = u32::from_le_bytes(generation);
        let Some(offer) = Offer::from_bytes(offer) else { return Ok(None) };
        let progress = self.journal.fetch_item::<&[u8]>(&mut self.page, &PROGRESS).await.map_err(from_sequential)?;
        let stage = match progress {
            Some(&[a, b, c, d, w, x, y, z, stage]) if [a, b, c, d] == generation => match stage {
                FINISHED => Stage::Finished,
                FINISHING => Stage::Finishing,
                _ => {
                    let written = u32::from_le_bytes([w, x, y, z]).min(offer.image.size);
                    // Behind it in its page stands what was being written, which cannot be written over.
                    let page = u32::try_from(F::ERASE_SIZE).unwrap_or(u32::MAX);
                    let whole = written == offer.image.size;
                    Stage::Writing { written: if whole { written } else { written - written % page } }
                }
            },
            _ => Stage::Writing { written: 0 },
        };
        self.image = Some(offer.image.clone());
        Ok(Some((offer, stage)))
    }

    async fn begin(&mut self, offer: &Offer) -> Result<(), Self::Error> {
        Ok(self.replace(Some(offer)).await?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        let out_of_place = FlashUpdaterError::OutOfPlace;
        let size = self.image.as_ref().map(|image| image.size).ok_or(out_of_place)?;
        let out_of_place = || FlashUpdaterError::OutOfPlace;
        let length = u32::try_from(bytes.len()).map_err(|_| out_of_place())?;
        let end = offset.checked_add(length).filter(|end| *end <= size).ok_or_else(out_of_place)?;
        let start = self.address(offset).ok_or_else(out_of_place)?;
        let page = u32::try_from(F::ERASE_SIZE).map_err(|_| out_of_place())?;
        // The pages that begin in this write.
        let (from, to) = (start.next_multiple_of(page), self.slot.start.saturating_add(end).next_multiple_of(page));
        if end > size || to > self.slot.end {
            return Err(out_of_place());
        }
        let device = |error| FlashUpdaterError::Storage(StorageError::Device(error));
        if from < to {
            self.journal.flash().0.erase(from, to).await.map_err(device)?;
        }
        let (words, rest) = bytes.split_at_checked(bytes.len() - bytes.len() % F::WRITE_SIZE).unwrap_or((bytes, &[]));
        if !words.is_empty() {
            self.journal.flash().0.write(start, words).await.map_err(device)?;
        }
        if !rest.is_empty() {
            let mut word = vec![0xff; F::WRITE_SIZE];
            word.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
            let behind = start + (length - u32::try_from(rest.len()).unwrap_or(0));
            self.journal.flash().0.write(behind, &word).await.map_err(device)?;
        }
        Ok(self.note(WRITING, end).await?)
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        let at = self.address(offset).ok_or(FlashUpdaterError::OutOfPlace)?;
        let device = |error| FlashUpdaterError::Storage(StorageError::Device(error));
        let mut at = at;
        // In whole words of reading, by way of the page buffer.
        for piece in bytes.chunks_mut(self.page.len()) {
            let length = piece.len().next_multiple_of(F::READ_SIZE);
            let buffer = self.page.get_mut(..length).ok_or(FlashUpdaterError::OutOfPlace)?;
            self.journal.flash().0.read(at, buffer).await.map_err(device)?;
            piece.iter_mut().zip(buffer).for_each(|(byte, read)| *byte = *read);
            at = at.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Self::Error> {
        let image = self.image.clone().ok_or(FlashUpdaterError::OutOfPlace)?;
        self.note(FINISHING, image.size).await?;
        let at = self.slot.start..self.slot.start.saturating_add(image.size);
        let handed = self.hand_over.hand_over(&image, &mut self.journal.flash().0, at).await;
        handed.map_err(FlashUpdaterError::HandOver)?;
        Ok(self.note(FINISHED, image.size).await?)
    }

    async fn clear(&mut self) -> Result<(), Self::Error> {
        Ok(self.replace(None).await?)
    }
}
