//! Local lists of charge points: what they hold as far as it is known, and sending them.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use onwire::ocpp::v16::{
    AuthorizationData, GetLocalListVersionRequest, SendLocalListRequest, UpdateStatus, UpdateType,
};
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
use crate::ocpp::commands::{self, CommandError};
use crate::security::access::{Actor, Operator, Viewer};
use crate::store::records::local_list::{self, Entry};
use crate::store::records::{charge_points, columns, id_tags};

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
    /// IdTagInfo of OCPP; absent, of changes: the entry goes.
    #[schema(schema_with = columns::id_tag_info, required = false)]
    id_tag_info: Option<onwire::ocpp::v16::IdTagInfo>,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListAnswer {
    /// The version that was sent.
    pub version: i64,
    /// `Accepted`, `Failed`, `NotSupported` or `VersionMismatch`.
    pub status: String,
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
    match (new.update_type, new.entries) {
        (ListType::Full, None) => Ok(Answer(send_all(&app, &actor, &id, timeout).await?)),
        (ListType::Differential, None) => Err(Problem::invalid_payload("/entries", "missing")),
        (kind, Some(entries)) => {
            let entry = |entry: NewListEntry| AuthorizationData {
                id_tag_info: entry.id_tag_info,
                ..AuthorizationData::new(entry.id_tag.as_str())
            };
            let entries = entries.into_iter().map(entry).collect();
            let kind = if kind == ListType::Full { UpdateType::Full } else { UpdateType::Differential };
            let answer = send_list(&app, &actor, &id, kind, entries, timeout).await;
            Ok(Answer(answer.map_err(renamed)?))
        }
    }
}

/// Where the payload's pointer stands in our body.
fn renamed(error: CommandError) -> Problem {
    let mut problem = Problem::from(error);
    if problem.kind == "invalidPayload" {
        problem.pointer =
            problem.pointer.map(|pointer| pointer.replacen("/localAuthorizationList", "/entries", 1).into());
    }
    problem
}

/// Sends every tag of `/id-tags`.
///
/// # Errors
/// Those of a command.
pub async fn send_all(app: &SharedApp, actor: &Actor, id: &str, timeout: Duration) -> Result<ListAnswer, CommandError> {
    let tags = id_tags::list(&app.store, &id_tags::Filter::default(), None, i64::MAX).await?;
    let entry = |tag: id_tags::IdTag| AuthorizationData {
        id_tag_info: Some(tag.info()),
        ..AuthorizationData::new(tag.id_tag.as_str())
    };
    send_list(app, actor, id, UpdateType::Full, tags.into_iter().map(entry).collect(), timeout).await
}

async fn send_list(
    app: &SharedApp,
    actor: &Actor,
    id: &str,
    kind: UpdateType,
    entries: Vec<AuthorizationData>,
    timeout: Duration,
) -> Result<ListAnswer, CommandError> {
    let version = next_version(app, id).await?;
    let mut request = SendLocalListRequest::new(version, kind);
    request.local_authorization_list = Some(entries);
    let response = commands::call(app, actor, id, &request, timeout).await?;
    if matches!(response.status, UpdateStatus::Failed | UpdateStatus::VersionMismatch) {
        // What it holds is its own knowledge now; the next version is to follow on that.
        let asked = commands::call(app, actor, id, &GetLocalListVersionRequest::new(), timeout).await;
        if let Err(error) = asked {
            tracing::info!(charge_point = id, %error, "the version of its local list stays unknown");
        }
    }
    Ok(ListAnswer { version, status: response.status.to_string() })
}

/// The version after the one that is known; the first one is 1.
async fn next_version(app: &App, id: &str) -> Result<i64, CommandError> {
    let record = charge_points::get(&app.store, id).await?;
    let version = record.and_then(|record| record.list_version).unwrap_or(0);
    Ok(version.max(0).saturating_add(1))
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
