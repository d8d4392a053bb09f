//! From start to graceful end.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{Router, middleware};
use hyper_util::service::TowerToHyperService;
use onwire::net::{Certificates, Everybody, Peers, Server, ServerConfig, Transport};
use tokio::sync::watch;

use crate::app::{App, Policy, SharedApp};
use crate::config::Config;
use crate::files::Files;
use crate::observe::events::Events;
use crate::observe::http as metrics;
use crate::observe::messages::Messages;
use crate::observe::metrics::Metrics;
use crate::ocpp::admission::{Admission, Admitted};
use crate::ocpp::clocks::Clocks;
use crate::ocpp::local_list::Sending;
use crate::ocpp::refused::Refusals;
use crate::ocpp::{CentralSystem, presence};
use crate::security::gate::{Gate, keep_alive};
use crate::security::guard::guard;
use crate::security::{Security, exposure, tls};
use crate::store::records::{id_tags, settings};
use crate::store::{Store, retention, transactions};
use crate::{api, commands, files, open_files, time, web};

/// Serves until `end` is ready, then completes what is under way.
///
/// # Errors
/// What an operator has to mend: a port that is taken, a database that cannot be opened, what must be there before it listens
/// beyond loopback.
pub async fn run(config: Config, end: impl Future<Output = ()>) -> Result<()> {
    open_files::raise_limit();
    config.make_data_folder()?;
    let store = Store::open(&config.database).await?;
    let (ending, ends) = watch::channel(false);
    let listeners = Listeners::bind(&config).await?;
    let prefix = config.door.prefix().trim_end_matches('/');
    let urls = listeners.addresses()?.map(|(scheme, address)| format!("ws{scheme}://{address}{prefix}/"));
    let app = Arc::new(App {
        urls: urls.collect(),
        policy: Policy::new(config.open),
        files: Files::open(&config, listeners.for_files()?, &store).await?,
        metrics: Metrics::new(store.numbers()),
        security: Security::open(&config)?,
        store,
        peers: Peers::default(),
        admitted: Admitted::default(),
        clocks: Clocks::default(),
        refusals: Refusals::default(),
        lists: Sending::default(),
        events: Events::default(),
        ends,
        config,
    });
    if let Some(file) = &app.config.admin_password_file {
        commands::first_admin(file, &app.security.passwords, &app.store).await?;
    }
    exposure::check(&app).await?;
    app.policy.set(None, Some(app.config.unknown_id_tags));
    let kept = (
        settings::switch(&app.store, settings::UNKNOWN_CHARGE_POINTS).await?,
        settings::switch(&app.store, settings::UNKNOWN_ID_TAGS).await?,
    );
    if kept != (None, None) {
        let (charge_points, id_tags) = kept;
        tracing::info!(?charge_points, ?id_tags, "whether unknown ones are accepted is as an operator has set it");
    }
    app.policy.set(kept.0, kept.1);
    let tags = app.config.id_tags.clone();
    app.store.write(|db| Box::pin(id_tags::enter(db, tags, time::now()))).await?;
    let first = i64::from(app.config.first_transaction_id);
    app.store.write(move |db| Box::pin(transactions::number_from(db, first))).await?;
    listeners.announce(app.config.door.prefix())?;
    let messages = Messages::start(&app);
    files::ftp::start(&app).await?;
    let following = tokio::spawn(presence::follow(Arc::clone(&app), app.peers.events()));
    let old = tokio::spawn({
        let app = Arc::clone(&app);
        async move { retention::keep_for(&app.store, &app.config).await }
    });
    let end = async {
        end.await;
        let _ = ending.send(true);
    };
    let parts = Parts { app: Arc::clone(&app), messages: Arc::clone(&messages) };
    let (_, served) = tokio::join!(end, listeners.serve(&parts));
    served?;
    following.await?;
    old.abort();
    messages.close().await;
    if let Err(error) = app.refusals.keep(&app).await {
        tracing::warn!(%error, "how many CALLs were refused was not kept");
    }
    app.store.close().await;
    // Whoever read the addresses may be gone by now.
    let _ = writeln!(std::io::stdout(), "stopped");
    Ok(())
}

/// What every listener serves.
struct Parts {
    app: SharedApp,
    messages: Arc<Messages>,
}

/// Where it listens.
struct Listeners {
    plain: Option<Server>,
    tls: Option<(Server, tls::Library)>,
}

impl Listeners {
    async fn bind(config: &Config) -> Result<Self> {
        let plain = match config.listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let tls = match config.tls_listen {
            Some(address) => Some((bind(address).await?, tls::library(config)?)),
            None => None,
        };
        Ok(Self { plain, tls })
    }

    /// Where charge points find files if nobody says otherwise: without TLS rather than with a certificate that they may
    /// not know.
    fn for_files(&self) -> Result<(&'static str, SocketAddr)> {
        let (s, address) = self.addresses()?.next().context("there is nowhere to listen")?;
        Ok((if s.is_empty() { "http" } else { "https" }, address))
    }

    /// Tells the operator the addresses.
    fn announce(&self, prefix: &str) -> Result<()> {
        let prefix = prefix.trim_end_matches('/');
        for (s, address) in self.addresses()? {
            println!("charge points connect to ws{s}://{address}{prefix}/{{identity}}");
            println!("the page is at http{s}://{address}/web/");
        }
        Ok(())
    }

    /// Each address, and what its URLs' schemes end with.
    fn addresses(&self) -> Result<impl Iterator<Item = (&'static str, SocketAddr)>> {
        let plain = self.plain.as_ref().map(|server| Ok(("", server.local_addr()?)));
        let tls = self.tls.as_ref().map(|(server, _)| Ok(("s", server.local_addr()?)));
        let addresses: Result<Vec<_>> = plain.into_iter().chain(tls).collect();
        Ok(addresses?.into_iter())
    }

    async fn serve(self, parts: &Parts) -> Result<()> {
        let transport = self.tls.as_ref().map(|(_, transport)| transport.clone());
        let replace = move |certificates: &Certificates| match &transport {
            Some(transport) => Ok(transport.replace(certificates)?),
            None => Ok(()),
        };
        let renewing = tokio::spawn(tls::renew_when_told(Arc::clone(&parts.app), replace));
        let plain = async {
            match self.plain {
                Some(server) => serve(server, parts).await,
                None => Ok(()),
            }
        };
        let tls = async {
            match self.tls {
                Some((server, transport)) => serve(server.transport(transport), parts).await,
                None => Ok(()),
            }
        };
        let served = tokio::try_join!(plain, tls);
        renewing.abort();
        served?;
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<Server> {
    Server::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Serves at one address until the server ends.
async fn serve<T: Transport>(server: Server<Everybody, T>, parts: &Parts) -> Result<()> {
    let Parts { app, messages } = parts;
    let mut settings = ServerConfig::default();
    settings.keep_alive = keep_alive(app.config.heartbeat_interval);
    settings.observe = Some(Arc::clone(messages) as _);
    app.config.door.set(&mut settings);
    let mut ends = app.ends.clone();
    let end = async move { drop(ends.wait_for(|ends| *ends).await) };
    let handlers = CentralSystem::new(Arc::clone(app));
    server
        .config(settings)
        .directory(app.peers.clone())
        .authenticate(Gate::new(Arc::clone(app)))
        .http(TowerToHyperService::new(router(app)))
        .serve_until(Admission::new(handlers, Arc::clone(app)), end)
        .await?;
    Ok(())
}

/// Everything beside `/ocpp/{id}`.
fn router(app: &SharedApp) -> Router {
    let router =
        Router::new().merge(api::router(app)).merge(web::router()).merge(files::router()).merge(metrics::router());
    let router = router.layer(middleware::from_fn_with_state(Arc::clone(app), guard));
    metrics::counted(router, app).with_state(Arc::clone(app))
}

/// Ready when the process is asked to end: ctrl-c, or SIGTERM where there is such. It listens from the call on, so that who
/// sees the server start may ask for its end.
pub fn signals() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    async move {
        #[cfg(unix)]
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        drop(tokio::signal::ctrl_c().await);
    }
}
