//! Around every request: web pages of elsewhere are kept out of the REST interface, who sends a request is found, who
//! changed what is written down, and browsers are told what they may do with an answer.
//!
//! A page of another site can have a browser send requests to addresses that only the browser can reach, such as loopback,
//! where nobody has to show a token. It cannot read the answers, and cannot send JSON or headers of its own without asking
//! first, which nobody here allows. What is left are plain forms, and names in somebody's DNS that change to an address of
//! ours; these are refused here.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::uri::Authority;
use http::{Method, StatusCode};

use super::access::caller;
use super::audit::Audited;
use crate::api::problem::Problem;
use crate::app::SharedApp;

/// What answers may load that do not say: nothing. Pages say.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// To be put around everything. A request of the REST interface, or for metrics, gets its
/// [`Caller`](super::access::Caller), or why there is none, among its extensions.
pub(crate) async fn guard(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (is_api, is_known) = (path.starts_with("/api/"), path == "/metrics");
    let mut response = match (is_api, is_known) {
        (true, _) => guarded(&app, request, next).await,
        // Programs scrape it by whatever name they know the hub.
        (false, true) => known(&app, request, next).await,
        (false, false) => next.run(request).await,
    };
    advise(&mut response, is_api);
    response
}

async fn known(app: &SharedApp, mut request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    request.extensions_mut().insert(caller(&headers, app).await);
    next.run(request).await
}

async fn guarded(app: &SharedApp, mut request: Request, next: Next) -> Response {
    // A body cannot be looked at from two threads, and waits in the request.
    let (method, headers) = (request.method().clone(), request.headers().clone());
    if let Err(problem) = judge(app, &method, &headers).await {
        return problem.into_response();
    }
    let caller = caller(&headers, app).await;
    request.extensions_mut().insert(caller.clone());
    let Ok(caller) = caller else { return next.run(request).await };
    if is_safe(&method) {
        return next.run(request).await;
    }
    let (audited, request) = match Audited::read(caller, request).await {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let change = {
        let app = Arc::clone(app);
        async move {
            let response = AssertUnwindSafe(next.run(request)).catch_unwind().await;
            let response = response.unwrap_or_else(|_| Problem::internal("a request panicked").into_response());
            audited.write(&app, response.status()).await;
            response
        }
    };
    // Whoever asked may go away; what was begun is done, and written down.
    app.changes.run(change).await.unwrap_or_else(|none| Problem::from(none).into_response())
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// What browsers are told with each answer; what a handler has set stays.
fn advise(response: &mut Response, is_api: bool) {
    let needs_token = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "same-origin");
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if is_api {
        set(CACHE_CONTROL, "no-store");
    }
    if needs_token {
        set(WWW_AUTHENTICATE, "Bearer realm=\"alink-hub\"");
    }
}

async fn judge(app: &SharedApp, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    // No page has a token.
    if headers.contains_key(AUTHORIZATION) || !app.is_open().await? {
        return Ok(());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_own_host(host) {
        let detail = format!("{host:?} is no address; with an API token any name does");
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "forbidden", detail));
    }
    if !is_safe(method) && is_of_elsewhere(headers, host) {
        let detail = "a web page of another site may not do this";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    Ok(())
}

/// Whether a `Host` is one that a browser cannot have been led to by somebody else's DNS.
fn is_own_host(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

fn is_of_elsewhere(headers: &HeaderMap, host: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(page) = headers.get(ORIGIN).or_else(|| headers.get(REFERER)) else { return false };
    let page = page.to_str().ok().and_then(|page| page.parse::<http::Uri>().ok());
    page.and_then(|page| Some(page.authority()?.as_str().eq_ignore_ascii_case(host))) != Some(true)
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

    use super::*;

    #[test]
    fn a_page_of_elsewhere_is_known_by_what_the_browser_says() {
        let elsewhere = |name: &'static str, value: &str| {
            let headers = [(HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect();
            is_of_elsewhere(&headers, "127.0.0.1:8081")
        };
        assert!(!elsewhere("accept", "*/*") && !elsewhere("sec-fetch-site", "same-origin"));
        assert!(elsewhere("sec-fetch-site", "cross-site") && elsewhere("origin", "null"));
        assert!(!elsewhere("origin", "http://127.0.0.1:8081") && elsewhere("referer", "http://127.0.0.1:8080/x"));
        assert!(is_own_host("[::1]:8081") && is_own_host("localhost") && !is_own_host("evil.example:8081"));
    }
}
