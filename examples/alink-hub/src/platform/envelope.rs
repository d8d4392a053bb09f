//! Alink's envelope, where the runtime has not read it already.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A message of a device.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<'m> {
    /// A string or a number, which goes back as it came: there are SDKs that compare it byte for byte.
    #[serde(borrow)]
    id: Option<&'m RawValue>,
    pub(crate) method: Option<Cow<'m, str>>,
    #[serde(default)]
    pub(crate) params: Value,
    #[serde(default)]
    sys: Value,
}

impl<'m> Envelope<'m> {
    /// `None` if it is no such object.
    pub(crate) fn read(payload: &'m [u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    /// The id as JSON.
    pub(crate) fn id(&self) -> &'m str {
        self.id.map_or("\"\"", RawValue::get)
    }

    pub(crate) fn wants_answer(&self) -> bool {
        self.sys.get("ack").and_then(boolean) != Some(false)
    }
}

/// A number, or a string of digits.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A boolean, or a number or text that stands for one.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        other => whole(other).map(|number| number != 0),
    }
}

/// A member that is text, or a number or boolean in its place, as it is written; `None` if there is none.
pub(crate) fn member<'v>(of: &'v Value, name: &str) -> Option<Cow<'v, str>> {
    match of.get(name)? {
        Value::String(text) => Some(Cow::Borrowed(text)),
        other @ (Value::Number(_) | Value::Bool(_)) => Some(Cow::Owned(other.to_string())),
        _ => None,
    }
}

/// Text, or a number or boolean in its place, as it is written: SDKs send either.
pub(crate) fn text<'d, D: Deserializer<'d>>(reader: D) -> Result<String, D::Error> {
    match Value::deserialize(reader)? {
        Value::String(text) => Ok(text),
        other @ (Value::Number(_) | Value::Bool(_)) => Ok(other.to_string()),
        _ => Err(D::Error::custom("no text where text is needed")),
    }
}

/// The same, where nothing may stand as well.
pub(crate) fn optional_text<'d, D: Deserializer<'d>>(reader: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(reader)? {
        Value::Null => Ok(None),
        value => text(value).map(Some).map_err(D::Error::custom),
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    /// 200 if all is well.
    pub(crate) code: i64,
    pub(crate) data: Value,
    pub(crate) message: String,
}

impl Reply {
    pub(crate) fn ok(data: Value) -> Self {
        Self { code: 200, data, message: "success".to_owned() }
    }

    pub(crate) fn error(code: i64, message: String) -> Self {
        Self { code, data: Value::Object(Map::new()), message }
    }

    /// As it is sent. Message and data are always there: some SDKs drop answers without them.
    pub(crate) fn text(&self, id: &str) -> String {
        let message = Value::from(self.message.as_str());
        format!(r#"{{"id":{id},"code":{},"data":{},"message":{message}}}"#, self.code, self.data)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_goes_back_as_it_came() {
        for id in ["\"1|exp-topic|/sys/a/b\"", "7", "\"7\"", "1.50"] {
            let text = format!(r#"{{"id":{id},"params":{{}}}}"#);
            let envelope = Envelope::read(text.as_bytes()).unwrap();
            let reply = Reply::ok(json!({})).text(envelope.id());
            assert!(reply.starts_with(&format!("{{\"id\":{id},\"code\":200,\"data\":{{}}")), "{reply}");
            assert!(serde_json::from_str::<Value>(&reply).is_ok());
        }
        assert!(Envelope::read(b"[1]").is_none() && Envelope::read(b"\xff").is_none());
        for (ack, wants_answer) in [("0", false), ("\"0\"", false), ("false", false), ("\"False\"", false), ("1", true)]
        {
            let text = format!(r#"{{"sys":{{"ack":{ack}}}}}"#);
            assert_eq!(Envelope::read(text.as_bytes()).unwrap().wants_answer(), wants_answer, "{ack}");
        }
    }
}
