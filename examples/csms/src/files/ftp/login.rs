//! Who may log in: the user name is a request's id, the password its token.

use std::fmt;

use async_trait::async_trait;
use unftp_core::auth::{
    AuthenticationError, Authenticator, Credentials, Principal, UserDetail, UserDetailError, UserDetailProvider,
};

use crate::app::SharedApp;
use crate::files::request::{self, Request, Transport};

/// Judges passwords.
pub(super) struct Door {
    app: SharedApp,
}

impl Door {
    pub(super) fn new(app: SharedApp) -> Self {
        Self { app }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

#[async_trait]
impl Authenticator for Door {
    async fn authenticate(&self, username: &str, creds: &Credentials) -> Result<Principal, AuthenticationError> {
        let password = creds.password.as_deref().unwrap_or_default();
        let request = request::find(&self.app.store, Transport::Ftp, password).await;
        match request.map_err(|error| AuthenticationError::with_source("the database failed", error))? {
            Some(request) if request.id == username => Ok(Principal { username: request.id }),
            _ => Err(AuthenticationError::BadPassword),
        }
    }
}

/// Finds out what somebody who has logged in may do.
pub(super) struct Guide {
    app: SharedApp,
}

impl Guide {
    pub(super) fn new(app: SharedApp) -> Self {
        Self { app }
    }
}

impl fmt::Debug for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guide")
    }
}

#[async_trait]
impl UserDetailProvider for Guide {
    type User = Visitor;

    async fn provide_user_detail(&self, principal: &Principal) -> Result<Visitor, UserDetailError> {
        let request = request::again(&self.app.store, Transport::Ftp, &principal.username).await;
        let request = request.map_err(|error| UserDetailError::with_source("the database failed", error))?;
        let username = || principal.username.clone();
        Ok(Visitor { request: request.ok_or_else(|| UserDetailError::UserNotFound { username: username() })? })
    }
}

/// A charge point that has logged in.
#[derive(Debug)]
pub(super) struct Visitor {
    /// What it could do when it logged in.
    pub(super) request: Request,
}

impl UserDetail for Visitor {}

impl fmt::Display for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.request.charge_point)
    }
}
