//! What a device must be able to do with an image.

use super::Offer;

/// How far an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Its first bytes are written.
    Writing {
        /// How many bytes are surely written, and can be written behind.
        written: u32,
    },
    /// It is whole and checked, and [`Updater::finish`] was begun and did not come to its end.
    Finishing,
    /// It was handed over: with the next start, the module runs it.
    Finished,
}

/// The place where an image is put, and from which it comes to run. One at a time.
///
/// What holds after a power cut at any moment: what returned `Ok` is so; what did not return has happened or not, and
/// [`state`](Updater::state) says which. [`FlashUpdater`](super::FlashUpdater) does this on NOR flash.
#[allow(async_fn_in_trait, reason = "a device's futures are polled where they are made, and need not be Send")]
pub trait Updater {
    /// How it fails. What it says goes to the platform in `desc`.
    type Error: core::fmt::Debug + core::fmt::Display;

    /// The largest image that it takes for `module`, in bytes.
    fn capacity(&self, module: &str) -> u32;

    /// What is there, by durable memory alone.
    ///
    /// # Errors
    /// Those of the memory.
    async fn state(&mut self) -> Result<Option<(Offer, Stage)>, Self::Error>;

    /// Makes room for an image, in place of what was there.
    ///
    /// # Errors
    /// Those of the memory, and images that it cannot take.
    async fn begin(&mut self, offer: &Offer) -> Result<(), Self::Error>;

    /// Writes the bytes at `offset`, which is where the last write ended or what [`Stage::Writing`] said. Durable when it returns.
    ///
    /// # Errors
    /// Those of the memory.
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Reads what was written.
    ///
    /// # Errors
    /// Those of the memory.
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error>;

    /// The image is whole and its digest right: hands it over, so that the next start runs it. May be called again for the same
    /// image if it did not come to its end.
    ///
    /// # Errors
    /// Those of the memory, and of whoever takes the image.
    async fn finish(&mut self) -> Result<(), Self::Error>;

    /// Forgets the image that is there, if any; one that was handed over stays handed over.
    ///
    /// # Errors
    /// Those of the memory.
    async fn clear(&mut self) -> Result<(), Self::Error>;
}
