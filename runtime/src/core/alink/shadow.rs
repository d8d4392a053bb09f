//! The shadow: what a device last said of itself and what is wanted of it, as the platform keeps it.
//!
//! What the platform sends is read more liberally than it is documented: the version may stand beside the payload or in it,
//! numbers may be text, and what is missing is taken as not said.

use alloc::string::{String, ToString};

use crate::codec::{DecodeError, Decoder, Extra, Fields, Quirks, Reject, decode_with, write_escaped};
use crate::types::{RawJson, Text};

/// The shadow, or the part of it that a message tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShadowState {
    /// What the device said: an object. `None` if the message does not tell it.
    pub reported: Option<RawJson>,
    /// What is wanted of it: an object. `None` if nothing is.
    pub desired: Option<RawJson>,
    /// Each change needs a greater one.
    pub version: Option<i64>,
}

/// Why the platform refuses: the codes 400 (no JSON), 401 (no method), 403 (the version is no number), 404 (no state, or nothing
/// reported), 405 (`reported` is empty), 406 (no such method), 407 (there is no shadow yet), 408 (more than 128
/// attributes), 409 (the version is not greater than the shadow's) and 500, as far as they are documented.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the shadow refuses with code {code}: {message}")]
#[non_exhaustive]
pub struct ShadowRefused {
    /// Why, as a number; 0 if the platform gives none.
    pub code: i64,
    /// Why, for people.
    pub message: String,
}

impl ShadowRefused {
    /// There is no shadow yet.
    pub const EMPTY: i64 = 407;
    /// Somebody else changed it meanwhile.
    pub const VERSION_CONFLICT: i64 = 409;
}

/// A message on `/shadow/get/{pk}/{dn}`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShadowMessage {
    /// `reply`: the answer to a message of the device.
    Reply(Result<ShadowState, ShadowRefused>),
    /// `control`: something is wanted of the device.
    Control(ShadowState),
}

static MESSAGE: Fields = Fields::new(&["method", "payload", "version"], 0b1, 0, Extra::Skipped);
static PAYLOAD: Fields = Fields::new(&["status", "state", "version", "content"], 0, 0, Extra::Skipped);
static STATE: Fields = Fields::new(&["reported", "desired"], 0, 0, Extra::Skipped);
static CONTENT: Fields = Fields::new(&["errorcode", "errormessage"], 0, 0, Extra::Skipped);

impl ShadowMessage {
    /// Reads the message.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let mut method = Text::<32>::default();
        let mut payload = Payload::default();
        let mut version = None;
        decode_with(text, Quirks::ALL, |decoder| {
            let mut object = decoder.begin_object(&MESSAGE)?;
            while let Some(index) = decoder.next_field(&mut object)? {
                match index {
                    0 => decoder.text(&mut method)?,
                    1 => payload.read(decoder)?,
                    _ => version = whole(decoder)?,
                }
            }
            Ok(())
        })?;
        let Payload { status, mut state, code, message } = payload;
        state.version = state.version.or(version);
        Ok(match (&*method == "control", &*status == "error") {
            (true, _) => Self::Control(state),
            (false, true) => Self::Reply(Err(ShadowRefused { code, message: message.to_string() })),
            (false, false) => Self::Reply(Ok(state)),
        })
    }
}

#[derive(Default)]
struct Payload {
    status: Text<32>,
    state: ShadowState,
    code: i64,
    message: Text<1024>,
}

impl Payload {
    fn read(&mut self, decoder: &mut Decoder<'_>) -> Result<(), Reject> {
        let mut object = decoder.begin_object(&PAYLOAD)?;
        while let Some(index) = decoder.next_field(&mut object)? {
            match index {
                0 => decoder.text(&mut self.status)?,
                1 => {
                    let mut object = decoder.begin_object(&STATE)?;
                    while let Some(index) = decoder.next_field(&mut object)? {
                        // `"null"` is how a section is emptied, and nothing else that is no object says anything.
                        let section = Some(decoder.any()?).filter(|json| json.as_str().starts_with('{'));
                        match index {
                            0 => self.state.reported = section,
                            _ => self.state.desired = section,
                        }
                    }
                }
                2 => self.state.version = whole(decoder)?,
                _ => {
                    let mut object = decoder.begin_object(&CONTENT)?;
                    while let Some(index) = decoder.next_field(&mut object)? {
                        match index {
                            0 => self.code = whole(decoder)?.unwrap_or(0),
                            _ => decoder.text(&mut self.message)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// A number, or text with one; nothing for anything else.
fn whole(decoder: &mut Decoder<'_>) -> Result<Option<i64>, Reject> {
    Ok(decoder.any()?.as_str().trim_matches('"').parse().ok())
}

/// `update` of what the device says of itself: JSON, an object. `version` must be greater than the shadow's; -1 begins anew.
pub fn shadow_report(reported: &RawJson, version: i64) -> String {
    alloc::format!(r#"{{"method":"update","state":{{"reported":{}}},"version":{version}}}"#, reported.as_str())
}

/// `update` that says that the device has done what was wanted of it, so that nothing is any more.
pub fn shadow_clear_desired(version: i64) -> String {
    alloc::format!(r#"{{"method":"update","state":{{"desired":"null"}},"version":{version}}}"#)
}

/// `get`.
pub fn shadow_get() -> String {
    r#"{"method":"get"}"#.to_string()
}

/// `delete` of attributes that the device reported once; of all if none is named.
pub fn shadow_delete(attributes: &[&str], version: i64) -> String {
    let mut out = String::from(r#"{"method":"delete","state":{"reported":"#);
    if attributes.is_empty() {
        out.push_str("\"null\"");
    } else {
        for (index, attribute) in attributes.iter().enumerate() {
            out.push_str(if index == 0 { "{\"" } else { ",\"" });
            write_escaped(&mut out, attribute);
            out.push_str("\":\"null\"");
        }
        out.push('}');
    }
    out.push_str("},\"version\":");
    out.push_str(&version.to_string());
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> RawJson {
        RawJson::new(text).unwrap()
    }

    #[test]
    fn replies_tell_the_version_the_state_or_the_reason() {
        let written = r#"{"method":"reply","payload":{"status":"success","version":7},"timestamp":1}"#;
        let state = ShadowState { version: Some(7), ..ShadowState::default() };
        assert_eq!(ShadowMessage::parse(written), Ok(ShadowMessage::Reply(Ok(state))));

        let got = r#"{"method":"reply","payload":{"status":"success","state":{"reported":{"Power":1},"desired":{"Power":2}},
            "metadata":{"reported":{"Power":{"timestamp":1}}}},"version":"8","timestamp":1}"#;
        let state = ShadowState {
            reported: Some(json(r#"{"Power":1}"#)),
            desired: Some(json(r#"{"Power":2}"#)),
            version: Some(8),
        };
        assert_eq!(ShadowMessage::parse(got), Ok(ShadowMessage::Reply(Ok(state))));

        for code in ["\"409\"", "409"] {
            let refused = alloc::format!(
                r#"{{"method":"reply","payload":{{"status":"error","content":{{"errorcode":{code},"errormessage":"old"}}}}}}"#
            );
            let error = ShadowRefused { code: 409, message: "old".into() };
            assert_eq!(ShadowMessage::parse(&refused), Ok(ShadowMessage::Reply(Err(error))));
        }
    }

    #[test]
    fn what_is_wanted_is_told_from_an_answer() {
        let control = r#"{"method":"control","payload":{"status":"success","state":{"desired":{"Power":2},"reported":"null"}},
            "version":3,"timestamp":1}"#;
        let state = ShadowState { desired: Some(json(r#"{"Power":2}"#)), version: Some(3), ..ShadowState::default() };
        assert_eq!(ShadowMessage::parse(control), Ok(ShadowMessage::Control(state)));
        for nothing in ["null", "2", "[{}]", "\"\"", " \"null\""] {
            let odd = control.replace(r#"{"Power":2}"#, nothing);
            let state = ShadowState { version: Some(3), ..ShadowState::default() };
            assert_eq!(ShadowMessage::parse(&odd), Ok(ShadowMessage::Control(state)), "{odd}");
        }
        for text in ["", "[]", "{}", r#"{"method":{}}"#, r#"{"method":"reply","payload":7}"#] {
            assert!(ShadowMessage::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn requests_are_those_of_the_documentation() {
        let update = shadow_report(&json(r#"{"Power":1}"#), 1);
        assert_eq!(update, r#"{"method":"update","state":{"reported":{"Power":1}},"version":1}"#);
        let delete = shadow_delete(&["Power", "a\"b"], 2);
        assert_eq!(delete, r#"{"method":"delete","state":{"reported":{"Power":"null","a\"b":"null"}},"version":2}"#);
        assert_eq!(shadow_delete(&[], 3), r#"{"method":"delete","state":{"reported":"null"},"version":3}"#);
        assert_eq!(shadow_clear_desired(4), r#"{"method":"update","state":{"desired":"null"},"version":4}"#);
    }
}
