//! The Basic passwords of charge points (security profiles 1 and 2).

use axum::Json as Answer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::charge_points::unknown;
use crate::api::extract::{Json, Path};
use crate::api::problem::Problem;
use crate::app::{App, SharedApp};
use crate::security::access::Operator;
use crate::security::audit;
use crate::security::keys::{self, ChangeError};
use crate::security::logins;

/// `/charge-points/{id}/key`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(set, remove))
}

/// A key that is wanted: one of the caller's, or a new one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WantedKey {
    /// 16 to 64 bytes in hexadecimal digits, or text of 16 to 64 bytes; absent or `null`: the server makes 20 random bytes.
    #[schema(min_length = 16, max_length = 128)]
    key: Option<String>,
    /// Says that the server makes one; it is what an absent key means too.
    #[serde(default)]
    generate: bool,
}

/// A key that was set.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetKey {
    /// The key that the server made, in hexadecimal digits: it is told here and never again. `null`: it is the caller's.
    key: Option<String>,
}

/// Gives a charge point another key, on this side only, and ends its connection: ChangeConfiguration of `AuthorizationKey` changes both sides.
#[utoipa::path(post, path = "/charge-points/{id}/key", tag = "charge points", params(("id" = String, Path,)),
    request_body = WantedKey, responses((status = OK, body = SetKey)))]
async fn set(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
    Json(wanted): Json<WantedKey>,
) -> Result<Answer<SetKey>, Problem> {
    let made = match &wanted.key {
        Some(_) if wanted.generate => return Err(Problem::invalid_payload("/generate", "there is a key already")),
        Some(_) => None,
        None => Some(keys::generate().map_err(|error| {
            tracing::error!(%error, "no random numbers");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the system gives no random numbers")
        })?),
    };
    store(&app, &id, wanted.key.as_deref().or(made.as_deref())).await?;
    let detail = json!({"generated": made.is_some()});
    audit::record(&app, &actor, "set key", &format!("charge-points/{id}"), &detail, "done").await?;
    Ok(Answer(SetKey { key: made }))
}

/// Takes a charge point's key away, and ends its connection. It may connect without one once its lowest security profile is 0 again, which rises by
/// itself when a key is used.
#[utoipa::path(delete, path = "/charge-points/{id}/key", tag = "charge points", params(("id" = String, Path,)),
    responses((status = NO_CONTENT)))]
async fn remove(
    Operator(actor): Operator,
    State(app): State<SharedApp>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    store(&app, &id, None).await?;
    audit::record(&app, &actor, "remove key", &format!("charge-points/{id}"), &json!({}), "done").await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn store(app: &App, id: &str, key: Option<&str>) -> Result<(), Problem> {
    match keys::set(app, id, key).await {
        Ok(true) => {
            logins::end_connection(app, id);
            Ok(())
        }
        Ok(false) => Err(unknown(id)),
        Err(ChangeError::Key(error)) => Err(Problem::invalid_payload("/key", error.to_string())),
        Err(ChangeError::Store(error)) => Err(error.into()),
    }
}
