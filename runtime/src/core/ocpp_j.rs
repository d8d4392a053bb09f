//! The frames of OCPP-J: JSON arrays with a message type number in front (OCPP-J 1.6 §4.2).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;

use crate::codec::{Decoder, Quirks, write_escaped};
use crate::core::error::{CallError, ErrorCode, details, shortened};
use crate::core::frame::{BadFrame, Frame, Framing};
use crate::types::RawJson;

/// `[2,"id","Action",{…}]`, `[3,"id",{…}]`, `[4,"id","Code","description",{…}]`.
pub static FRAMING: Framing = Framing { split, open_call, close_call, open_result, close_result, error };

const CALL: u8 = b'2';
const CALL_RESULT: u8 = b'3';
const CALL_ERROR: u8 = b'4';

/// The error codes as OCPP 1.6 spells them; two spellings are the specification's own and stay
/// (OCPP-J 1.6 errata §5.1, §5.2).
pub fn spell_1_6(code: &ErrorCode) -> &str {
    match code {
        ErrorCode::OccurrenceConstraintViolation => "OccurenceConstraintViolation",
        // 1.6 has no such codes.
        ErrorCode::MessageTypeNotSupported | ErrorCode::RpcFrameworkError => "GenericError",
        other => spell(other),
    }
}

/// The error codes as OCPP 2.0.1 and 2.1 spell them.
pub fn spell_2(code: &ErrorCode) -> &str {
    match code {
        ErrorCode::FormationViolation => "FormatViolation",
        other => spell(other),
    }
}

fn spell(code: &ErrorCode) -> &str {
    match code {
        ErrorCode::NotImplemented => "NotImplemented",
        ErrorCode::NotSupported => "NotSupported",
        ErrorCode::InternalError => "InternalError",
        ErrorCode::ProtocolError => "ProtocolError",
        ErrorCode::SecurityError => "SecurityError",
        ErrorCode::FormationViolation => "FormationViolation",
        ErrorCode::PropertyConstraintViolation => "PropertyConstraintViolation",
        ErrorCode::OccurrenceConstraintViolation => "OccurrenceConstraintViolation",
        ErrorCode::TypeConstraintViolation => "TypeConstraintViolation",
        ErrorCode::GenericError => "GenericError",
        ErrorCode::MessageTypeNotSupported => "MessageTypeNotSupported",
        ErrorCode::RpcFrameworkError => "RpcFrameworkError",
        ErrorCode::Other(code) => code,
    }
}

/// Reads a code in every spelling that any version knows.
fn read_code(code: &str) -> ErrorCode {
    match code {
        "NotImplemented" => ErrorCode::NotImplemented,
        "NotSupported" => ErrorCode::NotSupported,
        "InternalError" => ErrorCode::InternalError,
        "ProtocolError" => ErrorCode::ProtocolError,
        "SecurityError" => ErrorCode::SecurityError,
        "FormationViolation" | "FormatViolation" => ErrorCode::FormationViolation,
        "PropertyConstraintViolation" => ErrorCode::PropertyConstraintViolation,
        "OccurenceConstraintViolation" | "OccurrenceConstraintViolation" => ErrorCode::OccurrenceConstraintViolation,
        "TypeConstraintViolation" => ErrorCode::TypeConstraintViolation,
        "GenericError" => ErrorCode::GenericError,
        "MessageTypeNotSupported" => ErrorCode::MessageTypeNotSupported,
        "RpcFrameworkError" => ErrorCode::RpcFrameworkError,
        other => ErrorCode::Other(Box::from(other)),
    }
}

fn split(text: &str) -> Result<Frame, BadFrame> {
    let bad = |reason| BadFrame { call: None, reason };
    let mut reader = Decoder::new(text, Quirks::NONE);
    if !reader.take(b'[') {
        return Err(bad("not a JSON array"));
    }
    let Some(kind @ b'0'..=b'9') = reader.peek() else { return Err(bad("no message type number")) };
    reader.integer().map_err(|_| bad("no message type number"))?;
    let single_digit = text
        .get(..reader.offset())
        .is_some_and(|start| start.trim_start_matches(['[', ' ', '\t', '\n', '\r']).len() == 1);
    if !single_digit || !matches!(kind, CALL | CALL_RESULT | CALL_ERROR) {
        return Err(bad("an unknown message type number"));
    }
    let next = |reader: &mut Decoder<'_>| -> Option<core::ops::Range<usize>> {
        if !reader.take(b',') {
            return None;
        }
        reader.peek();
        let start = reader.offset();
        reader.skip().ok()?;
        Some(start..reader.offset())
    };
    let Some(id) = next(&mut reader).filter(|id| is_id(text.get(id.clone()).unwrap_or(""))) else {
        return Err(bad("no message id"));
    };
    // From here on the sender of a CALL can be told what is wrong.
    let broken = |reason| BadFrame { call: (kind == CALL).then(|| id.clone()), reason };
    let end = text.trim_end().len().saturating_sub(1);
    if text.as_bytes().get(end) != Some(&b']') {
        return Err(broken("the array does not end"));
    }
    match kind {
        CALL => {
            let action = next(&mut reader)
                .filter(|action| text.as_bytes().get(action.start) == Some(&b'"'))
                .ok_or_else(|| broken("no action"))?;
            let payload = rest(&mut reader, end).ok_or_else(|| broken("no payload"))?;
            Ok(Frame::Call { id: id.clone(), action: action.start + 1..action.end - 1, payload })
        }
        CALL_RESULT => {
            let payload = rest(&mut reader, end).ok_or_else(|| broken("no payload"))?;
            Ok(Frame::CallResult { id: id.clone(), payload })
        }
        _ => Ok(Frame::CallError { id: id.clone(), error: read_error(&mut reader, text) }),
    }
}

/// A string, or a number as some peers send it.
fn is_id(token: &str) -> bool {
    token.starts_with(['"', '-']) || token.starts_with(|first: char| first.is_ascii_digit())
}

/// The payload: what stands between the next comma and the end of the array. The payload's own decoder checks that it
/// is exactly one value, so that it is scanned once.
fn rest(reader: &mut Decoder<'_>, end: usize) -> Option<core::ops::Range<usize>> {
    if !reader.take(b',') {
        return None;
    }
    reader.peek();
    let start = reader.offset();
    (start < end).then_some(start..end)
}

/// Code, description and details. Peers leave some of them out, or send `null`, a number or `""` in their place; the call
/// has failed in any case, so that whatever cannot be read is left at its default.
fn read_error(reader: &mut Decoder<'_>, text: &str) -> CallError {
    let mut part = || {
        if !reader.take(b',') {
            return None;
        }
        reader.peek();
        let start = reader.offset();
        reader.skip().ok()?;
        text.get(start..reader.offset())
    };
    let as_text = |part: Option<&str>| {
        let part = part.filter(|part| part.starts_with('"'))?;
        Decoder::new(part, Quirks::NONE).quoted().ok().map(Cow::into_owned)
    };
    let code = as_text(part()).map_or(ErrorCode::GenericError, |code| read_code(&code));
    let mut error = CallError::new(code, as_text(part()).unwrap_or_default());
    let details = part().filter(|details| details.starts_with('{') && *details != "{}");
    error.details = details.map(RawJson::from_checked);
    error
}

fn open_call(out: &mut String, id: &str, action: &str) {
    out.push_str("[2,\"");
    out.push_str(id);
    out.push_str("\",\"");
    out.push_str(action);
    out.push_str("\",");
}

fn close_call(out: &mut String, _action: &str) {
    out.push(']');
}

fn open_result(out: &mut String, id_token: &str) {
    out.push_str("[3,");
    out.push_str(id_token);
    out.push(',');
}

fn close_result(out: &mut String) {
    out.push(']');
}

fn error(out: &mut String, id_token: &str, code: &str, error: &CallError) {
    out.push_str("[4,");
    out.push_str(id_token);
    out.push_str(",\"");
    write_escaped(out, code);
    out.push_str("\",\"");
    write_escaped(out, &shortened(&error.description));
    out.push_str("\",");
    out.push_str(details(error));
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (&str, &str, &str) {
        match split(text) {
            Ok(Frame::Call { id, action, payload }) => (&text[id], &text[action], &text[payload]),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn calls_are_split_without_looking_into_the_payload() {
        assert_eq!(parts(r#"[2,"7","Heartbeat",{}]"#), (r#""7""#, "Heartbeat", "{}"));
        assert_eq!(parts(" [ 2 , 5692377 , \"A\" , {\"a\":[1]} ]\n"), ("5692377", "A", "{\"a\":[1]} "));
        assert_eq!(parts(r#"[2,"a\"b","A",null]"#), (r#""a\"b""#, "A", "null"));
    }

    #[test]
    fn results_and_errors_of_the_field_are_correlated() {
        assert!(matches!(split(r#"[3,"7",{}]"#), Ok(Frame::CallResult { .. })));
        let error = |text| match split(text) {
            Ok(Frame::CallError { error, .. }) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(error(r#"[4,"7","FormationViolation",""]"#).code, ErrorCode::FormationViolation);
        assert_eq!(error(r#"[4,"7","NotSupported","d",""]"#).details, None);
        assert_eq!(error(r#"[4,"7"]"#).code, ErrorCode::GenericError);
        assert_eq!(error(r#"[4,"7","NotSupported",null,{}]"#), ErrorCode::NotSupported.into());
        assert_eq!(error(r#"[4,"7",404,"d",{}]"#), CallError::new(ErrorCode::GenericError, "d"));
        assert_eq!(error(r#"[4,"7","InternalError","d",{"]"#).code, ErrorCode::InternalError);
        let full = error(r#"[4,"7","Odd","d",{"a":1}]"#);
        assert_eq!((full.code, full.description.as_ref()), (ErrorCode::Other("Odd".into()), "d"));
        assert_eq!(full.details.unwrap().as_str(), r#"{"a":1}"#);
    }

    #[test]
    fn what_is_no_frame_says_why_and_whom_to_tell() {
        for text in [
            "",
            "{}",
            "[",
            "[]",
            "[2]",
            "[9,\"7\"]",
            "[22,\"7\",\"A\",{}]",
            "[3,\"7\"]",
            "[2,null,\"A\",{}]",
            "[2.0,\"7\",\"A\",{}]",
            "é",
        ] {
            let bad = split(text).unwrap_err();
            assert_eq!(bad.call, None, "{text}");
        }
        for text in
            ["[2,\"7\"]", "[2,\"7\",8,{}]", "[2,\"7\",\"A\"]", "[2,\"7\",\"A\",]", "[2,\"7\",\"A\",{}", "[2,\"7\",\"A"]
        {
            assert!(split(text).unwrap_err().call.is_some(), "{text}");
        }
    }

    #[test]
    fn error_codes_read_back_in_both_spellings() {
        for code in ["OccurenceConstraintViolation", "OccurrenceConstraintViolation"] {
            assert_eq!(read_code(code), ErrorCode::OccurrenceConstraintViolation);
        }
        assert_eq!(spell_1_6(&ErrorCode::OccurrenceConstraintViolation), "OccurenceConstraintViolation");
        assert_eq!(spell_1_6(&ErrorCode::FormationViolation), "FormationViolation");
        assert_eq!(spell_1_6(&ErrorCode::RpcFrameworkError), "GenericError");
        assert_eq!(spell_2(&ErrorCode::FormationViolation), "FormatViolation");
        assert_eq!(spell_2(&ErrorCode::OccurrenceConstraintViolation), "OccurrenceConstraintViolation");
    }
}
