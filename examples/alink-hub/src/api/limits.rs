//! What holds for every request, whatever its handler.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::problem::Problem;

/// The largest body, in bytes; files have limits of their own.
pub(super) const BODY: usize = 1024 * 1024;

/// Refuses what no name here can have: PostgreSQL has no place for that character.
pub(super) async fn without_nul(request: Request, next: Next) -> Response {
    let uri = request.uri();
    if uri.path().contains("%00") || uri.query().is_some_and(|query| query.contains("%00")) {
        return Problem::bad_request("the character U+0000 stands in the path or the query").into_response();
    }
    next.run(request).await
}

/// There is no such path.
pub(super) async fn no_such_path() -> Problem {
    Problem::not_found("there is no such path")
}

/// There is such a path, and it does not take that method.
pub(super) async fn no_such_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed", "this path does not take that method")
}
