//! Transactions.

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use onwire::ocpp::v16::RemoteStopTransactionRequest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::commands::seconds;
use crate::api::extract::{Json, Path, Query};
use crate::api::page::{At, Page, Paging};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::ocpp::commands;
use crate::security::access::{Operator, Viewer};
use crate::store::records::audit::{self, NewEntry};
use crate::store::records::columns::Time;
use crate::store::records::meter_values;
use crate::store::records::transactions::{self, Filter, Transaction, UnknownStop};
use crate::store::transactions::{AtRegister, Close};
use crate::store::{self, MeterValue};
use crate::time;

/// `/transactions` and `/unknown-stops`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(values))
        .routes(routes!(signed_data))
        .routes(routes!(close))
        .routes(routes!(unknown_stops))
}

/// What waits for a charge point.
pub fn patient_router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(stop))
}

/// Which transactions are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those of that charge point.
    charge_point: Option<String>,
    /// Those on that connector.
    connector: Option<i64>,
    /// Those of that tag.
    id_tag: Option<String>,
    /// Those that run, or those that have ended.
    active: Option<bool>,
    /// Those that began then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Those that began before then.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Time>,
}

/// Transactions, the newest first.
#[utoipa::path(get, path = "/transactions", tag = "transactions", params(Wanted, Paging),
    responses((status = OK, body = Page<Transaction>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<Transaction>>, Problem> {
    let Wanted { charge_point, connector, id_tag, active, from, to } = wanted;
    let filter = Filter { charge_point, connector, id_tag, active, from, to };
    let (limit, before) = (paging.limit()?, paging.after()?);
    let items = transactions::list(&app.store, &filter, before, limit + 1).await?;
    let total = transactions::count(&app.store, &filter).await?;
    Ok(Answer(paging.page(items, Some(total), |item| item.id.to_string())?))
}

async fn find(app: &SharedApp, id: i64) -> Result<Transaction, Problem> {
    let found = transactions::get(&app.store, id).await?;
    found.ok_or_else(|| Problem::not_found(format!("there is no transaction {id}")))
}

/// A transaction.
#[utoipa::path(get, path = "/transactions/{id}", tag = "transactions", params(("id" = i64, Path)),
    responses((status = OK, body = Transaction)))]
async fn read(_: Viewer, State(app): State<SharedApp>, Path(id): Path<i64>) -> Result<Answer<Transaction>, Problem> {
    Ok(Answer(find(&app, id).await?))
}

/// The meter values of a transaction, the oldest first.
#[utoipa::path(get, path = "/transactions/{id}/meter-values", tag = "transactions",
    params(("id" = i64, Path), Paging), responses((status = OK, body = Page<MeterValue>)))]
async fn values(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(id): Path<i64>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<MeterValue>>, Problem> {
    let (limit, begin) = (paging.limit()?, paging.after::<At>()?.unwrap_or_default());
    find(&app, id).await?;
    let items = meter_values::of_transaction(&app.store, id, begin.time.map(Time), begin.skip, limit + 1).await?;
    Ok(Answer(paging.page_by_time(items, begin, |item| item.measured_at.0)?))
}

/// The signed values of a transaction.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedData {
    /// The transaction.
    transaction_id: i64,
    /// Each as it was sent, the oldest first.
    values: Vec<String>,
}

/// The signed values of a transaction, byte for byte as the charge point sent them: one a line, or, if `Accept` asks for
/// `application/json`, as strings.
#[utoipa::path(get, path = "/transactions/{id}/signed-data", tag = "transactions", params(("id" = i64, Path)),
    responses((status = OK, content((String = "text/plain"), (SignedData = "application/json")))))]
async fn signed_data(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    find(&app, id).await?;
    let values: Vec<String> =
        meter_values::signed(&app.store, id).await?.into_iter().map(|signed| signed.value).collect();
    if headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("json")) {
        return Ok(Answer(SignedData { transaction_id: id, values }).into_response());
    }
    let name = format!("attachment; filename=\"transaction-{id}-signed-data.txt\"");
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
    let lines: String = values.into_iter().map(|value| value + "\n").collect();
    Ok((headers, lines).into_response())
}

/// How a command is sent.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Waiting {
    /// How long the answer is waited for, counted from the request.
    #[param(minimum = 1, maximum = 600, default = 30)]
    pub timeout_seconds: Option<u64>,
}

/// What a charge point answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StopAnswer {
    /// `Accepted` or `Rejected`.
    status: String,
}

/// Asks the charge point to end a transaction that runs (RemoteStopTransaction).
#[utoipa::path(post, path = "/transactions/{id}/stop", tag = "transactions", params(("id" = i64, Path), Waiting),
    responses((status = OK, body = StopAnswer)))]
async fn stop(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<i64>,
    Query(waiting): Query<Waiting>,
) -> Result<Answer<StopAnswer>, Problem> {
    let timeout = seconds(waiting.timeout_seconds)?;
    let transaction = find(&app, id).await?;
    if !transaction.is_active() && !transaction.is_estimated() {
        return Err(Problem::conflict(format!("transaction {id} has ended")));
    }
    let request = RemoteStopTransactionRequest::new(id);
    let response = commands::call(&app, &actor, &transaction.charge_point, &request, timeout).await?;
    Ok(Answer(StopAnswer { status: response.status.to_string() }))
}

/// Where a transaction ended; without both, at the last register that is known.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Closing {
    /// The meter then.
    #[schema(minimum = 0)]
    meter_wh: Option<i64>,
    /// When.
    at: Option<Time>,
}

impl Closing {
    fn register(&self) -> Result<Option<AtRegister>, Problem> {
        match (self.meter_wh, self.at) {
            (None, None) => Ok(None),
            (Some(meter), _) if meter < 0 => Err(Problem::invalid_payload("/meterWh", "less than 0")),
            (Some(meter), Some(Time(at))) => Ok(Some(AtRegister { meter, at })),
            (None, Some(_)) => Err(Problem::invalid_payload("/meterWh", "missing, beside a time")),
            (Some(_), None) => Err(Problem::invalid_payload("/at", "missing, beside a meter")),
        }
    }
}

/// Closes a transaction that runs here although it is over: at a register and a time, or at the last register that is known.
///
/// The charge point is not asked; `POST /transactions/{id}/stop` does that. Both numbers are estimates, and who closed it
/// stays in `closedBy`. A stop of the charge point puts the numbers right when it comes.
#[utoipa::path(post, path = "/transactions/{id}/close", tag = "transactions", params(("id" = i64, Path)),
    request_body = Closing, responses((status = OK, body = Transaction)))]
async fn close(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<i64>,
    Json(closing): Json<Closing>,
) -> Result<Answer<Transaction>, Problem> {
    let close = Close { id, at: closing.register()?, by: actor.to_string(), now: time::now() };
    if find(&app, id).await?.stopped_at.is_some() {
        return Err(Problem::conflict(format!("transaction {id} has ended")));
    }
    let has_register = close.at.is_some();
    let detail = json!({"meterWh": closing.meter_wh, "at": closing.at});
    let entry = NewEntry::done(&actor, "close", format!("transactions/{id}"), &detail);
    let closed = app.store.write(move |db| {
        Box::pin(async move {
            let closed = store::transactions::close(db, close).await?;
            if closed.is_some() {
                audit::enter(db, entry).await?;
            }
            Ok(closed)
        })
    });
    match closed.await? {
        Some(closed) => {
            app.events.tell("transactionStopped", &closed.charge_point, || &closed);
            Ok(Answer(closed))
        }
        None if has_register && find(&app, id).await?.stopped_at.is_none() => {
            Err(Problem::invalid_payload("/meterWh", "no meter goes there from the registers that are known"))
        }
        None => Err(Problem::conflict(format!("transaction {id} has ended"))),
    }
}

/// Which stops are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct WantedStops {
    /// Those of that charge point.
    charge_point: Option<String>,
}

/// Stops whose number is not one of their charge point's, the newest first; `attributedTo` is the transaction that they are
/// taken for.
#[utoipa::path(get, path = "/unknown-stops", tag = "transactions", params(WantedStops, Paging),
    responses((status = OK, body = Page<UnknownStop>)))]
async fn unknown_stops(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<WantedStops>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<UnknownStop>>, Problem> {
    let (limit, begin) = (paging.limit()?, paging.after::<At>()?.unwrap_or_default());
    let until = begin.time.map(Time);
    let items = transactions::unknown_stops(&app.store, wanted.charge_point, until, begin.skip, limit + 1).await?;
    Ok(Answer(paging.page_by_time(items, begin, |item| item.received_at.0)?))
}
