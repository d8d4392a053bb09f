//! What a device keeps in flash: the outbox, and updates.

use core::convert::Infallible;
use core::ops::Range;

use alloc::vec::Vec;
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use onwire::Instant;
use onwire_firmware::ota::{Action, Config as Updating, FlashUpdater, HandOver, Image, Module, Updates};
use onwire_firmware::outbox::{Config, Outbox, Settled};
use onwire_firmware::storage::FlashFifo;

/// A chip of 64 KiB; on a board these are bytes on a bus.
pub struct Chip(Vec<u8>);

impl ErrorType for Chip {
    type Error = Infallible;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        let kept = self.0.iter().skip(offset as usize);
        bytes.iter_mut().zip(kept).for_each(|(byte, kept)| *byte = *kept);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        let page = self.0.iter_mut().take(to as usize).skip(from as usize);
        page.for_each(|kept| *kept = 0xff);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let kept = self.0.iter_mut().skip(offset as usize);
        kept.zip(bytes).for_each(|(kept, byte)| *kept &= byte);
        Ok(())
    }
}

impl MultiwriteNorFlash for Chip {}

/// Stores an order, and gives what is to be sent to `send`, which returns the answer's code.
pub async fn order(chip: Chip, order: &[u8], send: impl Fn(u32, &[u8]) -> u32) -> Option<bool> {
    let mut outbox = Outbox::open(FlashFifo::new(chip, 0..16_384)?, Config::default()).await.ok()?;
    outbox.push("thing.event.orderUpdateEvt.post", order).await.ok()?;
    outbox.connected();
    let sending = outbox.poll(Instant::from_millis(0)).await.ok()??;
    let (id, code) = (sending.id, send(sending.id.number(), sending.payload));
    Some(matches!(outbox.answered(id, code).await.ok()?, Settled::Done))
}

struct BootLoader;

impl HandOver<Chip> for BootLoader {
    type Error = Infallible;

    async fn hand_over(&mut self, _: &Image, _: &mut Chip, _: Range<u32>) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Takes an upgrade message and the bytes of its image, and says whether it was handed over.
pub async fn update(chip: Chip, push: &str, image: &[u8], now: Instant) -> Option<bool> {
    let updater = FlashUpdater::new(chip, 0..8192, 8192..65_536, BootLoader)?;
    let modules = [Module::new("default", "1")].into();
    let mut updates = Updates::open(updater, modules, Updating::default()).await.ok()?;
    updates.offered_message(push, now).await.ok()?;
    while let Some(action) = updates.poll(now).await {
        match action {
            Action::Fetch(fetch) => drop(updates.received(fetch.id, fetch.offset, image, now).await),
            Action::Restart { .. } => return Some(true),
            _ => {}
        }
    }
    Some(false)
}
