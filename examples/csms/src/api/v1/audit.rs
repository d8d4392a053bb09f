//! The audit log.

use axum::Json as Answer;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::Query;
use crate::api::page::{Page, Paging};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::security::access::Admin;
use crate::store::records::audit::{self, AuditEntry};

/// `/audit`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What was done, the newest first.
#[utoipa::path(get, path = "/audit", tag = "audit log", params(Paging),
    responses((status = OK, body = Page<AuditEntry>)))]
async fn list(
    _: Admin,
    State(app): State<SharedApp>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<AuditEntry>>, Problem> {
    let (limit, before) = (paging.limit()?, paging.after()?);
    let items = audit::list(&app.store, before, limit + 1).await?;
    Ok(Answer(paging.page(items, None, |item| item.id.to_string())?))
}
