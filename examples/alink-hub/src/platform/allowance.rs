//! How much devices may say in words of their own, which nothing else bounds: how fast, and how much of it is kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::app::SharedApp;
use crate::store::devices::Device;
use crate::store::{StoreError, history};

/// How long a device may have been silent before, and say at once what it did not say then.
const BURST: Duration = Duration::from_secs(10);

/// Devices that are remembered before those are looked for that need not be.
const SWEPT: usize = 1024;

/// What devices have said.
#[derive(Debug, Default)]
pub(crate) struct Allowance(Mutex<Devices>);

#[derive(Debug, Default)]
struct Devices {
    /// When a device that never paused would say its next message.
    paces: HashMap<i64, Instant>,
    /// How many bytes are kept of a device's messages, at the most.
    kept: HashMap<i64, i64>,
    swept_at: usize,
}

impl Allowance {
    fn with<T>(&self, access: impl FnOnce(&mut Devices) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the device may say its next message, at so many in a second; 0 sets no limit.
    pub(crate) async fn turn(&self, device: i64, rate: u32) {
        let Some(interval) = Duration::from_secs(1).checked_div(rate) else { return };
        let now = Instant::now();
        let turn = self.with(|devices| devices.turn(device, now, interval));
        if turn > now {
            sleep_until(turn).await;
        }
    }

    /// Whether the device may say its next message now, where it cannot be made to wait; if not, it counts as not said.
    pub(crate) fn may_now(&self, device: i64, rate: u32) -> bool {
        let Some(interval) = Duration::from_secs(1).checked_div(rate) else { return true };
        let now = Instant::now();
        self.with(|devices| {
            let before = devices.paces.get(&device).copied();
            let may = devices.turn(device, now, interval) <= now;
            if let Some(before) = before.filter(|_| !may) {
                devices.paces.insert(device, before);
            }
            may
        })
    }

    /// Deletes the oldest messages of a device that would have too many bytes with so many more.
    pub(super) async fn make_room(&self, app: &SharedApp, device: &Device, more: usize) -> Result<(), StoreError> {
        let (quota, more) = (app.config.message_quota, i64::try_from(more).unwrap_or(i64::MAX));
        if quota == 0 {
            return Ok(());
        }
        let known = self.with(|devices| devices.kept.get(&device.id).copied());
        // What was too old is gone meanwhile, so that they are counted again before any is deleted.
        let kept = match known.filter(|known| known.saturating_add(more) <= quota) {
            Some(kept) => kept,
            None => {
                let kept = history::size_of_messages(&app.store, device.id).await?;
                match kept.saturating_add(more) <= quota {
                    true => kept,
                    // With room for some more than this one.
                    false => {
                        let content = format!("its messages take more than {quota} bytes: the oldest are deleted");
                        app.note_of("warn", device, content).await;
                        history::delete_messages(&app.store, device.id, (quota - quota / 8 - more).max(0)).await?
                    }
                }
            }
        };
        self.with(|devices| devices.kept.insert(device.id, kept.saturating_add(more)));
        Ok(())
    }
}

impl Devices {
    /// When it may be said: once for each interval, and before that for the silence before.
    fn turn(&mut self, device: i64, now: Instant, interval: Duration) -> Instant {
        if self.paces.len() >= self.swept_at.max(SWEPT) {
            self.paces.retain(|_, next| *next > now);
            self.swept_at = 2 * self.paces.len();
        }
        let next = self.paces.entry(device).or_insert(now);
        *next = (*next).max(now) + interval;
        next.checked_sub(BURST).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_each_message_waits_for_its_time() {
        let (allowance, start) = (Allowance::default(), Instant::now());
        for _ in 0..200 {
            allowance.turn(1, 20).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO, "ten seconds' worth");
        for _ in 0..20 {
            allowance.turn(1, 20).await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        allowance.turn(2, 20).await;
        allowance.turn(1, 0).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1), "another device, and no limit");
        // What it has not said in ten seconds it may say at once.
        tokio::time::advance(Duration::from_secs(60)).await;
        let later = Instant::now();
        for _ in 0..201 {
            allowance.turn(1, 20).await;
        }
        assert_eq!(later.elapsed(), Duration::from_millis(50));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_wait_is_not_said_and_costs_nothing() {
        let allowance = Allowance::default();
        assert_eq!((0..1000).filter(|_| allowance.may_now(1, 20)).count(), 200);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!((0..1000).filter(|_| allowance.may_now(1, 20)).count(), 2);
        assert!((0..1000).all(|_| allowance.may_now(1, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_silent_is_forgotten() {
        let allowance = Allowance::default();
        for device in 0..10_000 {
            allowance.turn(device, 20).await;
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(allowance.with(|devices| devices.paces.len()) <= SWEPT);
    }
}
