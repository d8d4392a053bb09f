//! The message log.

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
use crate::store::records::columns::Time;
use crate::store::records::messages::{self, Direction, Filter, Message, MessageKind};

/// `/messages`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which messages are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those with that charge point.
    charge_point: Option<String>,
    /// Those of that action, answers too.
    action: Option<String>,
    /// Those that go that way.
    #[param(inline)]
    direction: Option<Direction>,
    /// Those of that kind.
    #[param(inline)]
    kind: Option<MessageKind>,
    /// Those with that text in them.
    q: Option<String>,
    /// Those of then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Those of before then.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Time>,
}

/// Messages, the newest first.
#[utoipa::path(get, path = "/messages", tag = "message log", params(Wanted, Paging),
    responses((status = OK, body = Page<Message>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<Message>>, Problem> {
    let Wanted { charge_point, action, direction, kind, q, from, to } = wanted;
    let (direction, kind) = (direction.map(Direction::as_str), kind.map(MessageKind::as_str));
    let filter = Filter { charge_point, action, direction, kind, q, from, to };
    let (limit, before) = (paging.limit()?, paging.after()?);
    let items = messages::list(&app.store, &filter, before, limit + 1).await?;
    Ok(Answer(paging.page(items, None, |item| item.id.to_string())?))
}
