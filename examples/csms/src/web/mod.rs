//! The page, at `/web`: its files are in the binary.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode};
use rust_embed::RustEmbed;

use crate::app::SharedApp;

/// Nothing from elsewhere and nothing inline, so that a text that a charge point sent can do nothing even if it became markup.
const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "web"]
struct Files;

/// `/web`, and the way there from `/`.
pub fn router() -> Router<SharedApp> {
    Router::new()
        .route("/", get(to_page))
        .route("/web", get(to_page))
        .route("/web/", get(async |headers: HeaderMap| file("index.html", &headers)))
        .route("/web/{*path}", get(async |Path(path): Path<String>, headers: HeaderMap| file(&path, &headers)))
}

async fn to_page() -> Redirect {
    Redirect::temporary("/web/")
}

/// A browser keeps a file and asks each time whether it is still the same: a new version of the program is a new page.
fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Files::get(path) else { return StatusCode::NOT_FOUND.into_response() };
    let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&file.metadata.sha256_hash()));
    let common = [
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let known = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, common, [(ETAG, tag)]).into_response();
    }
    (common, [(CONTENT_TYPE, media_type(path).to_owned()), (ETAG, tag)], file.data).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, media_type};

    #[test]
    fn every_file_of_the_page_has_a_media_type() {
        let unknown: Vec<_> = Files::iter().filter(|path| media_type(path) == "application/octet-stream").collect();
        assert!(Files::iter().count() > 20);
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
