//! Errors of the REST interface: `application/problem+json` (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::Value;

use crate::changes::NoOutcome;
use crate::model::Invalid;
use crate::platform::calls::CallError;
use crate::store::StoreError;

/// What a request failed with.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// HTTP status code.
    status: u16,
    /// The status in words.
    title: &'static str,
    /// For programs: `offline`, `timeout`, `refused`, `invalidPayload`, ..
    kind: &'static str,
    /// For people.
    detail: String,
    /// JSON pointer to what is wrong with the request's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<Box<str>>,
    /// Code of the device's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    /// Data of the device's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<Value>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error"),
            kind,
            detail: detail.into(),
            pointer: None,
            code: None,
            data: None,
        }
    }

    /// There is nothing under this path. What only the query or the body names is not this: it is
    /// [`Self::bad_request`] or [`Self::invalid`].
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", what)
    }

    /// It is there already, or something else stands against it.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// The path or the query is not what it should be.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "badRequest", detail)
    }

    /// The body is not what it should be, there.
    pub(crate) fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalidPayload", detail);
        Self { pointer: Some(pointer.into()), ..problem }
    }

    /// Something that was not foreseen.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the hub failed; its log says why")
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(&invalid.pointer, invalid.reason)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "storeUnavailable", "the database failed; the log says why")
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let (status, kind) = match &error {
            CallError::Offline => (StatusCode::CONFLICT, "offline"),
            CallError::Lost => (StatusCode::BAD_GATEWAY, "connectionLost"),
            CallError::Unknown => (StatusCode::NOT_FOUND, "notFound"),
            CallError::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            CallError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            CallError::NotSent => (StatusCode::CONFLICT, "notSent"),
            CallError::Refused(_) => (StatusCode::BAD_GATEWAY, "refused"),
        };
        let problem = Self::new(status, kind, error.to_string());
        match error {
            CallError::Refused(reply) => Self { code: Some(reply.code), data: Some(Box::new(reply.data)), ..problem },
            _ => problem,
        }
    }
}

impl From<NoOutcome> for Problem {
    fn from(none: NoOutcome) -> Self {
        match none {
            NoOutcome::TooMany => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", none.to_string()),
            NoOutcome::Panicked => Self::internal(none),
        }
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
