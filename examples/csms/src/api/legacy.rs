//! `/api/ocpp`: the paths and parameters that users of another server have in their scripts.
//!
//! | request | answer |
//! |---|---|
//! | `GET connections` | `{"count", "connections": [{"cpId", "remoteAddress", "connectedSince", "lastCommunicationTime"}]}` |
//! | `GET status/{cpId}` | [`Status`] |
//! | `GET remoteStart/{cpId}?idTag=&connectorId=` | `{"cpId", "status"}`, the charge point's word |
//! | `GET remoteStop/{cpId}?transactionId=` | `{"cpId", "status"}` |
//! | `GET localList/version/{cpId}?timeoutSeconds=` | `{"cpId", "listVersion"}` |
//! | `GET localList/full/{cpId}?timeoutSeconds=` | `{"cpId", "listVersion", "status"}`; sends every tag of `/api/v1/id-tags` |
//! | `POST localList/diff/{cpId}?timeoutSeconds=` | `{"cpId", "listVersion", "status"}`; the body is a SendLocalList request |
//!
//! Errors are problems, as everywhere here. A GET with effects could be sent by any page that a browser shows, so that
//! those take API tokens, or nothing where nobody has to log in, and never cookies.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use onwire::codec::{self, Quirks};
use onwire::ocpp::v16::{
    GetLocalListVersionRequest, RemoteStartTransactionRequest, RemoteStopTransactionRequest, SendLocalListRequest,
    SendLocalListResponse, UpdateType,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{JsonText, Path, Query};
use super::problem::Problem;
use super::v1::charge_points::{find, known};
use super::v1::commands::seconds;
use crate::app::SharedApp;
use crate::ocpp::commands::{self, Command, CommandError};
use crate::ocpp::local_list::{self, AllTags, List, all_tags};
use crate::security::access::{Operator, TokenOperator, Viewer};
use crate::store::records::columns::{Json, Time};

/// How long a local list is waited for, in seconds.
const LIST_TIMEOUT: u64 = 10;

/// `/api/ocpp`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(connections))
        .routes(routes!(status))
        .routes(routes!(remote_start))
        .routes(routes!(remote_stop))
        .routes(routes!(list_version))
        .routes(routes!(list_full))
        .routes(routes!(list_diff))
}

/// Who is connected.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// How many.
    count: usize,
    /// By identity.
    connections: Vec<Connection>,
}

/// A charge point that is connected.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Its identity.
    cp_id: String,
    /// From where.
    remote_address: Option<String>,
    /// Since when.
    connected_since: Time,
    /// When its last message came in.
    last_communication_time: Time,
}

/// A charge point, its connectors, and what its BootNotification said.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its identity.
    cp_id: String,
    /// Whether it is connected.
    connected: bool,
    /// The status of the charge point as a whole, or of its first connector; `null` before the first StatusNotification.
    status: Option<String>,
    /// Status by connector.
    #[schema(value_type = BTreeMap<String, String>)]
    connectors: BTreeMap<i64, String>,
    /// chargePointVendor.
    vendor: Option<String>,
    /// chargePointModel.
    model: Option<String>,
    /// chargePointSerialNumber, or else chargeBoxSerialNumber.
    serial_number: Option<String>,
    /// firmwareVersion.
    firmware_version: Option<String>,
    /// Of its SIM card.
    iccid: Option<String>,
    /// Of its SIM card.
    imsi: Option<String>,
    /// `customData.moduleVersion`.
    module_version: Option<Value>,
    /// `customData.networkType`.
    network_type: Option<Value>,
    /// Everything that the BootNotification had beyond the schema.
    #[schema(value_type = Option<Object>)]
    extras: Option<Json>,
    /// When its last message came in.
    last_communication_time: Option<Time>,
}

/// The charge point's word.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Word {
    /// Its identity.
    cp_id: String,
    /// `Accepted` or `Rejected`.
    status: String,
}

/// A version of a local list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListVersion {
    /// The charge point's identity.
    cp_id: String,
    /// 0: the list is empty, -1: there is none.
    list_version: i64,
}

/// What came of a local list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListSent {
    /// The charge point's identity.
    cp_id: String,
    /// The version that was sent last.
    list_version: i64,
    /// `Accepted`, `Failed`, `NotSupported` or `VersionMismatch`.
    status: String,
    /// Tags that were left out, because OCPP has no room for them; absent if there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    left_out: Vec<String>,
}

/// Whom to start for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Start {
    /// Who charges.
    #[param(min_length = 1, max_length = 20)]
    id_tag: String,
    /// On which connector; absent: the charge point chooses.
    #[param(minimum = 1)]
    connector_id: Option<i64>,
}

/// What to stop.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Stop {
    /// Which transaction.
    transaction_id: i64,
}

/// How long an answer is waited for.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Waiting {
    /// How long the answer is waited for, counted from the request.
    #[param(minimum = 1, maximum = 600, default = 10)]
    timeout_seconds: Option<u64>,
}

impl Waiting {
    fn timeout(&self) -> Result<Duration, Problem> {
        seconds(Some(self.timeout_seconds.unwrap_or(LIST_TIMEOUT)))
    }
}

/// Who is connected.
#[utoipa::path(get, path = "/connections", tag = "legacy", responses((status = OK, body = Connections)))]
async fn connections(_: Viewer, State(app): State<SharedApp>) -> Answer<Connections> {
    let connection = |found: onwire::net::ConnectedPeer| Connection {
        cp_id: found.peer.identity().to_owned(),
        remote_address: found.remote.map(|remote| remote.to_string()),
        connected_since: found.since.into(),
        last_communication_time: found.last_message.into(),
    };
    let mut connections: Vec<_> = app.peers.list().into_iter().map(connection).collect();
    connections.sort_unstable_by(|one, other| one.cp_id.cmp(&other.cp_id));
    Answer(Connections { count: connections.len(), connections })
}

/// A charge point and its device information.
#[utoipa::path(get, path = "/status/{cpId}", tag = "legacy", params(("cpId" = String, Path)),
    responses((status = OK, body = Status)))]
async fn status(_: Viewer, State(app): State<SharedApp>, Path(id): Path<String>) -> Result<Answer<Status>, Problem> {
    let found = find(&app, &id).await?;
    let record = found.record;
    let extras: Value =
        record.extras.as_ref().and_then(|extras| serde_json::from_str(&extras.0).ok()).unwrap_or_default();
    let extra = |name: &str| {
        let custom = extras.get("customData").and_then(|custom| custom.get(name));
        custom.or_else(|| extras.get(name)).cloned()
    };
    Ok(Answer(Status {
        cp_id: id,
        connected: found.connected,
        status: found.connectors.first().map(|connector| connector.status.clone()),
        connectors: found.connectors.into_iter().map(|connector| (connector.connector, connector.status)).collect(),
        vendor: record.vendor,
        model: record.model,
        serial_number: record.serial_number.or(record.charge_box_serial_number),
        firmware_version: record.firmware_version,
        iccid: record.iccid,
        imsi: record.imsi,
        module_version: extra("moduleVersion"),
        network_type: extra("networkType"),
        extras: record.extras,
        last_communication_time: record.last_seen_at,
    }))
}

/// Starts a transaction (RemoteStartTransaction).
#[utoipa::path(get, path = "/remoteStart/{cpId}", tag = "legacy", params(("cpId" = String, Path), Start),
    responses((status = OK, body = Word)))]
async fn remote_start(
    TokenOperator(actor): TokenOperator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(start): Query<Start>,
) -> Result<Answer<Word>, Problem> {
    if start.id_tag.is_empty() {
        return Err(Problem::bad_request("`idTag` is empty"));
    }
    let mut request = RemoteStartTransactionRequest::new(start.id_tag.as_str());
    request.connector_id = start.connector_id;
    let response = commands::call(&app, &actor, &id, &request, commands::TIMEOUT).await.map_err(of_query)?;
    Ok(Answer(Word { cp_id: id, status: response.status.to_string() }))
}

/// There is no body that a pointer could point into.
fn of_query(error: CommandError) -> Problem {
    match error {
        CommandError::Unsendable(_) => Problem::bad_request(error.to_string()),
        error => error.into(),
    }
}

/// Stops a transaction (RemoteStopTransaction).
#[utoipa::path(get, path = "/remoteStop/{cpId}", tag = "legacy", params(("cpId" = String, Path), Stop),
    responses((status = OK, body = Word)))]
async fn remote_stop(
    TokenOperator(actor): TokenOperator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(stop): Query<Stop>,
) -> Result<Answer<Word>, Problem> {
    let request = RemoteStopTransactionRequest::new(stop.transaction_id);
    let response = commands::call(&app, &actor, &id, &request, commands::TIMEOUT).await.map_err(of_query)?;
    Ok(Answer(Word { cp_id: id, status: response.status.to_string() }))
}

/// Asks for the version of the local list (GetLocalListVersion).
#[utoipa::path(get, path = "/localList/version/{cpId}", tag = "legacy", params(("cpId" = String, Path), Waiting),
    responses((status = OK, body = ListVersion)))]
async fn list_version(
    TokenOperator(actor): TokenOperator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(waiting): Query<Waiting>,
) -> Result<Answer<ListVersion>, Problem> {
    let request = GetLocalListVersionRequest::new();
    let response = commands::call(&app, &actor, &id, &request, waiting.timeout()?).await?;
    Ok(Answer(ListVersion { cp_id: id, list_version: response.list_version }))
}

/// Sends every id tag as the local list (SendLocalList), in as many messages as it takes.
#[utoipa::path(get, path = "/localList/full/{cpId}", tag = "legacy", params(("cpId" = String, Path), Waiting),
    responses((status = OK, body = ListSent)))]
async fn list_full(
    TokenOperator(actor): TokenOperator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(waiting): Query<Waiting>,
) -> Result<Answer<ListSent>, Problem> {
    let timeout = waiting.timeout()?;
    known(&app, &id).await?;
    let AllTags { entries, left_out } = all_tags(&app).await?;
    let list = List { charge_point: id.clone(), kind: UpdateType::Full, entries, timeout };
    let sent = local_list::send(&app, &actor, list).await?;
    Ok(Answer(ListSent { cp_id: id, list_version: sent.version, status: sent.status.to_string(), left_out }))
}

/// Sends a SendLocalList request as it is.
#[utoipa::path(post, path = "/localList/diff/{cpId}", tag = "legacy", params(("cpId" = String, Path), Waiting),
    request_body = super::openapi::SendLocalListBody, responses((status = OK, body = ListSent)))]
async fn list_diff(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(waiting): Query<Waiting>,
    JsonText(request): JsonText,
) -> Result<Answer<ListSent>, Problem> {
    let action = commands::find("SendLocalList").ok_or(CommandError::Failed)?;
    let command = Command {
        charge_point: id.clone(),
        action,
        request: request.clone(),
        timeout: waiting.timeout()?,
        judged: true,
    };
    let response = commands::send(&app, &actor, command).await?;
    // Both were judged before.
    let sent: SendLocalListRequest = codec::decode(&request, Quirks::ALL).map_err(CommandError::InvalidResponse)?;
    let answer: SendLocalListResponse = codec::decode(&response, Quirks::ALL).map_err(CommandError::InvalidResponse)?;
    let (list_version, status) = (sent.list_version, answer.status.to_string());
    Ok(Answer(ListSent { cp_id: id, list_version, status, left_out: Vec::new() }))
}
