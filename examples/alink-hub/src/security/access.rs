//! Who sends a request to the REST interface: parameters of handlers.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::AUTHORIZATION;
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

/// Somebody who may look.
#[derive(Debug)]
pub(crate) struct Viewer(pub(crate) Role);

/// Somebody who may do everything.
#[derive(Debug)]
pub(crate) struct Operator;

async fn role(parts: &Parts, app: &SharedApp) -> Result<Role, Problem> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.split_once(' '));
    if let Some((scheme, token)) = bearer
        && scheme.eq_ignore_ascii_case("bearer")
    {
        let wrong = || Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "the API token is not good");
        return tokens::find(&app.store, token.trim()).await?.ok_or_else(wrong);
    }
    if app.is_open().await? {
        return Ok(Role::Operator);
    }
    let detail = "an API token is needed: Authorization: Bearer ..";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail))
}

impl FromRequestParts<SharedApp> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        role(parts, app).await.map(Self)
    }
}

impl FromRequestParts<SharedApp> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        match role(parts, app).await? {
            Role::Operator => Ok(Self),
            Role::Viewer => Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "this needs an operator's token")),
        }
    }
}
