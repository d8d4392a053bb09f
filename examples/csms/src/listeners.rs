//! Where it listens: with TLS, without, or both; all of them serve the same.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use hyper_util::service::TowerToHyperService;
use onwire::net::{Certificates, Everybody, Observe, Rustls, Server, ServerConfig, Transport, Versions};

use crate::app::SharedApp;
use crate::config::Config;
use crate::security::gate::Gate;
use crate::security::tls;

/// What is listened on.
#[derive(Debug)]
pub struct Listeners {
    plain: Option<Server>,
    tls: Option<(Server, Rustls)>,
}

/// What each of them serves.
pub struct Service<'a, R> {
    /// What all parts share.
    pub app: &'a SharedApp,
    /// Is shown every message.
    pub observe: Arc<dyn Observe>,
    /// Everything beside the charge points.
    pub router: Router,
    /// Makes the handlers for charge points.
    pub handlers: &'a (dyn Fn() -> R + Sync),
}

impl Listeners {
    /// Listens.
    ///
    /// # Errors
    /// A port that is taken or not allowed; certificates that cannot be used.
    pub async fn bind(config: &Config) -> Result<Self> {
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
    ///
    /// # Errors
    /// Those of the system.
    pub fn announce(&self) -> Result<()> {
        let tls = self.tls.as_ref().map(|(server, _)| (server, "s"));
        for (server, s) in self.plain.iter().map(|server| (server, "")).chain(tls) {
            let address = server.local_addr()?;
            println!("charge points connect to ws{s}://{address}/ocpp/{{identity}}");
            println!("the page is at http{s}://{address}/web/");
        }
        Ok(())
    }

    /// Serves until the server ends ([`App::ends`](crate::app::App::ends)).
    ///
    /// # Errors
    /// Those of the system.
    pub async fn serve<R: Versions + 'static>(self, service: Service<'_, R>) -> Result<()> {
        let transport = self.tls.as_ref().map(|(_, transport)| transport.clone());
        let replace = move |certificates: &Certificates| match &transport {
            Some(transport) => Ok(transport.replace(certificates)?),
            None => Ok(()),
        };
        let renewing = tokio::spawn(tls::renew_when_told(Arc::clone(service.app), replace));
        let plain = async {
            match self.plain {
                Some(server) => service.serve(server).await,
                None => Ok(()),
            }
        };
        let tls = async {
            match self.tls {
                Some((server, transport)) => service.serve(server.transport(transport)).await,
                None => Ok(()),
            }
        };
        let served = tokio::try_join!(plain, tls);
        renewing.abort();
        served?;
        Ok(())
    }
}

impl<R: Versions + 'static> Service<'_, R> {
    async fn serve<T: Transport>(&self, server: Server<Everybody, T>) -> Result<()> {
        let mut settings = ServerConfig::default();
        settings.observe = Some(Arc::clone(&self.observe));
        let mut ends = self.app.ends.clone();
        let end = async move { drop(ends.wait_for(|ends| *ends).await) };
        server
            .config(settings)
            .directory(self.app.peers.clone())
            .authenticate(Gate::new(Arc::clone(self.app)))
            .http(TowerToHyperService::new(self.router.clone()))
            .serve_until((self.handlers)(), end)
            .await?;
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<Server> {
    Server::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}
