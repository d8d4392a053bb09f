//! What holds for every request: how large a body may be, and how long an answer may take.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::problem::Problem;

/// The largest body, in bytes; uploads have limits of their own.
pub const BODY: usize = 1024 * 1024;

/// How long the database may take. What waits for a charge point waits as long as the request says, and events have no end.
const ANSWER: Duration = Duration::from_secs(30);

/// Gives up what takes too long.
pub async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "serverTimeout", "the server took too long").into_response()
        }
    }
}

/// Refuses what no name here can have: PostgreSQL has no place for that character.
pub async fn without_nul(request: Request, next: Next) -> Response {
    let uri = request.uri();
    if uri.path().contains("%00") || uri.query().is_some_and(|query| query.contains("%00")) {
        return Problem::bad_request("the character U+0000 stands in the path or the query").into_response();
    }
    next.run(request).await
}

/// There is no such path.
pub async fn no_such_path() -> Problem {
    Problem::not_found("there is no such path")
}

/// There is such a path, and it does not take that method.
pub async fn no_such_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed", "this path does not take that method")
}
