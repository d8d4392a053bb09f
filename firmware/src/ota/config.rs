//! Times and lengths of updates.

use core::time::Duration;

/// How [`Updates`](super::Updates) fetches and reports.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many bytes are written at once, and asked for at once over MQTT; default 4096. A multiple of the flash's page is best:
    /// what a power cut takes back is one of these. RAM: so many bytes while an image is fetched.
    pub block: u32,
    /// How long a block over MQTT may take; default 10 s.
    pub block_timeout: Duration,
    /// How long no byte may come over HTTP; default 30 s.
    pub stall_timeout: Duration,
    /// The pause after a failed fetch, doubled with each that follows without a byte written between; default 1 s.
    pub retry_first: Duration,
    /// The longest of these pauses; default 5 min. Also the pause after a file that is gone, in which the platform is asked for
    /// another URL; if it gives none by then, the update fails with step -2.
    pub retry_longest: Duration,
    /// How many fetches may fail in a row, while the device is connected, before the update fails with step -2; default 20,
    /// which is a bit more than an hour.
    pub retries: u32,
    /// How many percent lie between two reports of progress, 1 to 100; default 5.
    pub progress_step: u8,
    /// How much time lies between two reports of progress, at the least; default 3 s.
    pub progress_interval: Duration,
    /// Whether the platform is asked for each module's update when the connection is there, in case that a push was lost;
    /// default true.
    pub query: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            block: 4096,
            block_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            retry_first: Duration::from_secs(1),
            retry_longest: Duration::from_secs(300),
            retries: 20,
            progress_step: 5,
            progress_interval: Duration::from_secs(3),
            query: true,
        }
    }
}
