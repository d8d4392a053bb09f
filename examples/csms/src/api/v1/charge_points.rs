//! Charge points, with their connectors and configuration.

use std::collections::HashMap;

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use onwire::net::ConnectedPeer;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::change::given;
use crate::api::extract::{Json, Path, Query};
use crate::api::page::{At, Page, Paging};
use crate::api::problem::Problem;
use crate::app::{App, SharedApp};
use crate::security::access::{Admin, Operator, Viewer};
use crate::security::logins;
use crate::store::records::audit::{self, NewEntry};
use crate::store::records::charge_points::{self, BootPolicy, ChargePointRecord, ConnectorRecord, Filter, Settings};
use crate::store::records::columns::{Flag, Time};
use crate::store::records::configuration::{self, ConfigurationKey};
use crate::store::records::meter_values::{self, ChargePointValue};
use crate::store::{StoreError, records, transactions};
use crate::time;

/// `/charge-points`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, remove))
        .routes(routes!(configuration_keys))
        .routes(routes!(values))
}

/// A charge point.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChargePoint {
    /// What the database knows.
    #[serde(flatten)]
    pub record: ChargePointRecord,
    /// Whether it is connected now.
    pub connected: bool,
    /// Since when.
    pub connected_since: Option<Time>,
    /// From where.
    pub remote_address: Option<String>,
    /// What it was seen to do otherwise than the schema says, since it connected.
    pub quirks: Vec<String>,
    /// By how many milliseconds its clock is ahead, steadily and by more than a minute; `null` if it is not, as far as its
    /// messages since it connected show.
    pub clock_lead_ms: Option<i64>,
    /// Its connectors; 0 is the charge point as a whole.
    pub connectors: Vec<ConnectorRecord>,
}

/// Which charge points are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those that are connected, or those that are not.
    connected: Option<bool>,
    /// Those with a connector of that status.
    status: Option<String>,
    /// Those with that text in identity, vendor, model, serial number or note.
    q: Option<String>,
}

/// A charge point that an operator enters.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewChargePoint {
    /// Identity of its URL.
    #[schema(min_length = 1, max_length = 48, pattern = r"^[^\x00-\x1f\x7f/]+$")]
    id: String,
    /// What its BootNotification is answered with; absent: the server's default.
    boot_policy: Option<BootPolicy>,
    /// Anything.
    #[schema(max_length = 1000)]
    note: Option<String>,
    /// The lowest security profile it may connect with.
    #[schema(minimum = 0, maximum = 3)]
    security_profile: Option<i64>,
    /// After how many seconds of silence it is sent a ping; absent: the server's default, 120. From its next connection on.
    #[schema(minimum = 5, maximum = 86400)]
    ping_interval: Option<i64>,
    /// How many seconds its answer to a ping may take; absent: the server's default, 30. From its next connection on.
    #[schema(minimum = 5, maximum = 3600)]
    ping_timeout: Option<i64>,
}

/// What is to be changed; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChargePointChange {
    /// What its BootNotification is answered with; `null`: the server's default.
    #[serde(default, deserialize_with = "given")]
    boot_policy: Option<Option<BootPolicy>>,
    /// Anything.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 1000)]
    note: Option<Option<String>>,
    /// The lowest security profile it may connect with.
    #[schema(minimum = 0, maximum = 3)]
    security_profile: Option<i64>,
    /// After how many seconds of silence it is sent a ping; `null`: the server's default, 120. From its next connection on.
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 5, maximum = 86400)]
    ping_interval: Option<Option<i64>>,
    /// How many seconds its answer to a ping may take; `null`: the server's default, 30. From its next connection on.
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 5, maximum = 3600)]
    ping_timeout: Option<Option<i64>>,
}

/// The configuration keys that are known.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// By name.
    items: Vec<ConfigurationKey>,
}

/// The charge point of that identity.
///
/// # Errors
/// There is none.
pub async fn find(app: &App, id: &str) -> Result<ChargePoint, Problem> {
    let record = match charge_points::get(&app.store, id).await? {
        Some(record) => record,
        None if app.peers.find(id).is_some() => blank(id),
        None => return Err(unknown(id)),
    };
    let mut found = complete(app, vec![record]).await?;
    found.pop().ok_or_else(|| unknown(id))
}

/// Refuses an identity that neither the database knows nor a connection has.
///
/// # Errors
/// There is none.
pub async fn known(app: &App, id: &str) -> Result<(), Problem> {
    if is_known(app, id).await? { Ok(()) } else { Err(unknown(id)) }
}

/// Whether the database knows an identity or a connection has it.
///
/// # Errors
/// The database failed.
pub async fn is_known(app: &App, id: &str) -> Result<bool, Problem> {
    Ok(app.peers.get(id).is_some() || charge_points::get(&app.store, id).await?.is_some())
}

pub(super) fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("there is no charge point {id:?}"))
}

/// One that has connected and not said anything yet.
fn blank(id: &str) -> ChargePointRecord {
    ChargePointRecord {
        id: id.to_owned(),
        boot_policy: None,
        accepted: Flag(0),
        registered: Flag(0),
        note: None,
        protocol: None,
        vendor: None,
        model: None,
        serial_number: None,
        charge_box_serial_number: None,
        firmware_version: None,
        iccid: None,
        imsi: None,
        meter_type: None,
        meter_serial_number: None,
        extras: None,
        booted_at: None,
        last_seen_at: None,
        firmware_status: None,
        firmware_status_at: None,
        diagnostics_status: None,
        diagnostics_status_at: None,
        log_status: None,
        log_status_at: None,
        list_version: None,
        security_profile: 0,
        ping_interval: None,
        ping_timeout: None,
        refused_calls: 0,
        refused_call: None,
        refused_call_at: None,
        has_key: Flag(0),
        created_at: Time(crate::time::now()),
    }
}

/// With connectors and connections.
async fn complete(app: &App, records: Vec<ChargePointRecord>) -> Result<Vec<ChargePoint>, StoreError> {
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let mut connectors: HashMap<String, Vec<ConnectorRecord>> = HashMap::new();
    for connector in charge_points::connectors(&app.store, &ids).await? {
        connectors.entry(connector.charge_point.clone()).or_default().push(connector);
    }
    let mut complete = |mut record: ChargePointRecord| {
        if let Some(refused) = app.refusals.waiting(&record.id) {
            record.refused_calls = record.refused_calls.saturating_add(refused.calls);
            record.refused_call = Some(refused.latest);
            record.refused_call_at = Some(Time(refused.at));
        }
        let connectors = connectors.remove(&record.id).unwrap_or_default();
        let clock_lead = app.clocks.lead(&record.id);
        with_connection(app.peers.find(&record.id).as_ref(), record, connectors, clock_lead)
    };
    Ok(records.into_iter().map(&mut complete).collect())
}

fn with_connection(
    connection: Option<&ConnectedPeer>,
    mut record: ChargePointRecord,
    connectors: Vec<ConnectorRecord>,
    clock_lead_ms: Option<i64>,
) -> ChargePoint {
    if let Some(connection) = connection {
        // The database is told now and then, the connection knows.
        record.last_seen_at = record.last_seen_at.max(Some(connection.last_message.into()));
        record.protocol = connection.subprotocol.map(str::to_owned).or(record.protocol);
    }
    ChargePoint {
        connected: connection.is_some(),
        connected_since: connection.map(|connection| connection.since.into()),
        remote_address: connection.and_then(|connection| connection.remote).map(|remote| remote.to_string()),
        quirks: connection.map_or_else(Vec::new, |connection| {
            connection.peer.noticed_quirks().iter().map(|quirk| format!("{quirk:?}")).collect()
        }),
        clock_lead_ms,
        record,
        connectors,
    }
}

/// Charge points by identity.
#[utoipa::path(get, path = "/charge-points", tag = "charge points", params(Wanted, Paging),
    responses((status = OK, body = Page<ChargePoint>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<ChargePoint>>, Problem> {
    let (limit, after) = (paging.limit()?, paging.after::<String>()?);
    let filter = Filter { status: wanted.status, q: wanted.q };
    let (records, total) = match wanted.connected {
        None => {
            let total = charge_points::count(&app.store, &filter).await?;
            (charge_points::list(&app.store, &filter, after, limit + 1).await?, total)
        }
        // Who is connected stands in no table.
        Some(connected) => {
            let mut ids = charge_points::ids(&app.store, &filter).await?;
            ids.retain(|id| app.peers.get(id).is_some() == connected);
            let total = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            // In an order of this program's own: databases have several.
            ids.sort_unstable();
            ids.retain(|id| after.as_ref().is_none_or(|after| id > after));
            ids.truncate(usize::try_from(limit + 1).unwrap_or(usize::MAX));
            let mut records = charge_points::with_ids(&app.store, &ids).await?;
            records.sort_unstable_by(|one, other| one.id.cmp(&other.id));
            (records, total)
        }
    };
    let items = complete(&app, records).await?;
    Ok(Answer(paging.page(items, Some(total), |item| item.record.id.clone())?))
}

/// Enters a charge point before it connects, or registers one that came by itself.
#[utoipa::path(post, path = "/charge-points", tag = "charge points", request_body = NewChargePoint,
    responses((status = CREATED, body = ChargePoint)))]
async fn create(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Json(new): Json<NewChargePoint>,
) -> Result<(StatusCode, Answer<ChargePoint>), Problem> {
    let length = new.id.chars().count();
    if length == 0 || length > 48 || new.id.chars().any(|character| character.is_control() || character == '/') {
        return Err(Problem::invalid_payload(
            "/id",
            "from 1 to 48 characters, none of them `/` or a control character",
        ));
    }
    judge(new.note.as_deref(), new.security_profile)?;
    judge_pings(new.ping_interval, new.ping_timeout)?;
    let settings = Settings {
        boot_policy: Some(new.boot_policy),
        note: Some(new.note),
        security_profile: Some(new.security_profile.unwrap_or(0)),
        ping_interval: Some(new.ping_interval),
        ping_timeout: Some(new.ping_timeout),
    };
    let id = new.id.clone();
    let entry = NewEntry::done(&actor, "create", format!("charge-points/{id}"), &detail(&settings));
    let entered = app.store.write(move |db| {
        Box::pin(async move {
            let entered = charge_points::enter(db, &id, &settings).await?;
            if entered {
                audit::enter(db, entry).await?;
            }
            Ok(entered)
        })
    });
    if !entered.await? {
        return Err(Problem::conflict(format!("there is a charge point {:?} already", new.id)));
    }
    Ok((StatusCode::CREATED, Answer(find(&app, &new.id).await?)))
}

fn judge(note: Option<&str>, security_profile: Option<i64>) -> Result<(), Problem> {
    if note.is_some_and(|note| note.chars().count() > 1000) {
        return Err(Problem::invalid_payload("/note", "longer than 1000 characters"));
    }
    if security_profile.is_some_and(|profile| !(0..=3).contains(&profile)) {
        return Err(Problem::invalid_payload("/securityProfile", "from 0 to 3"));
    }
    Ok(())
}

fn judge_pings(interval: Option<i64>, timeout: Option<i64>) -> Result<(), Problem> {
    if interval.is_some_and(|seconds| !(5..=86_400).contains(&seconds)) {
        return Err(Problem::invalid_payload("/pingInterval", "from 5 to 86400 seconds"));
    }
    if timeout.is_some_and(|seconds| !(5..=3600).contains(&seconds)) {
        return Err(Problem::invalid_payload("/pingTimeout", "from 5 to 3600 seconds"));
    }
    Ok(())
}

fn detail(settings: &Settings) -> serde_json::Value {
    json!({
        "bootPolicy": settings.boot_policy.flatten(), "note": settings.note.clone().flatten(),
        "securityProfile": settings.security_profile, "pingInterval": settings.ping_interval.flatten(),
        "pingTimeout": settings.ping_timeout.flatten(),
    })
}

/// A charge point.
#[utoipa::path(get, path = "/charge-points/{id}", tag = "charge points", params(("id" = String, Path)),
    responses((status = OK, body = ChargePoint)))]
async fn read(_: Viewer, State(app): State<SharedApp>, Path(id): Path<String>) -> Result<Answer<ChargePoint>, Problem> {
    Ok(Answer(find(&app, &id).await?))
}

/// Changes what an operator sets. A higher `securityProfile`, and a `bootPolicy` of `reject`, end the connection: what the
/// charge point was let in with holds no longer.
#[utoipa::path(patch, path = "/charge-points/{id}", tag = "charge points", params(("id" = String, Path)),
    request_body = ChargePointChange, responses((status = OK, body = ChargePoint)))]
async fn change(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Json(change): Json<ChargePointChange>,
) -> Result<Answer<ChargePoint>, Problem> {
    judge(change.note.as_ref().and_then(|note| note.as_deref()), change.security_profile)?;
    judge_pings(change.ping_interval.flatten(), change.ping_timeout.flatten())?;
    let settings = Settings {
        boot_policy: change.boot_policy,
        note: change.note,
        security_profile: change.security_profile,
        ping_interval: change.ping_interval,
        ping_timeout: change.ping_timeout,
    };
    let (policy, profile) = (settings.boot_policy.flatten(), settings.security_profile);
    let entry = NewEntry::done(&actor, "change", format!("charge-points/{id}"), &detail(&settings));
    let name = id.clone();
    let changed = app.store.write(move |db| {
        Box::pin(async move {
            let changed = records::charge_points::change(db, &name, &settings).await?;
            if changed.is_some() {
                audit::enter(db, entry).await?;
            }
            Ok(changed)
        })
    });
    let Some(before) = changed.await? else { return Err(unknown(&id)) };
    let is_stricter = profile.is_some_and(|profile| profile > before.security_profile);
    if is_stricter || (policy == Some(BootPolicy::Reject) && before.boot_policy != policy) {
        logins::end_connection(&app, &id);
    }
    Ok(Answer(find(&app, &id).await?))
}

/// Takes a charge point out, and ends its connection. What it did (transactions, messages) stays; what runs there is closed
/// at the last register that is known.
#[utoipa::path(delete, path = "/charge-points/{id}", tag = "charge points", params(("id" = String, Path)),
    responses((status = NO_CONTENT)))]
async fn remove(
    Admin(actor): Admin,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let entry = NewEntry::done(&actor, "delete", format!("charge-points/{id}"), &json!({}));
    let (name, by) = (id.clone(), actor.to_string());
    let removed = app.store.write(move |db| {
        Box::pin(async move {
            if !charge_points::remove(db, &name).await? {
                return Ok(None);
            }
            audit::enter(db, entry).await?;
            transactions::close_all(db, &name, &by, time::now()).await.map(Some)
        })
    });
    let Some(closed) = removed.await? else { return Err(unknown(&id)) };
    logins::end_connection(&app, &id);
    for transaction in closed {
        app.events.tell("transactionStopped", &id, || &transaction);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The configuration keys of a charge point, as far as it has told them; GetConfiguration asks it.
#[utoipa::path(get, path = "/charge-points/{id}/configuration", tag = "charge points", params(("id" = String, Path)),
    responses((status = OK, body = Configuration)))]
async fn configuration_keys(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
) -> Result<Answer<Configuration>, Problem> {
    known(&app, &id).await?;
    Ok(Answer(Configuration { items: configuration::list(&app.store, &id).await? }))
}

/// Which meter values are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct WantedValues {
    /// Those of that connector; 0: of the charge point as a whole.
    connector: Option<i64>,
    /// Only those that are of no transaction that is known here.
    #[serde(default)]
    without_transaction: bool,
}

/// The meter values of a charge point, the newest first, whether or not there was a transaction.
#[utoipa::path(get, path = "/charge-points/{id}/meter-values", tag = "charge points",
    params(("id" = String, Path), WantedValues, Paging), responses((status = OK, body = Page<ChargePointValue>)))]
async fn values(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Query(wanted): Query<WantedValues>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<ChargePointValue>>, Problem> {
    let (limit, begin) = (paging.limit()?, paging.after::<At>()?.unwrap_or_default());
    known(&app, &id).await?;
    let WantedValues { connector, without_transaction } = wanted;
    let filter = meter_values::Filter { charge_point: id, connector, without_transaction };
    let until = begin.time.map(Time);
    let items = meter_values::of_charge_point(&app.store, filter, until, begin.skip, limit + 1).await?;
    Ok(Answer(paging.page_by_time(items, begin, |item| item.value.measured_at.0)?))
}
