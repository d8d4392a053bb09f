//! What time it is, by the platform's clock.

use std::time::Duration;

use tokio::time::Instant;

use super::request::{Messages, RequestFailure};
use super::waiting::Expected;
use crate::alink::{NtpResponse, Topic, ntp_request};
use crate::types::DateTime;

/// The platform's clock, which goes on by the device's monotonic one: a device whose own calendar is wrong, or is set
/// meanwhile, knows the time all the same.
#[derive(Debug, Clone, Copy)]
pub struct PlatformClock {
    at: DateTime,
    since: Instant,
    round_trip: Duration,
}

impl PlatformClock {
    /// What time it is.
    pub fn now(&self) -> DateTime {
        let passed = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        DateTime::from_unix_millis(self.at.unix_millis().saturating_add(passed))
    }

    /// How far the device's own clock is behind, in milliseconds; below zero, how far ahead.
    pub fn offset_millis(&self) -> i64 {
        self.now().unix_millis().saturating_sub(DateTime::now().unix_millis())
    }

    /// How long the question and the answer took together: the time may be wrong by half of it.
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }
}

impl Messages {
    /// Asks what time it is (`/ext/ntp/..`). Charging piles do so after each start and once a day.
    ///
    /// ```no_run
    /// # async fn example(messages: onwire::net::alink::Messages) -> Result<(), onwire::net::alink::RequestFailure> {
    /// let clock = messages.clock().await?;
    /// println!("it is {}", clock.now());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn clock(&self) -> Result<PlatformClock, RequestFailure> {
        let asking = self.opened().await?;
        // By the monotonic clock: the other one may be set in between.
        let (began, send) = (Instant::now(), DateTime::now());
        let expected = Expected::Clock(send.unix_millis());
        let topic = Topic::Ntp { device: self.device(), is_response: false };
        let answer = asking.ask(expected, topic, ntp_request(send).into()).await?;
        let (since, round_trip) = (Instant::now(), began.elapsed());
        let response = NtpResponse::parse(&String::from_utf8_lossy(&answer.payload))?;
        let passed = i64::try_from(round_trip.as_millis()).unwrap_or(i64::MAX);
        let at = response.now(DateTime::from_unix_millis(send.unix_millis().saturating_add(passed)));
        Ok(PlatformClock { at, since, round_trip })
    }
}
