//! The frames of Alink, the thing-model protocol of Aliyun IoT: JSON objects with a `method` or a `code`.
//!
//! Topics belong to the MQTT adapter; the envelope names the method too, so that sessions need nothing else.

use alloc::borrow::Cow;
use alloc::string::String;

use crate::codec::write_escaped;
use crate::codec::{Decoder, Extra, Fields, Quirks};
use crate::core::error::{CallError, ErrorCode, shortened};
use crate::core::frame::{BadFrame, Defect, Frame, Framing};
use crate::types::RawJson;

/// `{"id":"1","version":"1.0","params":{…},"method":"thing.service.X"}` and
/// `{"id":"1","code":200,"data":{…},"message":"success"}`.
///
/// An id keeps its form, string or number, in the answer. A message with `"sys":{"ack":0}` is not answered.
pub static FRAMING: Framing = Framing {
    split,
    open_call,
    open_send: Some(open_send),
    close_call,
    open_result,
    close_result,
    error,
    refuses_unknown_types: false,
    unreadable_id: None,
};

static SYSTEM: Fields = Fields::new(&["ack"], 0, 0, Extra::Skipped);

static ENVELOPE: Fields =
    Fields::new(&["id", "method", "params", "code", "data", "message", "sys"], 0, 0, Extra::Skipped);

/// Codes that a device answers with: 460 and its neighbours are for parameters, 400 for a bad request, 500 for
/// the device itself.
pub fn spell(code: &ErrorCode) -> &str {
    match code {
        ErrorCode::NotImplemented | ErrorCode::NotSupported => "404",
        ErrorCode::FormationViolation | ErrorCode::ProtocolError => "400",
        ErrorCode::PropertyConstraintViolation
        | ErrorCode::OccurrenceConstraintViolation
        | ErrorCode::TypeConstraintViolation => "460",
        ErrorCode::SecurityError => "403",
        ErrorCode::Other(code) if is_number(code) => code,
        _ => "500",
    }
}

/// Whether the code can stand in JSON as a number.
fn is_number(code: &str) -> bool {
    !code.starts_with('0') && (1..=9).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
}

fn split(text: &str) -> Result<Frame, BadFrame> {
    let bad = |reason| BadFrame { defect: Defect::Unreadable, id: None, reason };
    // Platforms and SDKs repeat envelope keys with other meanings ("message" and "data" in an upgrade), so values are
    // taken as they are and judged afterwards.
    let mut reader = Decoder::new(text, Quirks::ALL);
    let mut object = reader.begin_object(&ENVELOPE).map_err(|_| bad("not a JSON object"))?;
    let mut spans: [Option<core::ops::Range<usize>>; 7] = Default::default();
    while let Some(index) = reader.next_field(&mut object).map_err(|_| bad("a broken envelope"))? {
        reader.peek();
        let start = reader.offset();
        reader.skip().map_err(|_| bad("a broken envelope"))?;
        if let Some(span) = spans.get_mut(index) {
            *span = Some(start..reader.offset());
        }
    }
    reader.finish().map_err(|_| bad("more than one value"))?;
    let [id, method, params, code, data, message, system] = spans;
    // A message without one is answered without one; an answer without one answers nothing.
    let id = id.unwrap_or(0..0);
    let unquoted = |span: &core::ops::Range<usize>| text.get(span.clone()).unwrap_or("").trim_matches('"');
    if let Some(code) = code {
        return Ok(match unquoted(&code) {
            // Where there is nothing to say, some write `""`.
            "200" => {
                let data = data.filter(|data| text.get(data.clone()) != Some("\"\""));
                Frame::CallResult { id, payload: data.unwrap_or(0..0) }
            }
            other => {
                let written = |span: Option<core::ops::Range<usize>>| text.get(span?);
                let mut error = CallError::new(ErrorCode::Other(other.into()), described(written(message)));
                let data = written(data).filter(|data| !matches!(*data, "{}" | "\"\"" | "null"));
                error.details = data.map(RawJson::from_checked);
                Frame::CallError { id, error }
            }
        });
    }
    match method {
        Some(method) if text.as_bytes().get(method.start) == Some(&b'"') => {
            let (action, payload) = (method.start + 1..method.end - 1, params.unwrap_or(0..0));
            let wants_answer = system.and_then(|system| acknowledged(text.get(system)?)).unwrap_or(true);
            Ok(match wants_answer {
                true => Frame::Call { id, action, payload },
                false => Frame::Send { id, action, payload },
            })
        }
        _ => Err(BadFrame { defect: Defect::Call, id: Some(id), reason: "neither a method nor a code" }),
    }
}

/// What a message says, as a text or as whatever else stands there.
fn described(message: Option<&str>) -> String {
    let message = message.filter(|message| *message != "null").unwrap_or_default();
    match message.starts_with('"') {
        true => Decoder::new(message, Quirks::ALL).quoted().map(Cow::into_owned).unwrap_or_default(),
        false => message.into(),
    }
}

/// Whether `sys` asks for an answer, if it says.
fn acknowledged(system: &str) -> Option<bool> {
    let mut reader = Decoder::new(system, Quirks::ALL);
    let mut object = reader.begin_object(&SYSTEM).ok()?;
    reader.next_field(&mut object).ok()??;
    reader.boolean().ok()
}

fn open_call(out: &mut String, id: &str, _action: &str) {
    out.push_str("{\"id\":\"");
    out.push_str(id);
    out.push_str("\",\"version\":\"1.0\",\"params\":");
}

/// A message that wants no answer.
fn open_send(out: &mut String, id: &str, _action: &str) {
    out.push_str("{\"id\":\"");
    out.push_str(id);
    out.push_str("\",\"version\":\"1.0\",\"sys\":{\"ack\":0},\"params\":");
}

fn close_call(out: &mut String, action: &str) {
    out.push(',');
    close_with_method(out, action);
}

/// The method, and the end of the object.
pub(super) fn close_with_method(out: &mut String, method: &str) {
    out.push_str("\"method\":\"");
    out.push_str(method);
    out.push_str("\"}");
}

/// The message with a method; `None` if it is no object, or the method no name.
#[cfg(feature = "alink")]
pub(super) fn with_method(text: &str, method: &str) -> Option<String> {
    // It comes from a topic, which may be anything.
    if method.contains(['"', '\\']) || method.contains(char::is_control) {
        return None;
    }
    let body = text.trim_end().strip_suffix('}')?.trim_end();
    let comma = if body.ends_with('{') { "" } else { "," };
    let mut out = String::with_capacity(text.len() + method.len() + 16);
    out.push_str(body);
    out.push_str(comma);
    close_with_method(&mut out, method);
    Some(out)
}

/// What is said where a refusal has no words of its own.
fn described_by(code: &ErrorCode) -> &'static str {
    match code {
        ErrorCode::NotImplemented | ErrorCode::NotSupported => "this method is not served",
        ErrorCode::SecurityError => "this is not allowed",
        ErrorCode::InternalError => "the receiver failed",
        ErrorCode::FormationViolation | ErrorCode::ProtocolError => "the message is not formed as it should be",
        ErrorCode::PropertyConstraintViolation
        | ErrorCode::OccurrenceConstraintViolation
        | ErrorCode::TypeConstraintViolation => "a parameter is wrong",
        _ => "the call was refused",
    }
}

fn open_result(out: &mut String, id_token: &str) {
    open_answer(out, id_token);
    out.push_str("200,\"data\":");
}

/// As far as the code.
fn open_answer(out: &mut String, id_token: &str) {
    out.push('{');
    if !id_token.is_empty() {
        out.push_str("\"id\":");
        out.push_str(id_token);
        out.push(',');
    }
    out.push_str("\"code\":");
}

fn close_result(out: &mut String) {
    // There are SDKs that drop an answer without it.
    out.push_str(",\"message\":\"success\"}");
}

fn error(out: &mut String, id_token: &str, code: &str, error: &CallError) {
    open_answer(out, id_token);
    out.push_str(code);
    out.push_str(",\"message\":\"");
    // Nor does an error without a text tell anybody anything.
    let description = match error.description.is_empty() {
        true => described_by(&error.code),
        false => &*error.description,
    };
    write_escaped(out, &shortened(description));
    // There are SDKs that drop an answer without `data`.
    out.push_str("\",\"data\":");
    out.push_str(error.details.as_ref().map(RawJson::as_str).filter(|data| !data.is_empty()).unwrap_or("{}"));
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_call_is_split_and_its_id_kept_as_it_came() {
        let text = r#"{"method":"thing.service.StartCharging","id":7,"params":{"Power":3.5},"version":"1.0.0"}"#;
        let Ok(Frame::Call { id, action, payload }) = split(text) else { panic!() };
        assert_eq!(
            (&text[id], &text[action], &text[payload]),
            ("7", "thing.service.StartCharging", r#"{"Power":3.5}"#)
        );
    }

    #[test]
    fn a_message_may_say_that_it_wants_no_answer() {
        let text =
            |ack: &str| format!(r#"{{"id":"1","sys":{{"ack":{ack}}},"params":{{}},"method":"thing.event.X.post"}}"#);
        for no in ["0", "\"0\"", "false", "\"false\""] {
            assert!(matches!(split(&text(no)), Ok(Frame::Send { .. })), "{no}");
        }
        for yes in ["1", "\"1\"", "true", "null"] {
            assert!(matches!(split(&text(yes)), Ok(Frame::Call { .. })), "{yes}");
        }
        assert!(matches!(split(r#"{"id":1,"sys":7,"method":"thing.event.X.post"}"#), Ok(Frame::Call { .. })));
    }

    #[test]
    fn a_call_without_an_id_is_answered_without_one() {
        let Ok(Frame::Call { id, .. }) = split(r#"{"params":{},"method":"thing.event.X.post"}"#) else { panic!() };
        assert_eq!(id, 0..0);
        let mut answer = String::new();
        open_result(&mut answer, "");
        answer.push_str("{}");
        close_result(&mut answer);
        assert_eq!(answer, r#"{"code":200,"data":{},"message":"success"}"#);
        let mut refusal = String::new();
        error(&mut refusal, "", "460", &CallError::new(ErrorCode::PropertyConstraintViolation, ""));
        assert_eq!(refusal, r#"{"code":460,"message":"a parameter is wrong","data":{}}"#);
        // Nor does what has none answer a call.
        assert!(matches!(split(&answer), Ok(Frame::CallResult { id, .. }) if id.is_empty()));
    }

    #[test]
    fn answers_are_told_by_their_code() {
        assert!(matches!(split(r#"{"id":"7","code":200,"data":{}}"#), Ok(Frame::CallResult { .. })));
        let Ok(Frame::CallError { error, .. }) = split(r#"{"id":"7","code":460,"message":"no","data":{}}"#) else {
            panic!()
        };
        assert_eq!((error.code, error.description.as_ref()), (ErrorCode::Other("460".into()), "no"));
        assert_eq!(error.details, None, "nothing is said by an empty object");
    }

    #[test]
    fn a_refusal_keeps_what_it_says() {
        let data = r#"{"Power":"5092 - property not found"}"#;
        for data in [data, r#"["Power"]"#, "\"Power\"", "7"] {
            let text = alloc::format!(r#"{{"id":"7","code":6332,"data":{data},"message":"of \"Power\"\u002e"}}"#);
            let Ok(Frame::CallError { error: read, .. }) = split(&text) else { panic!("{text}") };
            assert_eq!((&*read.description, read.details.as_ref().unwrap().as_str()), ("of \"Power\".", data));
            let mut out = String::new();
            error(&mut out, "\"7\"", "6332", &read);
            let Ok(Frame::CallError { error: again, .. }) = split(&out) else { panic!("{out}") };
            assert_eq!(again, read);
        }
        for nothing in ["{}", "null", "\"\""] {
            let text = alloc::format!(r#"{{"id":"7","code":400,"data":{nothing},"message":null}}"#);
            let Ok(Frame::CallError { error: read, .. }) = split(&text) else { panic!("{text}") };
            assert_eq!((&*read.description, read.details), ("", None));
        }
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        for text in
            ["", "[]", "{}", "{\"id\":\"1\"", "{\"id\":\"1\"} x", "{\"method\":\"a\"", "{\"id\":\"1\",\"method\":7}"]
        {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
