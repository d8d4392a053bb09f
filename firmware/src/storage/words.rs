//! Flash in words of eight bytes or more.

use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};

/// As long as the header of an item in `sequential-storage`.
///
/// With shorter words, a header whose end was torn off by a power cut is followed at once by the next item, whose first byte can
/// make it whole again (1 in 256, with words of one byte); it then swallows that item, which was stored and is lost.
const WORD: usize = 8;

/// A flash, read and written in words of eight bytes where it could do with less.
pub(crate) struct Words<F>(pub(crate) F);

impl<F: ErrorType> ErrorType for Words<F> {
    type Error = F::Error;
}

impl<F: ReadNorFlash> ReadNorFlash for Words<F> {
    // A page's marker is looked at as a whole, so that one of which a part was written is not written again.
    const READ_SIZE: usize = F::READ_SIZE.next_multiple_of(WORD);

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.read(offset, bytes).await
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<F: NorFlash> NorFlash for Words<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE.next_multiple_of(WORD);
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.0.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.0.write(offset, bytes).await
    }
}

impl<F: MultiwriteNorFlash> MultiwriteNorFlash for Words<F> {}
