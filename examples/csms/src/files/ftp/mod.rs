//! Files over FTP, for charge points that speak nothing else. It is off unless `--ftp-listen` is set, because it needs
//! ports of its own: one for commands, and one for each transfer (`--ftp-passive-ports`), which a firewall has to let in.
//!
//! libunftp speaks the protocol. Here is who may log in (`login`: with a request's id and token), and what they see then
//! (`storage`: the one file of that request). There is no anonymous user and nothing to list, rename or delete. Passive
//! mode only: the server connects to nobody.
//!
//! In FTP the end of a data connection is the end of the file. A charge point that dies in the middle of an upload and
//! whose system closes the connection in good order has, for all that can be seen here, uploaded a shorter file; if it
//! tries again, that takes the place of this one.
//!
//! libunftp bounds neither the length of a command nor, therefore, the memory that it takes; connections are few and end
//! after `IDLE` seconds. Only charge points' networks should reach these ports.
//!
//! There is no FTP over TLS: libunftp's data connections panic when a peer's TLS handshake fails. Whoever wants secrecy has
//! HTTPS.

mod login;
mod storage;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use libunftp::options::{PassiveHost, SiteMd5};
use libunftp::{Server, ServerBuilder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use self::login::{Door, Guide, Visitor};
use self::storage::Desk;
use crate::app::SharedApp;

/// Control connections at one time; one more is closed at once.
const AT_ONCE: usize = 128;

/// Seconds that a control connection may be silent while nothing is transferred.
const IDLE: u64 = 60;

/// How long to wait when the system has no room for another connection.
const LATER: Duration = Duration::from_millis(100);

/// Starts it, if the settings say so. It ends with the server; transfers under way are cut then.
///
/// # Errors
/// A port that is taken.
pub async fn start(app: &SharedApp) -> Result<()> {
    let Some(address) = app.config.files.ftp_listen else { return Ok(()) };
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for FTP"))?;
    let address = listener.local_addr()?;
    app.files.locations.has_ftp(address);
    println!("files over FTP are at ftp://{address}");
    tokio::spawn(serve(app.clone(), listener));
    Ok(())
}

async fn serve(app: SharedApp, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut ends = app.ends.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ends.wait_for(|ends| *ends) => return,
        };
        match accepted {
            Ok((stream, from)) => match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let app = app.clone();
                    tokio::spawn(async move {
                        speak(&app, stream, from).await;
                        drop(place);
                    });
                }
                Err(_) => tracing::warn!(%from, "too many FTP connections"),
            },
            Err(error) => {
                tracing::warn!(%error, "an FTP connection could not be accepted");
                tokio::time::sleep(LATER).await;
            }
        }
    }
}

async fn speak(app: &SharedApp, stream: TcpStream, from: SocketAddr) {
    match server(app) {
        Ok(server) => {
            if let Err(error) = server.service(stream).await {
                tracing::info!(%error, %from, "an FTP connection failed");
            }
        }
        Err(error) => tracing::error!(%error, "FTP cannot be served"),
    }
}

fn server(app: &SharedApp) -> Result<Server<Desk, Visitor>> {
    let desk = app.clone();
    let builder = ServerBuilder::with_user_detail_provider(
        Box::new(move || Desk::new(desk.clone())),
        Arc::new(Guide::new(app.clone())),
    );
    let builder = builder
        .authenticator(Arc::new(Door::new(app.clone())))
        .greeting("onwire")
        .idle_session_timeout(IDLE)
        .passive_ports(app.config.files.ftp_passive_ports.clone())
        .passive_host(passive_host(app.files.locations.ftp_host()))
        .sitemd5(SiteMd5::None);
    Ok(builder.build()?)
}

/// What PASV tells a charge point to connect to.
fn passive_host(host: Option<&str>) -> PassiveHost {
    match host.map(|host| (host, host.parse::<Ipv4Addr>())) {
        None => PassiveHost::FromConnection,
        Some((_, Ok(ip))) => PassiveHost::Ip(ip),
        // EPSV has no address, and PASV none of IPv6.
        Some((host, Err(_))) if host.starts_with('[') => PassiveHost::FromConnection,
        Some((host, Err(_))) => PassiveHost::Dns(host.to_owned()),
    }
}
