//! Commands of OCPP: exactly its request in, exactly its response out.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;

use crate::api::extract::{JsonText, Path, Query};
use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::ocpp::commands::{self, Command};
use crate::security::access::{Operator, Role};
use crate::store::records::charging_profiles;

/// The longest that an answer may be waited for, in seconds.
const LONGEST: u64 = 600;

/// How a command is sent.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct CommandQuery {
    /// How long the answer is waited for, counted from the request. A command that still waits for the charge point to answer
    /// earlier ones then is not sent (`notSent`).
    #[param(minimum = 1, maximum = 600, default = 30)]
    pub timeout_seconds: Option<u64>,
    /// Sends the payload as it is, whatever the schema says of it, and answers likewise; admins only.
    pub raw: Option<bool>,
    /// Name of a charging profile to put into the payload, of SetChargingProfile and RemoteStartTransaction.
    pub profile: Option<String>,
}

impl CommandQuery {
    fn timeout(&self) -> Result<Duration, Problem> {
        seconds(self.timeout_seconds)
    }
}

/// How long an answer is waited for.
///
/// # Errors
/// Outside of 1 to 600.
pub fn seconds(given: Option<u64>) -> Result<Duration, Problem> {
    match given {
        None => Ok(commands::TIMEOUT),
        Some(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(Problem::bad_request("`timeoutSeconds` is from 1 to 600")),
    }
}

/// One path for all of them; the OpenAPI document has one for each ([`crate::api::openapi`]).
pub fn router() -> OpenApiRouter<SharedApp> {
    Router::new().route("/charge-points/{id}/commands/{action}", post(send)).into()
}

async fn send(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path((charge_point, action)): Path<(String, String)>,
    Query(query): Query<CommandQuery>,
    JsonText(request): JsonText,
) -> Result<Response, Problem> {
    let Some(action) = commands::find(&action) else {
        let detail = format!("a central system starts no action {action:?}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknownAction", detail));
    };
    let judged = !query.raw.unwrap_or(false);
    if !judged && actor.role < Role::Admin {
        return Err(Problem::forbidden());
    }
    let timeout = query.timeout()?;
    let request = match &query.profile {
        Some(name) => with_profile(&app, action.name, &request, name).await?,
        None => request,
    };
    let response = commands::send(&app, &actor, Command { charge_point, action, request, timeout, judged }).await?;
    Ok(json(response))
}

/// JSON text as an answer.
pub fn json(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// The payload with the charging profile of that name in it.
async fn with_profile(app: &SharedApp, action: &str, request: &str, name: &str) -> Result<String, Problem> {
    let property = match action {
        "SetChargingProfile" => "csChargingProfiles",
        "RemoteStartTransaction" => "chargingProfile",
        _ => return Err(Problem::bad_request(format!("{action} takes no charging profile"))),
    };
    let Some(profile) = charging_profiles::get(&app.store, name).await? else {
        return Err(Problem::bad_request(format!("there is no charging profile {name:?}")));
    };
    let value: Value =
        serde_json::from_str(request).map_err(|error| Problem::invalid_payload("", error.to_string()))?;
    let Value::Object(mut payload) = value else { return Err(Problem::invalid_payload("", "not an object")) };
    if payload.contains_key(property) {
        return Err(Problem::invalid_payload(format!("/{property}"), "given beside a profile by name"));
    }
    // By its text: numbers keep their digits.
    let profile = serde_json::from_str::<&RawValue>(&profile.profile.0).map(|profile| profile.get().to_owned());
    let profile = profile.map_err(|_| crate::store::StoreError::Corrupt("a charging profile"))?;
    let rest = std::mem::take(&mut payload);
    let rest = Value::Object(rest).to_string();
    let comma = if rest.len() > 2 { "," } else { "" };
    Ok(format!("{}{comma}\"{property}\":{profile}}}", rest.strip_suffix('}').unwrap_or(&rest)))
}
