//! From start to graceful end.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{Router, middleware};
use onwire::net::Peers;
use tokio::sync::watch;

use crate::app::{App, Policy, SharedApp};
use crate::config::Config;
use crate::listeners::{Listeners, Service};
use crate::observe::events::Events;
use crate::observe::http as metrics;
use crate::observe::messages::Messages;
use crate::observe::metrics::Metrics;
use crate::ocpp::admission::{Admission, Admitted};
use crate::ocpp::{CentralSystem, presence};
use crate::security::guard::guard;
use crate::security::{Security, exposure};
use crate::store::{Store, retention};
use crate::{api, commands, files, web};

/// Serves until `end` is ready, then completes what is under way.
///
/// # Errors
/// What an operator has to mend: a port that is taken, a database that cannot be opened, what must be there before it listens
/// beyond loopback.
pub async fn run(config: Config, end: impl Future<Output = ()>) -> Result<()> {
    std::fs::create_dir_all(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;
    let store = Store::open(&config.database).await?;
    let (ending, ends) = watch::channel(false);
    let app = Arc::new(App {
        policy: Policy::new(config.open),
        security: Security::open(&config)?,
        metrics: Metrics::new(store.numbers()),
        store,
        peers: Peers::default(),
        events: Events::default(),
        ends,
        config,
    });
    if let Some(file) = &app.config.admin_password_file {
        commands::first_admin(file, &app.security.passwords, &app.store).await?;
    }
    exposure::check(&app).await?;
    let listeners = Listeners::bind(&app.config).await?;
    let messages = Messages::start(&app);
    listeners.announce()?;
    let admitted = Admitted::default();
    let following = tokio::spawn(presence::follow(Arc::clone(&app), admitted.clone(), app.peers.events()));
    let handlers = || {
        let handlers = CentralSystem::new(Arc::clone(&app), admitted.clone());
        Admission::new(handlers, Arc::clone(&app), admitted.clone())
    };
    let end = async {
        end.await;
        let _ = ending.send(true);
    };
    let old = tokio::spawn({
        let app = Arc::clone(&app);
        async move { retention::keep_for(&app.store, &app.config).await }
    });
    let observe = Arc::clone(&messages) as _;
    let service = Service { app: &app, observe, router: router(&app), handlers: &handlers };
    let (_, served) = tokio::join!(end, listeners.serve(service));
    served?;
    following.await?;
    old.abort();
    messages.close().await;
    app.store.close().await;
    println!("stopped");
    Ok(())
}

/// Everything beside `/ocpp/{id}`.
fn router(app: &SharedApp) -> Router {
    let router =
        Router::new().merge(api::router(app)).merge(web::router()).merge(files::router()).merge(metrics::router());
    let router = metrics::counted(router, app).layer(middleware::from_fn_with_state(Arc::clone(app), guard));
    router.with_state(Arc::clone(app))
}

/// Ready when the process is asked to end: ctrl-c, or SIGTERM where there is such.
pub async fn signals() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            },
            Err(_) => drop(tokio::signal::ctrl_c().await),
        }
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
}
