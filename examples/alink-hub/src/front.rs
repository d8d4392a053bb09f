//! Where devices come from: they connect here, or to a broker of the operator's, and so does the hub.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use onwire::mqtt::Connect;
use onwire::net::alink::{Bridge, Listener};
use onwire::net::{Certificates, ClientTls, Peers, Rustls};

use crate::app::SharedApp;
use crate::config::{Broker, Config};
use crate::durable;
use crate::mqtt::{Hub, Sense, settings};
use crate::security::new_secret;

/// What devices reach.
pub(crate) enum Front {
    /// A listener, and one with TLS if there are certificates.
    Here(Box<Listener>, Option<Box<Listener<Rustls>>>),
    /// A broker at that URL.
    Broker(Box<Bridge>, String),
}

impl Front {
    /// Listens, or makes ready to connect to the broker; `products` are those whose devices are heard there.
    ///
    /// # Errors
    /// A port that is taken, a file that cannot be read, certificates or a URL that are none.
    pub(crate) async fn open(config: &Config, products: impl Iterator<Item = String>) -> Result<Self> {
        if let Some(broker) = &config.broker {
            return Ok(Self::Broker(Box::new(bridge(broker, &config.data, products)?), broker.url.clone()));
        }
        let plain = bind(config.mqtt).await?;
        let tls = match &config.tls {
            None => None,
            Some(tls) => {
                let certificates = Certificates::from_pem(read(&tls.certificate)?, read(&tls.key)?);
                let rustls = Rustls::new(&certificates).context("the certificate of --tls-certificate")?;
                // One directory: a device has one connection, whichever way it comes.
                Some(Box::new(bind(tls.address).await?.directory(plain.peers()).transport(rustls)))
            }
        };
        Ok(Self::Here(Box::new(plain), tls))
    }

    /// Who is connected.
    pub(crate) fn peers(&self) -> Peers {
        match self {
            Self::Here(plain, _) => plain.peers(),
            Self::Broker(bridge, _) => bridge.peers(),
        }
    }

    /// Where devices connect.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn urls(&self) -> Result<Vec<String>> {
        Ok(match self {
            Self::Here(plain, tls) => {
                let plain = format!("mqtt://{}", plain.local_addr()?);
                let tls = tls.as_ref().map(|tls| Ok::<_, std::io::Error>(format!("mqtts://{}", tls.local_addr()?)));
                std::iter::once(plain).chain(tls.transpose()?).collect()
            }
            Self::Broker(_, url) => vec![url.clone()],
        })
    }

    /// Serves until the hub ends. What devices that connect here have sent by then is kept, answered and acknowledged; a
    /// broker keeps what is not acknowledged.
    ///
    /// # Errors
    /// What no attempt to reach the broker can mend.
    pub(crate) async fn serve(self, sense: Sense, app: SharedApp) -> Result<()> {
        let settings = settings(&sense, &app);
        let hub = || Hub::new(app.clone(), sense.clone());
        let end = || {
            let mut ends = app.ends.clone();
            async move { drop(ends.wait_for(|ends| *ends).await) }
        };
        match self {
            Self::Here(plain, None) => plain.config(settings).serve_until(hub(), end()).await,
            Self::Here(plain, Some(tls)) => {
                let plain = plain.config(settings.clone()).serve_until(hub(), end());
                tokio::join!(plain, tls.config(settings).serve_until(hub(), end()));
            }
            Self::Broker(bridge, url) => tokio::select! {
                served = bridge.config(settings).serve(hub()) => served.with_context(|| format!("the broker at {url}"))?,
                () = end() => {}
            },
        }
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<Listener> {
    Listener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn bridge(broker: &Broker, data: &Path, products: impl Iterator<Item = String>) -> Result<Bridge> {
    let Broker { url, user, password_file, authorities } = broker;
    let mut connect = Connect::new(client_id(data)?);
    // What is not acknowledged comes again, and what comes meanwhile waits.
    connect.clean_session = false;
    connect.username.clone_from(user);
    if let Some(file) = password_file {
        connect.password = Some(read(file)?.trim_ascii_end().into());
    }
    let bridge = Bridge::new(url, connect, products).with_context(|| format!("{url:?} is no mqtt://HOST:PORT"))?;
    Ok(match authorities {
        Some(file) => bridge.tls(ClientTls::new(read(file)?).with_context(|| format!("in {}", file.display()))?),
        None => bridge,
    })
}

/// By which the broker knows the hub again: the same each time.
fn client_id(data: &Path) -> Result<String> {
    let path = data.join("broker-client-id");
    durable::create(&path, format!("alink-hub-{}", new_secret()?).as_bytes())
        .with_context(|| format!("cannot make {}", path.display()))?;
    let id = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(id.trim().to_owned())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
