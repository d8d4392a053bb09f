//! What must be there before the server listens beyond loopback, and whether anybody may do everything.

use std::net::IpAddr;

use anyhow::{Result, bail};
use http::uri::Authority;

use crate::app::App;
use crate::config::Config;
use crate::store::StoreError;

/// Whether others than programs of this machine can reach the server.
pub fn is_reachable(config: &Config) -> bool {
    let beyond = |address: &std::net::SocketAddr| !address.ip().is_loopback();
    let listens = config.listen.iter().chain(&config.tls_listen).any(beyond);
    // A proxy on this machine listens to others.
    listens || !config.trusted_proxies.is_empty()
}

/// Whether anybody may do everything: nobody has been entered who could log in, and the server is on loopback, or was told
/// that this is right.
///
/// # Errors
/// Those of the database.
pub async fn is_open(app: &App) -> Result<bool, StoreError> {
    Ok((app.config.insecure || !is_reachable(&app.config)) && !app.security.has_accounts(&app.store).await?)
}

/// Whether the server may listen where it is told to.
///
/// # Errors
/// It may not; says what to do.
pub async fn check(app: &App) -> Result<()> {
    let config = &app.config;
    if !is_reachable(config) {
        return Ok(());
    }
    if config.insecure {
        tracing::warn!("listening beyond loopback without authentication, because of --insecure");
        return Ok(());
    }
    if !app.security.has_accounts(&app.store).await? {
        bail!(
            "not listening beyond loopback: anybody could send commands, because there are neither users nor API tokens. \
             Enter an administrator first (csms user add NAME --role admin, or --admin-password-file FILE), or say \
             --insecure if the network itself keeps others out"
        );
    }
    if config.security_profile == 0 {
        bail!(
            "not listening beyond loopback: charge points would need neither key nor certificate with security profile \
             0. Leave --security-profile at 1 or higher, or say --insecure if the network itself keeps others out"
        );
    }
    Ok(())
}

/// Whether a `Host` is one that a browser cannot have been led to by somebody else's DNS: an address, `localhost`, or a name
/// that was set.
pub fn is_own_host(config: &Config, host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || config.host_names.iter().any(|own| own.eq_ignore_ascii_case(name))
}
