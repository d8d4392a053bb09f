//! Security events that charge points report.

use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::Query;
use crate::api::page::{Page, Paging};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::security::access::Viewer;
use crate::store::records::security_events::{self, SecurityEvent};

/// `/security-events`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which events are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those of that charge point.
    charge_point: Option<String>,
}

/// Security events, the newest first.
#[utoipa::path(get, path = "/security-events", tag = "security events", params(Wanted, Paging),
    responses((status = OK, body = Page<SecurityEvent>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<SecurityEvent>>, Problem> {
    let (limit, before) = (paging.limit()?, paging.after()?);
    let items = security_events::list(&app.store, wanted.charge_point, before, limit + 1).await?;
    Ok(Answer(paging.page(items, None, |item| item.id.to_string())?))
}
