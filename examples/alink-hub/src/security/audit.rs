//! Who changed what: each request that may change something, in the log.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::access::Caller;
use crate::api::is_json;
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::store::log::{self, New, Source};

/// The largest body that is written down, in bytes. Of others only the path is.
const BODY: usize = 4096;

/// The longest path that is written down, in characters.
const LONGEST: usize = 500;

/// Where nobody has to show a token.
const NOBODY: &str = "(no token)";

/// What a request wants to change.
#[derive(Debug)]
pub(super) struct Audited {
    who: String,
    what: String,
    product_key: String,
    device_name: String,
    body: Option<Value>,
}

impl Audited {
    /// Reads the request, and gives it back whole.
    ///
    /// # Errors
    /// The request was cut short.
    pub(super) async fn read(caller: Caller, request: Request) -> Result<(Self, Request), Problem> {
        let (parts, body) = request.into_parts();
        let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let is_small = length.is_some_and(|length| length <= BODY);
        let (text, body) = if is_small && is_json(&parts.headers) {
            let cut = |error| Problem::bad_request(format!("the request was cut short: {error}"));
            let bytes = to_bytes(body, BODY).await.map_err(cut)?;
            (Some(bytes.clone()), Body::from(bytes))
        } else {
            (None, body)
        };
        let mut text: Option<Value> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let (product_key, device_name) = names(parts.uri.path(), text.as_ref());
        text.iter_mut().for_each(veil);
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        let path: String = path.chars().take(LONGEST).collect();
        let what = format!("{} {}", parts.method, path.strip_prefix("/api/v1").unwrap_or(&path));
        let who = caller.name.unwrap_or_else(|| NOBODY.to_owned());
        let audited = Self { who, what, product_key, device_name, body: text };
        Ok((audited, Request::from_parts(parts, body)))
    }

    /// Writes it down, with what came of it. What was done is done: a database that fails is said in the program's own log.
    pub(super) async fn write(self, app: &SharedApp, status: StatusCode) {
        let Self { who, what, product_key, device_name, body } = self;
        let status = status.as_u16();
        let level = if status < 400 { "info" } else { "warn" };
        let content = format!("{who}: {what}: {status}");
        let mut details = json!({"who": who, "status": status});
        // What was not allowed or is not there changed nothing: whoever may only look is not to fill the disk with it.
        let body = body.filter(|_| !matches!(status, 401 | 403 | 404 | 405));
        if let (Some(details), Some(body)) = (details.as_object_mut(), body) {
            details.insert("body".to_owned(), body);
        }
        let data = json!({"level": level, "content": content, "source": "api"});
        let entry = New { source: Source::Api, level: level.to_owned(), details: Some(details), content };
        if let Err(error) = log::add(&app.store, (&product_key, &device_name), vec![entry]).await {
            tracing::error!(%error, who, what, status, "who changed what cannot be written down");
        }
        // Whoever is told finds it written.
        app.live.tell("log", &product_key, &device_name, || data);
    }
}

/// Which product and device a request is about; empty if it is about none.
fn names(path: &str, body: Option<&Value>) -> (String, String) {
    let mut parts = path.strip_prefix("/api/v1/").unwrap_or_default().split('/');
    let kind = parts.next();
    let mut of_path = |is_there: bool| {
        let part = parts.next().filter(|_| is_there)?;
        Some(percent_decode_str(part).decode_utf8_lossy().into_owned())
    };
    let of_body = |key: &str| Some(body?.get(key)?.as_str()?.chars().take(LONGEST).collect());
    let product_key = of_path(matches!(kind, Some("devices" | "products")));
    let device_name = of_path(kind == Some("devices"));
    let name = |of_path: Option<String>, key| of_path.or_else(|| of_body(key)).unwrap_or_default();
    (name(product_key, "productKey"), name(device_name, "deviceName"))
}

/// Takes secrets out.
fn veil(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(veil),
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.to_ascii_lowercase();
                if ["secret", "password", "token"].iter().any(|word| name.contains(word)) {
                    *member = "***".into();
                } else {
                    veil(member);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_about_a_device_and_tells_no_secret() {
        let mut body = json!({"productKey": "p", "deviceName": "d", "deviceSecret": "s", "more": [{"Token": 1}]});
        assert_eq!(names("/api/v1/devices", Some(&body)), ("p".to_owned(), "d".to_owned()));
        assert_eq!(names("/api/v1/devices/p/a%40b/desired", None), ("p".to_owned(), "a@b".to_owned()));
        assert_eq!(names("/api/v1/products/p/config", None), ("p".to_owned(), String::new()));
        assert_eq!(names("/api/v1/firmware/1", None), (String::new(), String::new()));
        veil(&mut body);
        let veiled = json!({"productKey": "p", "deviceName": "d", "deviceSecret": "***", "more": [{"Token": "***"}]});
        assert_eq!(body, veiled);
    }
}
