//! From start to graceful end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{Router, middleware};
use hyper_util::service::TowerToHyperService;
use onwire::net::{Certificates, Everybody, Peers, Rustls, Server, ServerConfig, Transport};
use tokio::sync::watch;

use crate::app::{App, Policy, SharedApp};
use crate::config::Config;
use crate::observe::events::Events;
use crate::observe::messages::Messages;
use crate::observe::metrics::{self, Metrics};
use crate::ocpp::CentralSystem;
use crate::security::gate::Gate;
use crate::security::guard::guard;
use crate::security::{Security, exposure, tls};
use crate::store::Store;
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
        store,
        peers: Peers::default(),
        events: Events::default(),
        metrics: Metrics::default(),
        ends,
        config,
    });
    if let Some(file) = &app.config.admin_password_file {
        commands::first_admin(file, &app.security.passwords, &app.store).await?;
    }
    exposure::check(&app).await?;
    let listeners = Listeners::bind(&app.config).await?;
    listeners.announce()?;
    let end = async {
        end.await;
        let _ = ending.send(true);
    };
    let (_, served) = tokio::join!(end, listeners.serve(&app));
    served?;
    app.store.close().await;
    println!("stopped");
    Ok(())
}

/// Where it listens.
struct Listeners {
    plain: Option<Server>,
    tls: Option<(Server, Rustls)>,
}

impl Listeners {
    async fn bind(config: &Config) -> Result<Self> {
        let plain = match config.listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let tls = match config.tls_listen {
            Some(address) => Some((bind(address).await?, tls::rustls(config)?)),
            None => None,
        };
        Ok(Self { plain, tls })
    }

    /// Tells the operator the addresses.
    fn announce(&self) -> Result<()> {
        let tls = self.tls.as_ref().map(|(server, _)| (server, "s"));
        for (server, s) in self.plain.iter().map(|server| (server, "")).chain(tls) {
            let address = server.local_addr()?;
            println!("charge points connect to ws{s}://{address}/ocpp/{{identity}}");
            println!("the page is at http{s}://{address}/web/");
        }
        Ok(())
    }

    async fn serve(self, app: &SharedApp) -> Result<()> {
        let transport = self.tls.as_ref().map(|(_, transport)| transport.clone());
        let replace = move |certificates: &Certificates| match &transport {
            Some(transport) => Ok(transport.replace(certificates)?),
            None => Ok(()),
        };
        let renewing = tokio::spawn(tls::renew_when_told(Arc::clone(app), replace));
        let plain = async {
            match self.plain {
                Some(server) => serve(server, app).await,
                None => Ok(()),
            }
        };
        let tls = async {
            match self.tls {
                Some((server, transport)) => serve(server.transport(transport), app).await,
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
async fn serve<T: Transport>(server: Server<Everybody, T>, app: &SharedApp) -> Result<()> {
    let mut settings = ServerConfig::default();
    settings.observe = Some(Arc::new(Messages::default()));
    let mut ends = app.ends.clone();
    let end = async move { drop(ends.wait_for(|ends| *ends).await) };
    server
        .config(settings)
        .directory(app.peers.clone())
        .authenticate(Gate::new(Arc::clone(app)))
        .http(TowerToHyperService::new(router(app)))
        .serve_until(CentralSystem::new(Arc::clone(app)), end)
        .await?;
    Ok(())
}

/// Everything beside `/ocpp/{id}`.
fn router(app: &SharedApp) -> Router {
    Router::new()
        .merge(api::router(app))
        .merge(web::router())
        .merge(files::router())
        .merge(metrics::router())
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard))
        .with_state(Arc::clone(app))
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
