//! Logging in and out; users, API tokens, certificates, and the audit log.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER, SET_COOKIE};
use onwire::types::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Path, Query};
use crate::api::page::{At, Page, Paging};
use crate::api::problem::Problem;
use crate::app::{App, SharedApp};
use crate::security::access::{Actor, ActorKind, Admin, Role, Viewer, too_many};
use crate::security::client::Client;
use crate::security::issued::Certificate;
use crate::security::limits::subscriber;
use crate::security::tokens::Token;
use crate::security::users::{User, UserError};
use crate::security::{audit, issued, logins, sessions, tokens, users};
use crate::store::records::columns::Time;

/// `/login`, `/logout`, `/users`, `/tokens`, `/certificates`, `/audit`.
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(list_users, add_user))
        .routes(routes!(change_user, remove_user))
        .routes(routes!(list_tokens, add_token))
        .routes(routes!(remove_token))
        .routes(routes!(list_certificates))
        .routes(routes!(revoke_certificate))
}

/// Name and password.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    name: String,
    password: String,
}

/// Who has logged in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LoggedIn {
    name: String,
    role: Role,
    /// What requests that change something have to carry in the header `X-CSRF-Token`.
    csrf: String,
}

type Body<T> = Result<Json<T>, JsonRejection>;

fn unreadable(error: JsonRejection) -> Problem {
    Problem::new(error.status(), "invalidPayload", error.body_text())
}

/// Logs in: a cookie for browsers.
#[utoipa::path(
    post, path = "/login", tag = "access", request_body = Credentials, security(()),
    responses(
        (status = 200, description = "Logged in; the cookie `onwire_session` is set", body = LoggedIn),
        (status = 401, description = "Name or password is wrong", body = Problem),
        (status = 429, description = "Too many attempts", body = Problem),
    )
)]
async fn log_in(
    State(app): State<SharedApp>,
    client: Option<Extension<Client>>,
    credentials: Body<Credentials>,
) -> Result<Response, Problem> {
    let Json(Credentials { name, password }) = credentials.map_err(unreadable)?;
    let client = client.map(|Extension(client)| client).unwrap_or_default();
    let (from, limits) = (subscriber(client.address), &app.security.limits);
    let too_often =
        |wait: Duration| (AppendHeaders([(RETRY_AFTER, wait.as_secs() + 1)]), too_many(wait)).into_response();
    let of_user = match limits.login_users.attempt(&name).await {
        Ok(attempt) => attempt,
        Err(wait) => return Ok(too_often(wait)),
    };
    let of_address = match limits.login_addresses.attempt(from).await {
        Ok(attempt) => attempt,
        Err(wait) => return Ok(too_often(wait)),
    };
    let (hash, role) = users::find(&app.store, &name).await?.unzip();
    let is_right = app.security.passwords.matches(password, hash.clone()).await.map_err(internal)?;
    let begun = match hash.filter(|_| is_right) {
        Some(hash) => sessions::begin(&app.store, &name, hash).await.map_err(internal)?,
        None => None,
    };
    let detail = json!({"address": client.address});
    let Some((begun, role)) = begun.zip(role) else {
        of_user.fail();
        of_address.fail();
        audit::record_as(&app, &format!("user:{name}"), "Login", &name, &detail, "refused").await?;
        return Err(Problem::unauthorized("name or password is wrong"));
    };
    drop((of_user, of_address));
    audit::record_as(&app, &format!("user:{name}"), "Login", &name, &detail, "done").await?;
    let cookie = sessions::set_cookie(Some(&begun.token), client.is_encrypted);
    Ok((AppendHeaders([(SET_COOKIE, cookie)]), Json(LoggedIn { name, role, csrf: begun.csrf })).into_response())
}

/// Logs out: the session ends.
#[utoipa::path(
    post, path = "/logout", tag = "access",
    responses((status = 204, description = "Logged out"), (status = 401, description = "Not logged in", body = Problem))
)]
async fn log_out(
    State(app): State<SharedApp>,
    Viewer(actor): Viewer,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let (ActorKind::User { name, .. }, Some(token)) = (&actor.kind, sessions::cookie(&headers)) {
        sessions::end(&app.store, token).await?;
        audit::record(&app, &actor, "Logout", name, &json!({}), "done").await?;
    }
    let cookie = sessions::set_cookie(None, client.is_some_and(|Extension(client)| client.is_encrypted));
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(SET_COOKIE, cookie)])).into_response())
}

/// A list, whole.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Users {
    items: Vec<User>,
    next_cursor: Option<String>,
    total: usize,
}

/// The people who log in.
#[utoipa::path(get, path = "/users", tag = "access", responses((status = 200, body = Users)))]
async fn list_users(State(app): State<SharedApp>, _: Admin) -> Result<Json<Users>, Problem> {
    let items = users::list(&app.store).await?;
    Ok(Json(Users { total: items.len(), items, next_cursor: None }))
}

/// A new user.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// 1 to 64 characters.
    name: String,
    /// At least 10 characters.
    password: String,
    role: Role,
}

/// Enters a user.
#[utoipa::path(
    post, path = "/users", tag = "access", request_body = NewUser,
    responses(
        (status = 201, body = User),
        (status = 409, description = "The name is taken", body = Problem),
        (status = 422, description = "Name or password is none", body = Problem),
    )
)]
async fn add_user(
    State(app): State<SharedApp>,
    Admin(actor): Admin,
    new: Body<NewUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let Json(NewUser { name, password, role }) = new.map_err(unreadable)?;
    let hash = hash(&app, password).await?;
    let added = users::add(&app.store, &name, hash, role).await;
    done(&app, &actor, "AddUser", &name, json!({"role": role}), &added).await?;
    added?;
    let created_at = crate::time::text(crate::time::now());
    Ok((StatusCode::CREATED, Json(User { name, role, created_at })))
}

/// What to change; what is absent stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    password: Option<String>,
    role: Option<Role>,
}

/// Changes a user's password or role. Another password ends their sessions.
#[utoipa::path(
    patch, path = "/users/{name}", tag = "access", params(("name" = String, Path,)), request_body = UserChange,
    responses(
        (status = 204, description = "Changed"),
        (status = 404, body = Problem),
        (status = 409, description = "It is the last administrator", body = Problem),
        (status = 422, description = "The password is none", body = Problem),
    )
)]
async fn change_user(
    State(app): State<SharedApp>,
    Admin(actor): Admin,
    Path(name): Path<String>,
    change: Body<UserChange>,
) -> Result<StatusCode, Problem> {
    let Json(UserChange { password, role }) = change.map_err(unreadable)?;
    let detail = json!({"role": role, "password": password.is_some()});
    let hash = match password {
        Some(password) => Some(hash(&app, password).await?),
        None => None,
    };
    let changed = users::change(&app.store, &name, hash, role).await;
    done(&app, &actor, "ChangeUser", &name, detail, &changed).await?;
    changed?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a user and their sessions.
#[utoipa::path(
    delete, path = "/users/{name}", tag = "access", params(("name" = String, Path,)),
    responses(
        (status = 204, description = "Removed"),
        (status = 404, body = Problem),
        (status = 409, description = "It is the last administrator", body = Problem),
    )
)]
async fn remove_user(
    State(app): State<SharedApp>,
    Admin(actor): Admin,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let removed = users::remove(&app.store, &name).await;
    done(&app, &actor, "RemoveUser", &name, json!({}), &removed).await?;
    removed?;
    Ok(StatusCode::NO_CONTENT)
}

/// A list, whole.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    items: Vec<Token>,
    next_cursor: Option<String>,
    total: usize,
}

/// API tokens, without what opens.
#[utoipa::path(get, path = "/tokens", tag = "access", responses((status = 200, body = Tokens)))]
async fn list_tokens(State(app): State<SharedApp>, _: Admin) -> Result<Json<Tokens>, Problem> {
    let items = tokens::list(&app.store).await?;
    Ok(Json(Tokens { total: items.len(), items, next_cursor: None }))
}

/// A new token.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewToken {
    /// For people: 1 to 64 characters.
    name: String,
    role: Role,
    /// Until when it is good, RFC 3339; absent: for ever.
    expires_at: Option<String>,
}

/// A token that was made.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct MadeToken {
    id: String,
    /// It is not shown again.
    token: String,
}

/// Makes an API token.
#[utoipa::path(
    post, path = "/tokens", tag = "access", request_body = NewToken,
    responses((status = 201, body = MadeToken), (status = 422, description = "A name or time that is none", body = Problem))
)]
async fn add_token(
    State(app): State<SharedApp>,
    Admin(actor): Admin,
    new: Body<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    let Json(NewToken { name, role, expires_at }) = new.map_err(unreadable)?;
    if name.is_empty() || name.chars().count() > 64 || name.contains(char::is_control) {
        return Err(invalid("/name", UserError::Name.to_string()));
    }
    let expires_at = match expires_at {
        Some(text) => {
            let time = DateTime::parse(&text);
            Some(time.ok_or_else(|| invalid("/expiresAt", "it is no RFC 3339 time".to_owned()))?.unix_millis())
        }
        None => None,
    };
    let (id, token) = tokens::add(&app.store, &name, role, expires_at).await.map_err(internal)?;
    let detail = json!({"id": id, "role": role, "expiresAt": expires_at.map(crate::time::text)});
    audit::record(&app, &actor, "AddToken", &name, &detail, "done").await?;
    Ok((StatusCode::CREATED, Json(MadeToken { id, token })))
}

/// Deletes an API token.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "access", params(("id" = String, Path,)),
    responses((status = 204, description = "Deleted"), (status = 404, body = Problem))
)]
async fn remove_token(
    State(app): State<SharedApp>,
    Admin(actor): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if !tokens::remove(&app.store, &id).await? {
        return Err(Problem::not_found("there is no such token"));
    }
    audit::record(&app, &actor, "RemoveToken", &id, &json!({}), "done").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which certificates are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct WantedCertificates {
    /// Those of that charge point.
    charge_point: Option<String>,
}

/// Certificates of charge points that were issued or revoked here, the newest first.
#[utoipa::path(get, path = "/certificates", tag = "access", params(WantedCertificates, Paging),
    responses((status = 200, body = Page<Certificate>)))]
async fn list_certificates(
    State(app): State<SharedApp>,
    _: Viewer,
    Query(wanted): Query<WantedCertificates>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<Certificate>>, Problem> {
    let (limit, begin) = (paging.limit()?, paging.after::<At>()?.unwrap_or_default());
    let items = issued::list(&app.store, wanted.charge_point, begin.time.map(Time), begin.skip, limit + 1).await?;
    Ok(Json(paging.page_by_time(items, begin, |item| item.issued_at.0)?))
}

/// Revokes a charge point's certificate: it opens no connection any more, and one that it has opened ends.
#[utoipa::path(
    post, path = "/certificates/{serial}/revoke", tag = "access",
    params(("serial" = String, Path, description = "Hexadecimal, two digits a byte, without leading zeros")),
    responses((status = 204, description = "Revoked"), (status = 422, description = "No serial number", body = Problem))
)]
async fn revoke_certificate(
    State(app): State<SharedApp>,
    Admin(actor): Admin,
    Path(serial): Path<String>,
) -> Result<StatusCode, Problem> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(serial.as_bytes());
    let bytes = bytes.ok().filter(|bytes| (1..=64).contains(&bytes.len()));
    let bytes = bytes.ok_or_else(|| invalid("", "it is no hexadecimal serial number".to_owned()))?;
    let serial = crate::security::certificates::serial(&bytes);
    issued::revoke(&app.store, &serial).await?;
    logins::end_revoked(&app).await?;
    audit::record(&app, &actor, "RevokeCertificate", &serial, &json!({}), "done").await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn hash(app: &App, password: String) -> Result<String, Problem> {
    crate::security::passwords::check(&password).map_err(|error| invalid("/password", error.to_string()))?;
    app.security.passwords.hash(password).await.map_err(internal)
}

async fn done(
    app: &App,
    actor: &Actor,
    action: &str,
    target: &str,
    detail: serde_json::Value,
    outcome: &Result<(), UserError>,
) -> Result<(), Problem> {
    let outcome = outcome.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned());
    Ok(audit::record(app, actor, action, target, &detail, &outcome).await?)
}

fn invalid(pointer: &str, detail: String) -> Problem {
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalidPayload", detail);
    Problem { pointer: Some(pointer).filter(|pointer| !pointer.is_empty()).map(Into::into), ..problem }
}

fn internal(error: anyhow::Error) -> Problem {
    tracing::error!(error = format!("{error:#}"), "a request failed");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "it failed here; the log says why")
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Store(error) => error.into(),
            UserError::Unknown => Self::not_found(error.to_string()),
            UserError::Exists | UserError::LastAdmin => Self::new(StatusCode::CONFLICT, "conflict", error.to_string()),
            UserError::Name => invalid("/name", error.to_string()),
        }
    }
}
