//! Charging profiles by name; commands take them with `?profile=NAME`.

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use onwire::PayloadType;
use onwire::ocpp::v16::ChargingProfile;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{JsonText, Path, Query};
use crate::api::page::{Page, Paging};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::security::access::{Admin, Operator, Viewer};
use crate::store::records::audit::{self, NewEntry};
use crate::store::records::charging_profiles::{self, NamedProfile};

/// In characters.
const LONGEST: usize = 100;

/// `/charging-profiles`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, put, remove))
}

fn unknown(name: &str) -> Problem {
    Problem::not_found(format!("there is no charging profile {name:?}"))
}

/// Charging profiles, by name.
#[utoipa::path(get, path = "/charging-profiles", tag = "charging profiles", params(Paging),
    responses((status = OK, body = Page<NamedProfile>)))]
async fn list(
    _: Viewer,
    State(app): State<SharedApp>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<NamedProfile>>, Problem> {
    let (limit, after) = (paging.limit()?, paging.after()?);
    let items = charging_profiles::list(&app.store, after, limit + 1).await?;
    let total = charging_profiles::count(&app.store).await?;
    Ok(Answer(paging.page(items, Some(total), |item| item.name.clone())?))
}

/// A charging profile.
#[utoipa::path(get, path = "/charging-profiles/{name}", tag = "charging profiles", params(("name" = String, Path)),
    responses((status = OK, body = NamedProfile)))]
async fn read(
    _: Viewer,
    State(app): State<SharedApp>,
    Path(name): Path<String>,
) -> Result<Answer<NamedProfile>, Problem> {
    let found = charging_profiles::get(&app.store, &name).await?;
    found.map(Answer).ok_or_else(|| unknown(&name))
}

/// Keeps a ChargingProfile of OCPP under a name, or changes the one there is.
#[utoipa::path(put, path = "/charging-profiles/{name}", tag = "charging profiles",
    params(("name" = String, Path, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]+$")),
    request_body = crate::api::openapi::ChargingProfileBody,
    responses((status = OK, body = NamedProfile), (status = CREATED, body = NamedProfile)))]
async fn put(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    JsonText(profile): JsonText,
) -> Result<(StatusCode, Answer<NamedProfile>), Problem> {
    if name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        return Err(Problem::bad_request("a name has from 1 to 100 characters, none of them a control character"));
    }
    let judged = PayloadType::of::<ChargingProfile>().sendable(&profile);
    let profile = judged.map_err(|error| Problem::invalid_payload(error.pointer, error.fault.to_string()))?;
    let entry = NewEntry::done(&actor, "put", format!("charging-profiles/{name}"), &json!({"bytes": profile.len()}));
    let kept = name.clone();
    let put = app.store.write(move |db| {
        Box::pin(async move {
            let is_new = charging_profiles::put(db, &kept, profile).await?;
            audit::enter(db, entry).await?;
            Ok(is_new)
        })
    });
    let status = if put.await? { StatusCode::CREATED } else { StatusCode::OK };
    let kept = charging_profiles::get(&app.store, &name).await?;
    kept.map(|kept| (status, Answer(kept))).ok_or_else(|| unknown(&name))
}

/// Takes a charging profile out. What charge points were sent stays with them.
#[utoipa::path(delete, path = "/charging-profiles/{name}", tag = "charging profiles",
    params(("name" = String, Path)), responses((status = NO_CONTENT)))]
async fn remove(
    Admin(actor): Admin,
    State(app): State<SharedApp>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let entry = NewEntry::done(&actor, "delete", format!("charging-profiles/{name}"), &json!({}));
    let gone = name.clone();
    let removed = app.store.write(move |db| {
        Box::pin(async move {
            let removed = charging_profiles::remove(db, &gone).await?;
            if removed {
                audit::enter(db, entry).await?;
            }
            Ok(removed)
        })
    });
    if removed.await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&name)) }
}
