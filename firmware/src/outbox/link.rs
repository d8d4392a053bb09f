//! A postbox over connections that come and go, on tokio.

use core::time::Duration;

use onwire::net::{Link, LinkState};
use onwire::{CallError, Instant};

use super::{Clock, Entry, OutboxError, Postbox};
use crate::storage::Fifo;

/// tokio's clock.
struct Tokio(tokio::time::Instant);

impl Clock for Tokio {
    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl<S: Fifo> Postbox<S> {
    /// [Delivers](Postbox::deliver) on one connection after the other, until the link is stopped. It may be dropped at any time.
    ///
    /// # Errors
    /// [`OutboxError`]: the storage failed. What waits is still there.
    pub async fn run(
        &self,
        link: &Link,
        mut refused: impl FnMut(Entry, &CallError),
    ) -> Result<(), OutboxError<S::Error>> {
        let clock = Tokio(tokio::time::Instant::now());
        while let Some(peer) = link.connected().await {
            let mut states = link.states();
            let is_other =
                |state: &LinkState| !matches!(state, LinkState::Connected(now) if now.is_same_connection(&peer));
            tokio::select! {
                biased;
                delivered = self.deliver(&peer, &clock, &mut refused) => delivered?,
                // What is under way is sent again on the next one.
                _ = states.wait_for(is_other) => {}
            }
        }
        Ok(())
    }
}
