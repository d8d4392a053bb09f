//! What devices say while the database fails: it is neither answered nor acknowledged, and nothing more is read. A device
//! discards what was acknowledged, and most programs do not look at the answer's code. Once patience is at its end the
//! connection is closed, and the device says it again when it is back.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::app::SharedApp;
use crate::store::StoreError;
use crate::store::devices::Device;

/// How long a message is held: less than handlers may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two attempts.
const RETRY: Duration = Duration::from_millis(500);

/// Tries until it succeeds. What was tried may have been written although it failed: it must bear repetition.
///
/// # Errors
/// No attempt can succeed, as it is the message's or this program's fault; or the database fails for longer. Then the connection
/// is given up, and nobody hears of the error.
pub(super) async fn until_kept<T, F>(
    app: &SharedApp,
    device: &Device,
    mut attempt: impl FnMut() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let end = Instant::now() + PATIENCE;
    let failure = loop {
        let failure = match timeout_at(end, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => StoreError::Busy,
        };
        let name = &device.device_name;
        if !failure.is_passing() && !matches!(failure, StoreError::Closed) {
            return Err(failure);
        }
        if !failure.is_passing() || Instant::now() + RETRY >= end {
            tracing::error!(device = name, %failure, "a message was not kept: the connection is closed without an answer");
            break failure;
        }
        tracing::warn!(device = name, %failure, "a message was not kept yet; it waits for its answer");
        sleep(RETRY).await;
    };
    // Its gateway's connection first, which acknowledges for it.
    for identity in app.via(device).into_iter().chain([crate::link::identity(device).into()]) {
        app.link.give_up(&identity);
    }
    Err(failure)
}
