//! Before every request, and after every answer: web pages elsewhere are kept out, and browsers are told to be careful.
//!
//! A page of another site can have a browser send requests here, with the browser's cookies, and to addresses that only the
//! browser can reach, such as loopback. It cannot read the answers, and cannot send JSON or headers of its own without
//! asking first, which nobody here allows. What is left are plain forms, links and images, and names in somebody's DNS that
//! change to an address of ours; these are refused here. Requests with an API token are not touched: no page has one.

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Method, StatusCode};
use onwire::net::Origin;

use super::access::{bearer, is_safe};
use super::client::Client;
use super::exposure;
use crate::api::problem::Problem;
use crate::app::SharedApp;

/// What answers that are no pages may load: nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What pages may load that do not say: the server's own files.
const PAGE_POLICY: &str = "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'self'";

/// To be put around everything beside `/ocpp`. The request gets its [`Client`] among its extensions.
pub async fn guard(State(app): State<SharedApp>, mut request: Request, next: Next) -> Response {
    let path_is_api = request.uri().path().starts_with("/api");
    let origin = request.extensions().get::<Origin>().cloned().unwrap_or_default();
    let client = app.security.client(&origin, request.headers());
    let is_encrypted = client.as_ref().is_ok_and(|client| client.is_encrypted);
    let may_change = has_effects(&request);
    let mut response = match judge(&app, client, &mut request).await {
        // Once begun, it is completed even if the caller goes away: what follows from a change (the end of a connection, the
        // entry in the audit log) belongs to it.
        Ok(()) if may_change => tokio::spawn(next.run(request)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request failed");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "it failed here; the log says why")
                .into_response()
        }),
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    advise(&mut response, path_is_api, is_encrypted);
    response
}

async fn judge(app: &SharedApp, client: anyhow::Result<Client>, request: &mut Request) -> Result<(), Problem> {
    let client =
        client.map_err(|error| refused(&format!("the certificate that a proxy passes is not good: {error:#}")))?;
    let is_api = request.uri().path().starts_with("/api");
    if is_api && bearer(request.headers()).is_none() {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if exposure::is_open(app).await? && !exposure::is_own_host(&app.config, host) {
            let detail = format!("{host:?} is not known as a name of this server: --host-name makes it known");
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "forbidden", detail));
        }
        if has_effects(request) && is_of_elsewhere(request.headers(), client.is_proxied) {
            return Err(refused("a web page of another site may not do this"));
        }
        let empty = request.body().is_end_stream();
        let is_unsaid = *request.method() == Method::POST && !request.headers().contains_key(ORIGIN) && !empty;
        if is_unsaid && is_form(request.headers()) {
            let detail = "the body needs a content type that says what it is, as a rule Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalidPayload", detail));
        }
    }
    request.extensions_mut().insert(client);
    Ok(())
}

fn has_effects(request: &Request) -> bool {
    !is_safe(request.method()) || request.uri().path().starts_with("/api/ocpp/")
}

fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}

/// What a form can send without asking is refused if nothing says where it is from.
fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(kind.as_str(), "" | "text/plain" | "multipart/form-data" | "application/x-www-form-urlencoded")
}

/// Whether a browser sends it for a page that is not of this server, as far as the browser says.
fn is_of_elsewhere(headers: &HeaderMap, is_proxied: bool) -> bool {
    // Newer browsers say it themselves, to servers that they trust to be who they are: by TLS, or on loopback.
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let forwarded = if is_proxied { headers.get("x-forwarded-host") } else { None };
    let host = forwarded.or_else(|| headers.get(HOST)).and_then(|host| host.to_str().ok());
    let Some(page) = headers.get(ORIGIN).or_else(|| headers.get(REFERER)) else { return false };
    host_of(page).is_none_or(|page| host.is_none_or(|host| !page.eq_ignore_ascii_case(host)))
}

/// Host and port of an `Origin` or `Referer`.
pub(super) fn host_of(value: &HeaderValue) -> Option<String> {
    let uri: http::Uri = value.to_str().ok()?.parse().ok()?;
    Some(uri.authority()?.as_str().to_owned())
}

/// What browsers are told with each answer; what a handler has set stays.
fn advise(response: &mut Response, is_api: bool, is_encrypted: bool) {
    let needs_login = response.status() == StatusCode::UNAUTHORIZED;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_page = kind.starts_with("text/html");
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "same-origin");
    // What is no page needs nothing; pages that need more than the server's own files say so themselves.
    set(CONTENT_SECURITY_POLICY, if is_page { PAGE_POLICY } else { POLICY });
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if is_api {
        set(CACHE_CONTROL, "no-store");
    }
    if is_encrypted {
        set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if needs_login {
        set(WWW_AUTHENTICATE, "Bearer realm=\"csms\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(headers: &[(&'static str, &str)], is_proxied: bool) -> bool {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        is_of_elsewhere(&headers.collect(), is_proxied)
    }

    #[test]
    fn a_page_of_elsewhere_is_known_by_what_the_browser_says() {
        let host = ("host", "127.0.0.1:8080");
        assert!(!elsewhere(&[host], false), "no browser");
        assert!(!elsewhere(&[host, ("sec-fetch-site", "same-origin"), ("origin", "http://x")], false));
        assert!(!elsewhere(&[host, ("sec-fetch-site", "none")], false), "typed by the user");
        assert!(elsewhere(&[host, ("sec-fetch-site", "cross-site")], false));
        assert!(elsewhere(&[host, ("sec-fetch-site", "same-site")], false), "another port of the same machine");
        assert!(!elsewhere(&[host, ("origin", "http://127.0.0.1:8080")], false));
        for page in ["http://127.0.0.1:8081", "http://evil.example", "null", "https://127.0.0.1"] {
            assert!(elsewhere(&[host, ("origin", page)], false), "{page}");
            assert!(elsewhere(&[host, ("referer", page)], false), "{page}");
        }
        let forwarded = [host, ("x-forwarded-host", "csms.example"), ("origin", "https://csms.example")];
        assert!(elsewhere(&forwarded, false) && !elsewhere(&forwarded, true));
    }
}
