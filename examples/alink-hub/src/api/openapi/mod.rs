//! The OpenAPI document, from the handlers, and a page to try it.

mod document;

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::app::SharedApp;

/// Where the document is.
const DOCUMENT: &str = "/api/openapi.json";

/// What the page needs: its own files, and styles that its scripts write.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/api/openapi.json`, and the page `/api/docs`. Neither has a secret or a name of what is here.
pub(super) fn router(handlers: OpenApi) -> Router<SharedApp> {
    let document = Bytes::from(document::complete(handlers).to_string());
    let answer = move || {
        let document = document.clone();
        async move { ([(CONTENT_TYPE, "application/json")], document).into_response() }
    };
    let config = Config::from(DOCUMENT).validator_url("none").display_request_duration(true).doc_expansion("none");
    let page: Router<SharedApp> = SwaggerUi::new("/api/docs").config(config).into();
    let policy = SetResponseHeaderLayer::overriding(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    Router::new().route(DOCUMENT, get(answer)).merge(page.layer(policy))
}
