//! Transaction messages while the database does not write: they are neither answered nor refused. A CALLERROR would destroy
//! them, as a charge point discards a message that was refused TransactionMessageAttempts times (OCPP 1.6 §3.7.1). Being
//! offline is no attempt: once patience is at its end, the connection is closed, and the charge point sends the message
//! again when it is back.

use std::future::Future;
use std::time::Duration;

use onwire::{CallError, CallFailure, ErrorCode, Peer};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, warn};

use crate::store::StoreError;

/// How long a message is held: less than charge points wait for an answer, as a rule.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two attempts.
const RETRY: Duration = Duration::from_millis(500);

/// Whether a charge point queues that action while it is offline, and discards it when it is refused (OCPP 1.6 §3.7).
pub(super) fn is_of_transaction(action: &str) -> bool {
    matches!(action, "StartTransaction" | "StopTransaction" | "MeterValues")
}

/// Tries until it succeeds. What was tried may have been written although it failed: it must bear repetition.
///
/// # Errors
/// The database has not written for [`PATIENCE`]. The connection is closed then, so that nobody hears of the error.
pub(super) async fn until_kept<T, F>(peer: &Peer, mut attempt: impl FnMut() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        let failure = match timeout_at(end, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => StoreError::Busy,
        };
        let identity = peer.identity();
        let is_closing = matches!(failure, StoreError::Closed);
        if is_closing || !peer.is_connected() || Instant::now() + RETRY >= end {
            error!(identity, %failure, "a transaction message was not kept: the connection is closed without an answer");
            break;
        }
        warn!(identity, %failure, "a transaction message was not kept yet; it waits for its answer");
        sleep(RETRY).await;
    }
    peer.give_up(CallFailure::TryAgainLater);
    Err(CallError::new(ErrorCode::InternalError, "the database failed"))
}
