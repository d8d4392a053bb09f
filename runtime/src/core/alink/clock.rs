//! The platform's clock, as a device learns it over `/ext/ntp/..`, and both messages.

use alloc::string::String;

use crate::codec::{DecodeError, Extra, Fields, Quirks, decode_with};
use crate::types::DateTime;

/// What a device sends: when it does, by its own clock, which may have begun at its last start.
pub fn ntp_request(device_send: DateTime) -> String {
    alloc::format!("{{\"deviceSendTime\":\"{}\"}}", device_send.unix_millis())
}

static REQUEST: Fields = Fields::new(&["deviceSendTime"], 1, 0, Extra::Skipped);

/// What the platform answers to `request`: what the device said, as it said it, when that was received, and when this is sent.
///
/// # Errors
/// [`DecodeError`] if the request says no time.
pub fn ntp_response(request: &str, received: DateTime, sent: DateTime) -> Result<String, DecodeError> {
    let device_send = decode_with(request, Quirks::ALL, |decoder| {
        let mut object = decoder.begin_object(&REQUEST)?;
        let mut token = 0..0;
        while decoder.next_field(&mut object)?.is_some() {
            decoder.peek();
            let start = decoder.offset();
            decoder.unix_millis()?;
            token = start..decoder.offset();
        }
        Ok(token)
    })?;
    Ok(alloc::format!(
        "{{\"deviceSendTime\":{},\"serverRecvTime\":\"{}\",\"serverSendTime\":\"{}\"}}",
        request.get(device_send).unwrap_or("\"0\""),
        received.unix_millis(),
        sent.unix_millis()
    ))
}

/// The answer, as a device reads it: numbers, or text with numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NtpResponse {
    /// When the device sent its message, by its own clock.
    pub device_send: DateTime,
    /// When the platform received it.
    pub server_received: DateTime,
    /// When the platform sent this.
    pub server_sent: DateTime,
}

static RESPONSE: Fields =
    Fields::new(&["deviceSendTime", "serverRecvTime", "serverSendTime"], 0b111, 0, Extra::Skipped);

impl NtpResponse {
    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let mut times = [DateTime::from_unix_millis(0); 3];
        decode_with(text, Quirks::ALL, |decoder| {
            let mut object = decoder.begin_object(&RESPONSE)?;
            while let Some(index) = decoder.next_field(&mut object)? {
                let time = decoder.unix_millis()?;
                if let Some(place) = times.get_mut(index) {
                    *place = time;
                }
            }
            Ok(())
        })?;
        let [device_send, server_received, server_sent] = times;
        Ok(Self { device_send, server_received, server_sent })
    }

    /// What time it is as this is received, which the device's own clock says was at `device_received`: half of what is left
    /// of the way there and back is taken as the way back.
    ///
    /// ```
    /// use onwire::alink::NtpResponse;
    /// use onwire::types::DateTime;
    ///
    /// // Sent 1 s after the device's start; 40 ms there, 2 ms in the platform, 40 ms back.
    /// let text = r#"{"deviceSendTime":"1000","serverRecvTime":"1700000000040","serverSendTime":"1700000000042"}"#;
    /// let now = NtpResponse::parse(text)?.now(DateTime::from_unix_millis(1082));
    /// assert_eq!(now.unix_millis(), 1_700_000_000_082);
    /// # Ok::<(), onwire::codec::DecodeError>(())
    /// ```
    pub fn now(&self, device_received: DateTime) -> DateTime {
        let [sent, received, answered, arrived] =
            [self.device_send, self.server_received, self.server_sent, device_received].map(DateTime::unix_millis);
        DateTime::from_unix_millis((received + answered + arrived - sent) / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime {
        DateTime::from_unix_millis(millis)
    }

    #[test]
    fn the_platform_says_back_what_the_device_said() {
        let response = ntp_response(&ntp_request(at(1000)), at(5000), at(5001)).unwrap();
        assert_eq!(response, r#"{"deviceSendTime":"1000","serverRecvTime":"5000","serverSendTime":"5001"}"#);
        let response = ntp_response(r#"{"deviceSendTime": 1000 }"#, at(5000), at(5001)).unwrap();
        assert_eq!(response, r#"{"deviceSendTime":1000,"serverRecvTime":"5000","serverSendTime":"5001"}"#);
        for request in ["", "{}", r#"{"deviceSendTime":"now"}"#, r#"{"deviceSendTime":{}}"#, r#"{"deviceSendTime":"1"#]
        {
            assert!(ntp_response(request, at(0), at(0)).is_err(), "{request}");
        }
    }

    #[test]
    fn a_device_reads_numbers_and_text() {
        let response =
            NtpResponse::parse(r#"{"serverSendTime":30,"deviceSendTime":"10","serverRecvTime":20}"#).unwrap();
        assert_eq!([response.device_send, response.server_received, response.server_sent], [at(10), at(20), at(30)]);
        assert_eq!(response.now(at(40)), at(40));
        assert!(NtpResponse::parse(r#"{"deviceSendTime":"10","serverRecvTime":20}"#).is_err());
    }

    #[test]
    fn no_clock_is_too_wrong() {
        let extreme =
            NtpResponse { device_send: at(i64::MIN), server_received: at(i64::MAX), server_sent: at(i64::MAX) };
        assert!(extreme.now(at(i64::MAX)) >= at(0));
    }
}
