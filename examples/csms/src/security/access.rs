//! Who sends a request, and what they may do: parameters of handlers.
//!
//! ```ignore
//! async fn reset(Operator(actor): Operator, State(app): State<SharedApp>) -> Result<Json<Value>, Problem> { .. }
//! ```

use std::fmt;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::api::problem::Problem;
use crate::app::SharedApp;

/// What somebody may do; each may do what those before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
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

/// Finds out who sends the request.
async fn actor(_parts: &mut Parts, _app: &SharedApp) -> Result<Actor, Problem> {
    Ok(Actor { kind: ActorKind::Open, role: Role::Admin })
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
