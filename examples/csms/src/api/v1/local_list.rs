//! Local lists of charge points: what they hold as far as it is known, and sending them.

use axum::Json as Answer;
use axum::extract::State;
use onwire::ocpp::v16::{AuthorizationData, GetLocalListVersionRequest, UpdateType};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::charge_points::known;
use super::commands::seconds;
use super::transactions::Waiting;
use crate::api::extract::{Json, Path, Query};
use crate::api::problem::Problem;
use crate::app::{App, SharedApp};
use crate::ocpp::local_list::{AllTags, List, ListError, Sent, all_tags};
use crate::ocpp::{self, commands};
use crate::security::access::{Operator, Viewer};
use crate::store::records::local_list::{self, Entry};
use crate::store::records::{charge_points, columns};

/// `/charge-points/{id}/local-list`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(read))
}

/// What waits for a charge point.
pub fn patient_router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(send)).routes(routes!(refresh))
}

/// A charge point's local list as it is known here.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalList {
    /// As last sent or reported; `null`: unknown, 0: empty, -1: the charge point has none.
    version: Option<i64>,
    /// By tag.
    entries: Vec<Entry>,
}

/// What is to be sent.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewList {
    /// All of it, or changes.
    #[serde(rename = "type")]
    #[schema(value_type = ListType)]
    update_type: ListType,
    /// What is in it; absent, of a full list: every tag of `/id-tags`.
    entries: Option<Vec<NewListEntry>>,
}

/// How a list is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum ListType {
    /// It takes the place of what is there.
    Full,
    /// It changes what is there.
    Differential,
}

/// An entry to be sent.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewListEntry {
    /// Whose.
    #[schema(max_length = 20)]
    id_tag: String,
    /// IdTagInfo of OCPP; absent, of changes: the entry goes. A full list needs it.
    #[schema(schema_with = columns::id_tag_info, required = false)]
    id_tag_info: Option<onwire::ocpp::v16::IdTagInfo>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListAnswer {
    /// The version that was sent last.
    version: i64,
    /// `Accepted`, `Failed`, `NotSupported` or `VersionMismatch`: the answer to the last message.
    status: String,
    /// How many messages the list takes: each has as many entries as SendLocalListMaxLength allows.
    messages: usize,
    /// How many of them the charge point has accepted; the first that is not is the last that is sent.
    accepted: usize,
    /// Tags that were left out, because OCPP has no room for them; absent if there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    left_out: Vec<String>,
}

/// The local list of a charge point, as far as it is known.
#[utoipa::path(get, path = "/charge-points/{id}/local-list", tag = "local lists", params(("id" = String, Path)),
    responses((status = OK, body = LocalList)))]
async fn read(_: Viewer, State(app): State<SharedApp>, Path(id): Path<String>) -> Result<Answer<LocalList>, Problem> {
    Ok(Answer(stored(&app, &id).await?))
}

async fn stored(app: &App, id: &str) -> Result<LocalList, Problem> {
    known(app, id).await?;
    let version = charge_points::get(&app.store, id).await?.and_then(|record| record.list_version);
    Ok(LocalList { version, entries: local_list::entries(&app.store, id).await? })
}

/// Sends a list, or changes of it, with the next version (SendLocalList).
///
/// What is longer than the charge point's SendLocalListMaxLength goes in several messages: the first as it is, the others as
/// changes, each with a version of its own; `timeoutSeconds` is for each of them. A full list that is longer than
/// LocalAuthListMaxLength is refused. Both keys count as far as they are known, which GetConfiguration sees to. While one
/// list is being sent, others are refused (409).
#[utoipa::path(post, path = "/charge-points/{id}/local-list", tag = "local lists",
    params(("id" = String, Path), Waiting), request_body = NewList, responses((status = OK, body = ListAnswer)))]
async fn send(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(waiting): Query<Waiting>,
    Json(new): Json<NewList>,
) -> Result<Answer<ListAnswer>, Problem> {
    let timeout = seconds(waiting.timeout_seconds)?;
    known(&app, &id).await?;
    let AllTags { entries, left_out } = match (new.update_type, new.entries) {
        (ListType::Full, None) => all_tags(&app).await?,
        (ListType::Differential, None) => return Err(Problem::invalid_payload("/entries", "missing")),
        (_, Some(entries)) => {
            let entry = |entry: NewListEntry| AuthorizationData {
                id_tag_info: entry.id_tag_info,
                ..AuthorizationData::new(entry.id_tag.as_str())
            };
            AllTags { entries: entries.into_iter().map(entry).collect(), left_out: Vec::new() }
        }
    };
    let kind = if new.update_type == ListType::Full { UpdateType::Full } else { UpdateType::Differential };
    let list = List { charge_point: id, kind, entries, timeout };
    let sent = ocpp::local_list::send(&app, &actor, list).await.map_err(renamed)?;
    let Sent { version, status, messages, accepted } = sent;
    Ok(Answer(ListAnswer { version, status: status.to_string(), messages, accepted, left_out }))
}

/// Where the payload's pointer stands in our body.
fn renamed(error: ListError) -> Problem {
    let mut problem = Problem::from(error);
    if problem.kind == "invalidPayload" {
        problem.pointer =
            problem.pointer.map(|pointer| pointer.replacen("/localAuthorizationList", "/entries", 1).into());
    }
    problem
}

/// Asks the charge point for the version of its list (GetLocalListVersion).
#[utoipa::path(post, path = "/charge-points/{id}/local-list/refresh", tag = "local lists",
    params(("id" = String, Path), Waiting), responses((status = OK, body = LocalList)))]
async fn refresh(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(waiting): Query<Waiting>,
) -> Result<Answer<LocalList>, Problem> {
    let timeout = seconds(waiting.timeout_seconds)?;
    let response = commands::call(&app, &actor, &id, &GetLocalListVersionRequest::new(), timeout).await?;
    let list = stored(&app, &id).await?;
    Ok(Answer(LocalList { version: Some(response.list_version), ..list }))
}
