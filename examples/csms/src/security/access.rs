//! Who sends a request, and what they may do: parameters of handlers.
//!
//! ```ignore
//! async fn reset(Operator(actor): Operator, State(app): State<SharedApp>) -> Result<Json<Value>, Problem> { .. }
//! ```

use std::fmt;

use axum::extract::FromRequestParts;
use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use http::{Method, StatusCode};
use ring::digest;

use super::client::Client;
use super::limits::subscriber;
use super::{exposure, sessions, tokens};
use crate::api::problem::Problem;
use crate::app::{App, SharedApp};
use crate::store::StoreError;

/// What somebody may do; each may do what those before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Sends commands and changes resources.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// As the database has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads what the database has.
    ///
    /// # Errors
    /// It is none.
    pub fn read(name: &str) -> Result<Self, StoreError> {
        let mut all = [Self::Viewer, Self::Operator, Self::Admin].into_iter();
        all.find(|role| role.name() == name).ok_or(StoreError::Corrupt("a role"))
    }
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// How they proved who they are, and their name.
    pub kind: ActorKind,
    /// What they may do.
    pub role: Role,
}

/// How somebody proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorKind {
    /// Nobody has to log in here.
    Open,
    /// Logged in at the page; with the CSRF token of the session.
    User {
        /// Name of the user.
        name: String,
        /// What requests that change something have to carry in the header `X-CSRF-Token`.
        csrf: String,
    },
    /// An API token.
    Token {
        /// Name of the token.
        name: String,
    },
}

impl fmt::Display for Actor {
    /// As the audit log has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ActorKind::Open => f.write_str("open"),
            ActorKind::User { name, .. } => write!(f, "user:{name}"),
            ActorKind::Token { name } => write!(f, "token:{name}"),
        }
    }
}

/// Somebody who may look.
#[derive(Debug)]
pub struct Viewer(pub Actor);

/// Somebody who may send commands and change resources.
#[derive(Debug)]
pub struct Operator(pub Actor);

/// Somebody who may do everything.
#[derive(Debug)]
pub struct Admin(pub Actor);

/// An operator who did not come by a cookie: for GET requests that have effects (`/api/ocpp`).
#[derive(Debug)]
pub struct TokenOperator(pub Actor);

/// Finds out who sends the request: a token, a session's cookie, or anybody where nobody has to log in.
///
/// # Errors
/// [`Problem`]: 401 for who has not proved who they are, 403 without the session's CSRF token, 429 for who fails too often.
pub async fn actor(parts: &Parts, app: &App) -> Result<Actor, Problem> {
    if let Some(token) = bearer(&parts.headers) {
        return by_token(token, parts, app).await;
    }
    if let Some(cookie) = sessions::cookie(&parts.headers)
        && let Some(session) = sessions::find(&app.store, cookie).await?
    {
        if !is_safe(&parts.method) && !has_csrf(&parts.headers, &session.csrf) {
            let detail = "a request that changes something needs the session's token in the header X-CSRF-Token";
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        let kind = ActorKind::User { name: session.user, csrf: session.csrf };
        return Ok(Actor { kind, role: session.role });
    }
    if exposure::is_open(app).await? {
        return Ok(Actor { kind: ActorKind::Open, role: Role::Admin });
    }
    Err(Problem::unauthorized("log in, or send an API token: Authorization: Bearer .."))
}

/// Whether requests of that method change nothing, as far as HTTP says.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

async fn by_token(token: &str, parts: &Parts, app: &App) -> Result<Actor, Problem> {
    let from = parts.extensions.get().and_then(|client: &Client| subscriber(client.address));
    let attempt = app.security.limits.login_addresses.attempt(from).await.map_err(too_many)?;
    match tokens::find(&app.store, token).await? {
        Some((name, role)) => Ok(Actor { kind: ActorKind::Token { name }, role }),
        None => {
            attempt.fail();
            Err(Problem::unauthorized("the API token is not good, or not any more"))
        }
    }
}

/// Who has failed too often is told when to come back.
pub fn too_many(wait: std::time::Duration) -> Problem {
    let detail = format!("too many attempts that failed; try again in {} seconds", wait.as_secs() + 1);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rateLimited", detail)
}

/// The token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Hashes are compared, so that the time tells nothing.
fn has_csrf(headers: &HeaderMap, csrf: &str) -> bool {
    let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes).as_ref().to_vec();
    headers.get("x-csrf-token").is_some_and(|sent| hash(sent.as_bytes()) == hash(csrf.as_bytes()))
}

async fn with_role(parts: &mut Parts, app: &SharedApp, role: Role) -> Result<Actor, Problem> {
    let actor = actor(parts, app).await?;
    if actor.role < role { Err(Problem::forbidden()) } else { Ok(actor) }
}

macro_rules! parameter {
    ($($name:ident $role:ident),+) => {$(
        impl FromRequestParts<SharedApp> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
                with_role(parts, app, Role::$role).await.map(Self)
            }
        }
    )+};
}

parameter!(Viewer Viewer, Operator Operator, Admin Admin);

impl FromRequestParts<SharedApp> for TokenOperator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let actor = with_role(parts, app, Role::Operator).await?;
        if matches!(actor.kind, ActorKind::User { .. }) { Err(Problem::forbidden()) } else { Ok(Self(actor)) }
    }
}
