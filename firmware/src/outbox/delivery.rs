//! An outbox that several tasks share, and its way over a connection.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use futures_util::future::{Either, select};
use onwire::codec;
use onwire::types::RawJson;
use onwire::{Action, CallFailure, ErrorCode, Instant, Peer, Request};

use super::{Entry, EntryId, Outbox, OutboxError, PushError, Settled};
use crate::storage::Fifo;

/// The time, from whatever the device has.
#[allow(async_fn_in_trait, reason = "a device's futures are polled where they are made, and need not be Send")]
pub trait Clock {
    /// Now, on a clock that never goes back.
    fn now(&self) -> Instant;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// An outbox for handlers and tasks of one thread: some push, one delivers.
///
/// ```
/// # use onwire::{Peer, types::DateTime};
/// # use onwire_firmware::outbox::{Clock, Outbox, Postbox};
/// # use onwire_firmware::storage::Fifo;
/// # async fn run<S: Fifo>(outbox: Outbox<S>, peer: Peer, clock: impl Clock) -> Result<(), Box<dyn core::error::Error>> where S::Error: core::error::Error + 'static {
/// let postbox = Postbox::new(outbox);
/// // In the handler of a stop, once for an order. Any request of a thing model goes in; here one of OCPP stands for it.
/// # type OrderUpload = onwire::ocpp::v16::HeartbeatRequest;
/// postbox.push(&OrderUpload::new()).await?;
/// // For each connection, beside its handlers:
/// postbox.deliver(&peer, &clock, |entry, refusal| eprintln!("{}: {refusal}", entry.name)).await?;
/// # Ok(())
/// # }
/// ```
pub struct Postbox<S> {
    outbox: Mutex<NoopRawMutex, Outbox<S>>,
    pushed: Signal<NoopRawMutex, ()>,
}

impl<S> fmt::Debug for Postbox<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postbox").finish_non_exhaustive()
    }
}

/// Why a request was not put into the postbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPosted<E> {
    /// It breaks its schema. Nothing was stored.
    #[error("{0}")]
    Unsendable(codec::EncodeError),
    /// As [`PushError`] says.
    #[error(transparent)]
    NotPushed(PushError<E>),
}

impl<S: Fifo> Postbox<S> {
    /// Shares an outbox.
    pub fn new(outbox: Outbox<S>) -> Self {
        Self { outbox: Mutex::new(outbox), pushed: Signal::new() }
    }

    /// Stores a request; it is there after a power cut once this has returned `Ok`.
    ///
    /// # Errors
    /// [`NotPosted`].
    pub async fn push<R: Request>(&self, request: &R) -> Result<EntryId, NotPosted<S::Error>> {
        let mut payload = String::new();
        codec::encode(request, &mut payload).map_err(NotPosted::Unsendable)?;
        let name = <R::Action as Action>::NAME;
        let id = self.outbox.lock().await.push(name, payload.as_bytes()).await.map_err(NotPosted::NotPushed)?;
        self.pushed.signal(());
        Ok(id)
    }

    /// How many wait for their answer.
    pub async fn len(&self) -> u32 {
        self.outbox.lock().await.len()
    }

    /// Whether everything was answered.
    pub async fn is_empty(&self) -> bool {
        self.len().await == 0
    }

    /// Sends what waits, each until it is answered, as long as the connection stands; whatever the platform refuses for good is
    /// handed to `refused`. It may be dropped at any time.
    ///
    /// # Errors
    /// [`OutboxError`]: the storage failed. What waits is still there.
    pub async fn deliver(
        &self,
        peer: &Peer,
        clock: &impl Clock,
        mut refused: impl FnMut(Entry, &onwire::CallError),
    ) -> Result<(), OutboxError<S::Error>> {
        self.outbox.lock().await.connected();
        while peer.is_connected() {
            let (sent, deadline) = {
                let mut outbox = self.outbox.lock().await;
                let sending = outbox.poll(clock.now()).await?;
                let sent = sending.map(|sending| {
                    let payload = str::from_utf8(sending.payload).ok().and_then(|text| RawJson::new(text).ok());
                    // Nothing else was stored.
                    let payload = payload.unwrap_or_else(RawJson::null);
                    (sending.id, peer.call_as(sending.id.number(), sending.name, &payload))
                });
                (sent, outbox.deadline())
            };
            let wait = deadline.map(|deadline| deadline.saturating_since(clock.now()));
            let Some((id, call)) = sent else {
                self.rest(clock, wait).await;
                continue;
            };
            let code = match call.timeout(wait.unwrap_or_default()).await {
                Ok(_) => Ok(()),
                Err(CallFailure::Refused(error)) => Err(error),
                // It is sent again when its time comes, or when there is another connection.
                Err(_) => {
                    let wait = deadline.map(|deadline| deadline.saturating_since(clock.now()));
                    self.rest(clock, wait).await;
                    continue;
                }
            };
            let mut outbox = self.outbox.lock().await;
            let settled = outbox.answered(id, code.as_ref().map_or_else(number_of, |()| 200)).await?;
            drop(outbox);
            if let (Settled::Refused(entry), Err(error)) = (settled, &code) {
                refused(entry, error);
            }
        }
        self.outbox.lock().await.disconnected();
        Ok(())
    }

    /// Waits until something is due, or was pushed.
    async fn rest(&self, clock: &impl Clock, wait: Option<Duration>) {
        let pushed = core::pin::pin!(self.pushed.wait());
        // A connection that ends wakes nobody here: it is looked for now and then.
        let sleep = core::pin::pin!(clock.sleep(wait.unwrap_or(LOOK).min(LOOK)));
        match select(pushed, sleep).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    }
}

/// How long it takes at most to see that a connection has ended.
const LOOK: Duration = Duration::from_secs(1);

/// The code of a refusal; what is no number counts as an error in the platform.
fn number_of(error: &onwire::CallError) -> u32 {
    match &error.code {
        ErrorCode::Other(code) => code.parse().unwrap_or(500),
        _ => 500,
    }
}
