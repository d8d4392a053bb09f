//! Reservations: made here, with a number that the server gives, and kept by the charge point.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use onwire::codec;
use onwire::ocpp::v16::{CancelReservationRequest, CancelReservationStatus, ReserveNowRequest};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::charge_points::is_known;
use super::commands::seconds;
use super::transactions::Waiting;
use crate::api::extract::{Json, Path, Query};
use crate::api::page::{Page, Paging};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::ocpp::commands::{self, CommandError};
use crate::security::access::{Operator, Viewer};
use crate::store::next_number;
use crate::store::records::columns::Time;
use crate::store::records::reservations::{self, Asked, Filter, Reservation, ReservationState};

/// `/reservations`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// What waits for a charge point.
pub fn patient_router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(cancel))
}

/// Which reservations are wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those at that charge point.
    charge_point: Option<String>,
    /// Those in that state.
    #[param(inline)]
    status: Option<ReservationState>,
    /// Those for that tag.
    id_tag: Option<String>,
}

/// A reservation that is to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReservation {
    /// Where.
    charge_point: String,
    /// Which connector; 0: any of them, if the charge point can do that.
    #[schema(minimum = 0)]
    connector: i64,
    /// For whom.
    #[schema(min_length = 1, max_length = 20)]
    id_tag: String,
    /// Until when.
    expiry_date: Time,
    /// For whose group.
    #[schema(min_length = 1, max_length = 20)]
    parent_id_tag: Option<String>,
}

/// Reservations, the newest first.
#[utoipa::path(get, path = "/reservations", tag = "reservations", params(Wanted, Paging),
    responses((status = OK, body = Page<Reservation>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<Reservation>>, Problem> {
    let status = wanted.status.map(ReservationState::as_str);
    let filter = Filter { charge_point: wanted.charge_point, status, id_tag: wanted.id_tag };
    let (limit, before) = (paging.limit()?, paging.after()?);
    let items = reservations::list(&app.store, &filter, before, limit + 1).await?;
    let total = reservations::count(&app.store, &filter).await?;
    Ok(Answer(paging.page(items, Some(total), |item| item.id.to_string())?))
}

async fn find(app: &SharedApp, id: i64) -> Result<Reservation, Problem> {
    let found = reservations::get(&app.store, id).await?;
    found.ok_or_else(|| Problem::not_found(format!("there is no reservation {id}")))
}

/// A reservation.
#[utoipa::path(get, path = "/reservations/{id}", tag = "reservations", params(("id" = i64, Path)),
    responses((status = OK, body = Reservation)))]
async fn read(_: Viewer, State(app): State<SharedApp>, Path(id): Path<i64>) -> Result<Answer<Reservation>, Problem> {
    Ok(Answer(find(&app, id).await?))
}

/// Makes a reservation: the server gives it a number and asks the charge point (ReserveNow). What that answered stands in
/// `status` and `answer`; `Refused` is an answer too.
#[utoipa::path(post, path = "/reservations", tag = "reservations", params(Waiting), request_body = NewReservation,
    responses((status = CREATED, body = Reservation)))]
async fn create(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Query(waiting): Query<Waiting>,
    Json(new): Json<NewReservation>,
) -> Result<(StatusCode, Answer<Reservation>), Problem> {
    let timeout = seconds(waiting.timeout_seconds)?;
    if new.connector < 0 {
        return Err(Problem::invalid_payload("/connector", "less than 0"));
    }
    if new.id_tag.is_empty() {
        return Err(Problem::invalid_payload("/idTag", "empty"));
    }
    let whose = &new.charge_point;
    if !is_known(&app, whose).await? {
        return Err(Problem::invalid_payload("/chargePoint", format!("there is no charge point {whose:?}")));
    }
    let mut request = ReserveNowRequest::new(new.connector, new.expiry_date.into(), new.id_tag.as_str(), 0);
    request.parent_id_tag = new.parent_id_tag.as_deref().map(Into::into);
    // Judged before a number is given; the names of the two are the same.
    codec::encode(&request, &mut String::new()).map_err(CommandError::Unsendable)?;
    if app.peers.get(&new.charge_point).is_none() {
        return Err(CommandError::Offline.into());
    }
    let charge_point = new.charge_point.clone();
    let write = app.store.write(move |db| {
        Box::pin(async move {
            let id = next_number(db, "reservation").await?;
            let NewReservation { charge_point, connector, id_tag, expiry_date: expiry_at, parent_id_tag } = new;
            let asked = Asked { id, charge_point, connector, id_tag, parent_id_tag, expiry_at };
            reservations::put(db, asked, ReservationState::Pending, None).await?;
            Ok(id)
        })
    });
    request.reservation_id = write.await?;
    let id = request.reservation_id;
    if let Err(error) = commands::call(&app, &actor, &charge_point, &request, timeout).await {
        if !error.may_have_acted() {
            let write = app.store.write(move |db| {
                Box::pin(async move { reservations::set_state(db, &charge_point, id, ReservationState::Refused).await })
            });
            write.await?;
        }
        return Err(error.into());
    }
    Ok((StatusCode::CREATED, Answer(find(&app, id).await?)))
}

/// Asks the charge point to cancel a reservation (CancelReservation).
#[utoipa::path(delete, path = "/reservations/{id}", tag = "reservations", params(("id" = i64, Path), Waiting),
    responses((status = OK, body = Reservation)))]
async fn cancel(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<i64>,
    Query(waiting): Query<Waiting>,
) -> Result<Answer<Reservation>, Problem> {
    let timeout = seconds(waiting.timeout_seconds)?;
    let reservation = find(&app, id).await?;
    let request = CancelReservationRequest::new(id);
    let response = commands::call(&app, &actor, &reservation.charge_point, &request, timeout).await?;
    if response.status != CancelReservationStatus::Accepted {
        let status = response.status;
        return Err(Problem::conflict(format!("the charge point answered {status}: it has no such reservation")));
    }
    Ok(Answer(find(&app, id).await?))
}
