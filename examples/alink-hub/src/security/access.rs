//! Who sends a request to the REST interface: parameters of handlers.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::api::problem::Problem;
use crate::app::SharedApp;
use crate::store::tokens;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Look; secrets are not shown.
    Viewer,
    /// Everything.
    Operator,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }

    pub(crate) fn read(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator].into_iter().find(|role| role.name() == name)
    }
}

/// Who sends a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Name of the token; `None` where nobody has to show one.
    pub(crate) name: Option<String>,
    pub(crate) role: Role,
}

/// Somebody who may look.
#[derive(Debug)]
pub(crate) struct Viewer(pub(crate) Role);

/// Somebody who may do everything.
#[derive(Debug)]
pub(crate) struct Operator;

/// Who sends a request, by its token.
pub(super) async fn caller(headers: &HeaderMap, app: &SharedApp) -> Result<Caller, Problem> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.split_once(' '));
    if let Some((scheme, token)) = bearer
        && scheme.eq_ignore_ascii_case("bearer")
    {
        let wrong = || Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "the API token is not good");
        let (name, role) = tokens::find(&app.store, token.trim()).await?.ok_or_else(wrong)?;
        return Ok(Caller { name: Some(name), role });
    }
    if app.is_open().await? {
        return Ok(Caller { name: None, role: Role::Operator });
    }
    let detail = "an API token is needed: Authorization: Bearer ..";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail))
}

/// As the guard has found it.
fn role(parts: &Parts) -> Result<Role, Problem> {
    let unguarded = || Problem::internal("a handler stands outside of the guard");
    parts.extensions.get::<Result<Caller, Problem>>().ok_or_else(unguarded)?.clone().map(|caller| caller.role)
}

impl FromRequestParts<SharedApp> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        role(parts).map(Self)
    }
}

impl FromRequestParts<SharedApp> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        match role(parts)? {
            Role::Operator => Ok(Self),
            Role::Viewer => Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "this needs an operator's token")),
        }
    }
}
