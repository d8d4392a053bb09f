//! Errors of the REST interface: `application/problem+json` (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::store::StoreError;

/// What a request failed with.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// HTTP status code.
    pub status: u16,
    /// The status in words.
    pub title: &'static str,
    /// For programs: `offline`, `timeout`, `callError`, `invalidPayload`, ..
    pub kind: &'static str,
    /// For people.
    pub detail: String,
    /// JSON pointer to what is wrong with the request's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<Box<str>>,
    /// Error code of a charge point's CALLERROR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Box<str>>,
    /// Its description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Box<str>>,
    /// Its details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<serde_json::Value>>,
}

impl Problem {
    /// A problem with its machine-readable kind.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error"),
            kind,
            detail: detail.into(),
            pointer: None,
            code: None,
            description: None,
            details: None,
        }
    }

    /// There is nothing under this path. What only the query or the body names is not this: it is
    /// [`Self::bad_request`] or [`Self::invalid_payload`].
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", what)
    }

    /// It is there already, or something else stands against it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// The path or the query is not what it should be.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "badRequest", detail)
    }

    /// The body is not what it should be, there.
    pub fn invalid_payload(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let pointer = Some(pointer.into());
        Self {
            pointer: pointer.map(Into::into),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalidPayload", detail)
        }
    }

    /// Known, and not allowed.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this needs more rights")
    }

    /// Nobody has proved who they are.
    pub fn unauthorized(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "storeUnavailable", "the database failed; the log says why")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
