//! From start to graceful end.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use hyper_util::service::TowerToHyperService;
use onwire::net::{Peers, Server, ServerConfig};
use tokio::sync::watch;

use crate::app::{App, Policy, SharedApp};
use crate::config::Config;
use crate::observe::events::Events;
use crate::observe::http as metrics;
use crate::observe::messages::Messages;
use crate::observe::metrics::Metrics;
use crate::ocpp::CentralSystem;
use crate::security::gate::Gate;
use crate::store::records::settings;
use crate::store::{Store, retention};
use crate::{api, files, web};

/// Serves until `end` is ready, then completes what is under way.
///
/// # Errors
/// What an operator has to mend: a port that is taken, a database that cannot be opened.
pub async fn run(config: Config, end: impl Future<Output = ()>) -> Result<()> {
    std::fs::create_dir_all(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;
    let store = Store::open(&config.database).await?;
    let (ending, ends) = watch::channel(false);
    let app = Arc::new(App {
        policy: Policy::new(config.open),
        metrics: Metrics::new(store.numbers()),
        store,
        peers: Peers::default(),
        events: Events::default(),
        ends,
        config,
    });
    app.policy.set(
        settings::switch(&app.store, settings::UNKNOWN_CHARGE_POINTS).await?,
        settings::switch(&app.store, settings::UNKNOWN_ID_TAGS).await?,
    );
    let server = Server::bind(app.config.listen).await;
    let server = server.with_context(|| format!("cannot listen on {}", app.config.listen))?;
    let address = server.local_addr()?;
    let mut settings = ServerConfig::default();
    let messages = Messages::start(&app);
    settings.observe = Some(Arc::clone(&messages) as _);
    println!("charge points connect to ws://{address}/ocpp/{{identity}}");
    println!("the page is at http://{address}/web/");
    let end = async {
        end.await;
        let _ = ending.send(true);
    };
    let old = tokio::spawn({
        let app = Arc::clone(&app);
        async move { retention::keep_for(&app.store, &app.config).await }
    });
    server
        .config(settings)
        .directory(app.peers.clone())
        .authenticate(Gate::new(Arc::clone(&app)))
        .http(TowerToHyperService::new(router(&app)))
        .serve_until(CentralSystem::new(Arc::clone(&app)), end)
        .await?;
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
    metrics::counted(router, app).with_state(Arc::clone(app))
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
