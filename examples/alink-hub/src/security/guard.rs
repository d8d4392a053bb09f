//! Before every request of the REST interface: web pages of elsewhere are kept out.
//!
//! A page of another site can have a browser send requests to addresses that only the browser can reach, such as loopback,
//! where nobody has to show a token. It cannot read the answers, and cannot send JSON or headers of its own without asking
//! first, which nobody here allows. What is left are plain forms, and names in somebody's DNS that change to an address of
//! ours; these are refused here.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, HOST, HeaderMap, HeaderValue, ORIGIN, REFERER, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::Authority;
use http::{Method, StatusCode};

use crate::api::problem::Problem;
use crate::app::SharedApp;

/// To be put around `/api`.
pub(crate) async fn guard(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    // A body cannot be looked at from two threads, and waits in the request.
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let mut response = match judge(&app, &method, &headers).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
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
    let is_safe = matches!(*method, Method::GET | Method::HEAD);
    if !is_safe && is_of_elsewhere(headers, host) {
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
