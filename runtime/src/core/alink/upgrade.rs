//! Updates that the platform tells of: on their topic a `code` and `data` stand in place of a method and `params`.

use alloc::string::String;

use super::framing::{self, FRAMING};
use crate::core::error::ErrorCode;
use crate::core::frame::{Defect, Frame};
use crate::types::RawJson;

/// The action as sessions know it.
const METHOD: &str = "ota.device.upgrade";

/// What stands on the topic for a frame of a session; SDKs take the id as a number.
pub(super) fn pushed(frame: &str) -> Option<String> {
    let (Frame::Call { id, payload, .. } | Frame::Send { id, payload, .. }) = (FRAMING.split)(frame).ok()? else {
        return None;
    };
    let (id, data) = (frame.get(id)?, frame.get(payload).filter(|data| !data.is_empty()).unwrap_or("{}"));
    let number = id.trim_matches('"');
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let mut out = String::with_capacity(frame.len());
    for part in ["{\"code\":\"1000\",\"data\":", data, ",\"id\":", if is_number { number } else { id }] {
        out.push_str(part);
    }
    out.push_str(",\"message\":\"success\"}");
    Some(out)
}

/// The frame for what stands on the topic, which some write as any other message.
pub(super) fn framed(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 64);
    match (FRAMING.split)(text) {
        Ok(Frame::CallError { id, error }) if error.code == ErrorCode::Other("1000".into()) => {
            write(&mut out, named(text.get(id)?)?, error.details.as_ref().map_or("{}", RawJson::as_str));
        }
        Ok(Frame::Call { id, payload, .. } | Frame::Send { id, payload, .. } | Frame::CallResult { id, payload }) => {
            // One that is not there is an object without anything in it, which says what is missing.
            let params = text.get(payload).filter(|params| !params.is_empty()).unwrap_or("{}");
            write(&mut out, named(text.get(id)?)?, params);
        }
        Err(bad) if bad.defect == Defect::Call => return framed(&framing::with_method(text, METHOD)?),
        _ => return None,
    }
    Some(out)
}

/// An id that is there.
fn named(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty())
}

fn write(out: &mut String, id: &str, params: &str) {
    for part in ["{\"id\":", id, ",\"sys\":{\"ack\":0},\"params\":", params, ","] {
        out.push_str(part);
    }
    framing::close_with_method(out, METHOD);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_has_a_code_on_its_topic_and_a_method_in_its_frame() {
        let frame =
            r#"{"id":"7","version":"1.0","sys":{"ack":0},"params":{"version":"2"},"method":"ota.device.upgrade"}"#;
        let message = r#"{"code":"1000","data":{"version":"2"},"id":7,"message":"success"}"#;
        assert_eq!(pushed(frame).as_deref(), Some(message));
        let read = r#"{"id":7,"sys":{"ack":0},"params":{"version":"2"},"method":"ota.device.upgrade"}"#;
        assert_eq!(framed(message).as_deref(), Some(read));
        for other in [
            r#"{"code":1000,"id":7,"data":{"version":"2"}}"#,
            r#"{"code":200,"id":7,"data":{"version":"2"}}"#,
            r#"{"id":7,"params":{"version":"2"}}"#,
            r#"{"id":7,"params":{"version":"2"},"method":"thing.ota.x"}"#,
        ] {
            assert_eq!(framed(other).as_deref(), Some(read), "{other}");
        }
        let empty = r#"{"id":7,"sys":{"ack":0},"params":{},"method":"ota.device.upgrade"}"#;
        for without in
            [r#"{"id":7}"#, r#"{"id":7,"code":200}"#, r#"{"id":7,"code":"1000"}"#, r#"{"id":7,"method":"x"}"#]
        {
            assert_eq!(framed(without).as_deref(), Some(empty), "{without}");
        }
        for nothing in ["", "[]", "7", r#"{"data":{}}"#, r#"{"code":"404","id":7,"data":{}}"#] {
            assert_eq!(framed(nothing), None, "{nothing}");
            assert_eq!(pushed(nothing), None, "{nothing}");
        }
    }
}
