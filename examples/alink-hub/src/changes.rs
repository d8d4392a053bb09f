//! Requests that may change something, each in a task of its own.
//!
//! A client that closes its connection ends the request's future. A device may have acted by then, so what came of it must
//! still be kept and written down.

use std::sync::Arc;

use tokio::sync::{AcquireError, Semaphore};

/// How many run at once; each may wait for a device for a minute.
const AT_ONCE: usize = 512;

/// Runs changes to their end, whether or not somebody waits for them.
#[derive(Debug)]
pub(crate) struct Changes {
    room: Arc<Semaphore>,
    most: usize,
}

/// Why a change has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoOutcome {
    /// It was not begun.
    #[error("too many requests are under way; try again later")]
    TooMany,
    /// It was begun, and may have done a part of its work.
    #[error("a request panicked")]
    Panicked,
}

impl Default for Changes {
    fn default() -> Self {
        Self::new(AT_ONCE)
    }
}

impl Changes {
    fn new(most: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(most)), most }
    }

    /// Runs a change. It goes on if this future is dropped.
    ///
    /// # Errors
    /// [`NoOutcome`].
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        change: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, NoOutcome> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| NoOutcome::TooMany)?;
        let running = tokio::spawn(async move {
            let _room = room;
            change.await
        });
        running.await.map_err(|_| NoOutcome::Panicked)
    }

    /// Waits until those that run have ended. Meanwhile no further one begins.
    pub(crate) async fn ended(&self) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        // It is never closed.
        let _: Result<_, AcquireError> = self.room.acquire_many(all).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_change_goes_on_without_its_caller_and_the_end_waits_for_it() {
        let changes = Changes::new(2);
        let (go, may_go) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let change = changes.run(async move {
            may_go.await.unwrap();
            tell.send("done").unwrap();
        });
        // Begun, then left.
        assert!(change.now_or_never().is_none());
        let mut ended = Box::pin(changes.ended());
        assert!(ended.as_mut().now_or_never().is_none(), "one still runs");
        assert_eq!(changes.run(async {}).await, Err(NoOutcome::TooMany), "it ends");
        go.send(()).unwrap();
        assert_eq!(told.await, Ok("done"));
        ended.await;
        assert_eq!(changes.run(async { 1 }).await, Ok(1));
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_a_panic_gives_its_room_back() {
        let changes = Changes::new(1);
        let (go, may_go) = oneshot::channel::<()>();
        let (one, other) = tokio::join!(changes.run(may_go), async {
            let other = changes.run(async {}).await;
            go.send(()).unwrap();
            other
        });
        assert_eq!((one, other), (Ok(Ok(())), Err(NoOutcome::TooMany)));
        let mistake: fn() = || panic!("a mistake");
        assert_eq!(changes.run(async move { mistake() }).await, Err(NoOutcome::Panicked));
        assert_eq!(changes.run(async { 1 }).await, Ok(1));
    }
}
