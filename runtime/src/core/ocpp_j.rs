//! The frames of OCPP-J: JSON arrays with a message type number in front (OCPP-J 1.6 §4.2).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;

use crate::codec::{Decoder, Quirks, write_escaped};
use crate::core::error::{CallError, ErrorCode, details, shortened};
use crate::core::frame::{BadFrame, Defect, Frame, Framing};
use crate::types::RawJson;

/// OCPP 1.6: `[2,"id","Action",{…}]`, `[3,"id",{…}]`, `[4,"id","Code","description",{…}]`. Other message types are ignored
/// (§4.1.3).
pub static FRAMING_1_6: Framing = Framing {
    split: split_1,
    open_call,
    open_send: None,
    close_call,
    open_result,
    close_result,
    error,
    refuses_unknown_types: false,
    unreadable_id: None,
};

/// OCPP 2.0.1: other message types are refused (part 4, §4.4), and so is what has no readable id (§4.2.3).
pub static FRAMING_2_0_1: Framing =
    Framing { refuses_unknown_types: true, unreadable_id: Some("\"-1\""), ..FRAMING_1_6 };

/// OCPP 2.1: also `[5,"id","Code","description",{…}]`, a CALLRESULTERROR, and `[6,"id","Action",{…}]`, a SEND. Other message
/// types are ignored (part 4, §4.4).
pub static FRAMING_2_1: Framing =
    Framing { split: split_2_1, open_send: Some(open_send), unreadable_id: Some("\"-1\""), ..FRAMING_1_6 };

const CALL: u8 = b'2';
const CALL_RESULT: u8 = b'3';
const CALL_ERROR: u8 = b'4';
const RESULT_ERROR: u8 = b'5';
const SEND: u8 = b'6';

/// The error codes as OCPP 1.6 spells them; two spellings are the specification's own and stay
/// (OCPP-J 1.6 errata §5.1, §5.2). A code outside the list is spelled as the peer sent it.
pub fn spell_1_6(code: &ErrorCode) -> &str {
    listed_1_6(code).unwrap_or_else(|| unlisted(code))
}

/// [`spell_1_6`] of a code that is in OCPP's list: a name that no peer can make up, for labels of metrics and the like.
/// `None` for [`ErrorCode::Other`].
pub fn listed_1_6(code: &ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::OccurrenceConstraintViolation => Some("OccurenceConstraintViolation"),
        // 1.6 has no such codes.
        ErrorCode::MessageTypeNotSupported | ErrorCode::RpcFrameworkError => Some("GenericError"),
        other => listed(other),
    }
}

/// The error codes as OCPP 2.0.1 and 2.1 spell them.
pub fn spell_2(code: &ErrorCode) -> &str {
    match code {
        ErrorCode::FormationViolation => "FormatViolation",
        other => listed(other).unwrap_or_else(|| unlisted(other)),
    }
}

fn listed(code: &ErrorCode) -> Option<&'static str> {
    Some(match code {
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
        ErrorCode::Other(_) => return None,
    })
}

fn unlisted(code: &ErrorCode) -> &str {
    match code {
        ErrorCode::Other(code) => code,
        _ => "",
    }
}

/// Reads a code in every spelling that any version knows.
pub fn read_code(code: &str) -> ErrorCode {
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

fn split_1(text: &str) -> Result<Frame, BadFrame> {
    split(text, &[CALL, CALL_RESULT, CALL_ERROR])
}

fn split_2_1(text: &str) -> Result<Frame, BadFrame> {
    split(text, &[CALL, CALL_RESULT, CALL_ERROR, RESULT_ERROR, SEND])
}

fn split(text: &str, kinds: &[u8]) -> Result<Frame, BadFrame> {
    let unreadable = |reason| BadFrame { defect: Defect::Unreadable, id: None, reason };
    let mut reader = Decoder::new(text, Quirks::NONE);
    if !reader.take(b'[') {
        return Err(unreadable("not a JSON array"));
    }
    let Some(kind @ b'0'..=b'9') = reader.peek() else { return Err(unreadable("no message type number")) };
    let start = reader.offset();
    reader.integer().map_err(|_| unreadable("no message type number"))?;
    let defect = match kind {
        kind if reader.offset() != start + 1 || !kinds.contains(&kind) => Defect::UnknownType,
        CALL => Defect::Call,
        _ => Defect::NotACall,
    };
    let next = |reader: &mut Decoder<'_>| -> Option<core::ops::Range<usize>> {
        if !reader.take(b',') {
            return None;
        }
        reader.peek();
        let start = reader.offset();
        reader.skip().ok()?;
        Some(start..reader.offset())
    };
    let id = next(&mut reader).filter(|id| is_id(text.get(id.clone()).unwrap_or("")));
    if defect == Defect::UnknownType {
        return Err(BadFrame { defect, id, reason: "an unknown message type number" });
    }
    let Some(id) = id else {
        let defect = if defect == Defect::Call { Defect::Unreadable } else { defect };
        return Err(BadFrame { defect, id: None, reason: "no message id" });
    };
    // From here on the sender of a CALL can be told what is wrong.
    let broken = |reason| BadFrame { defect, id: Some(id.clone()), reason };
    let end = text.trim_end().len().saturating_sub(1);
    if text.as_bytes().get(end) != Some(&b']') {
        return Err(broken("the array does not end"));
    }
    let payload = |reader: &mut Decoder<'_>| rest(reader, end).ok_or_else(|| broken("no payload"));
    let action = |reader: &mut Decoder<'_>| {
        next(reader)
            .filter(|action| text.as_bytes().get(action.start) == Some(&b'"'))
            .map(|action| action.start + 1..action.end - 1)
            .ok_or_else(|| broken("no action"))
    };
    Ok(match kind {
        CALL => Frame::Call { action: action(&mut reader)?, payload: payload(&mut reader)?, id: id.clone() },
        SEND => Frame::Send { action: action(&mut reader)?, payload: payload(&mut reader)?, id: id.clone() },
        CALL_RESULT => Frame::CallResult { payload: payload(&mut reader)?, id: id.clone() },
        RESULT_ERROR => Frame::ResultError { error: read_error(&mut reader, text), id: id.clone() },
        _ => Frame::CallError { error: read_error(&mut reader, text), id: id.clone() },
    })
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
    open(out, id, action);
}

fn open_send(out: &mut String, id: &str, action: &str) {
    out.push_str("[6,\"");
    open(out, id, action);
}

fn open(out: &mut String, id: &str, action: &str) {
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
        match split_1(text) {
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
        assert!(matches!(split_1(r#"[3,"7",{}]"#), Ok(Frame::CallResult { .. })));
        let error = |text| match split_1(text) {
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
        let defect = |text| {
            let bad = split_2_1(text).unwrap_err();
            (bad.defect, bad.id.map(|id| &text[id]))
        };
        for text in ["", "{}", "[", "[]", "[2]", "[2,null,\"A\",{}]", "[2.0,\"7\",\"A\",{}]", "é"] {
            assert_eq!(defect(text), (Defect::Unreadable, None), "{text}");
        }
        for text in
            ["[2,\"7\"]", "[2,\"7\",8,{}]", "[2,\"7\",\"A\"]", "[2,\"7\",\"A\",]", "[2,\"7\",\"A\",{}", "[2,\"7\",\"A"]
        {
            assert_eq!(defect(text), (Defect::Call, Some("\"7\"")), "{text}");
        }
        for text in ["[3,\"7\"]", "[6,\"7\"]", "[6,\"7\",\"A\"]", "[5,\"7\"", "[3]", "[4,{}]"] {
            assert_eq!(defect(text).0, Defect::NotACall, "{text}");
        }
        for text in ["[9,\"7\"]", "[22,\"7\",\"A\",{}]", "[7 , \"7\"", "[1,\"7\"]"] {
            assert_eq!(defect(text), (Defect::UnknownType, Some("\"7\"")), "{text}");
        }
        assert_eq!(defect("[9]"), (Defect::UnknownType, None));
    }

    #[test]
    fn only_2_1_knows_of_result_errors_and_sends() {
        assert!(matches!(split_2_1(r#"[6,"7","A",{}]"#), Ok(Frame::Send { .. })));
        assert!(matches!(split_2_1(r#"[5,"7","FormatViolation","",{}]"#), Ok(Frame::ResultError { .. })));
        for text in [r#"[6,"7","A",{}]"#, r#"[5,"7","FormatViolation","",{}]"#] {
            assert_eq!(split_1(text).unwrap_err().defect, Defect::UnknownType);
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
        let other = ErrorCode::Other("Coffee".into());
        assert_eq!((spell_1_6(&other), spell_2(&other), listed_1_6(&other)), ("Coffee", "Coffee", None));
        assert_eq!(spell_2(&ErrorCode::FormationViolation), "FormatViolation");
        assert_eq!(spell_2(&ErrorCode::OccurrenceConstraintViolation), "OccurrenceConstraintViolation");
    }
}
