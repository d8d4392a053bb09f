//! Files over FTP.

use anyhow::Result;

use crate::app::SharedApp;

/// Starts it, if the settings say so.
///
/// # Errors
/// A port that is taken.
#[expect(clippy::unused_async, reason = "not there yet")]
pub async fn start(_app: &SharedApp) -> Result<()> {
    Ok(())
}
