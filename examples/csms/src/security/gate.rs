//! Which charge points may connect: OCPP's security profiles.
//!
//! | profile | what it takes here |
//! |---|---|
//! | 0 | nothing: a charge point without a key, where that is allowed |
//! | 1 | its key by HTTP Basic, in the clear |
//! | 2 | its key by HTTP Basic, within TLS |
//! | 3 | TLS with a certificate whose common name is its identity |
//!
//! Once a charge point has connected with one profile, lower ones are refused (security whitepaper A05.FR.09).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT_LANGUAGE, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN, USER_AGENT};
use onwire::net::{Authenticate, Denied, KeepAlive, Login};

use super::certificates::subject;
use super::client::Client;
use super::keys::{self, Used};
use super::limits::subscriber;
use super::logins::{self, Proof};
use crate::app::{App, SharedApp};
use crate::store::{StoreError, sql};
use crate::time;

/// The longest identity of a charge point that enters itself, in characters: OCPP 1.6 has 20 for its serial numbers, 2.0.1
/// has 48 for identities.
const LONGEST_IDENTITY: usize = 48;

/// When a charge point should come back if the database failed.
const LATER: Duration = Duration::from_secs(10);

/// Asked before each connection is opened.
#[derive(Debug)]
pub struct Gate {
    app: SharedApp,
    /// Of those that were let in, where it is not the server's. As many as the database knows at most.
    keep_alive: Mutex<HashMap<Box<str>, KeepAlive>>,
}

/// What is known of a charge point.
#[derive(Debug, Default)]
struct Known {
    is_new: bool,
    lowest_profile: i64,
    key: Option<String>,
    next_key: Option<String>,
    /// Whether the next key is good after a restart of the charge point only.
    after_reboot: bool,
    /// In seconds, as an operator has set them.
    ping_interval: Option<i64>,
    ping_timeout: Option<i64>,
    /// HeartbeatInterval in seconds, as the charge point has told it.
    heartbeat: Option<u32>,
}

/// The longest HeartbeatInterval that is believed.
const DAY: u32 = 86_400;

/// How dead links are found of charge points with that interval between heartbeats, in seconds. One that does not answer
/// pings is heard at each heartbeat; one may be lost.
pub(crate) fn keep_alive(heartbeat: u32) -> KeepAlive {
    let mut keep_alive = KeepAlive::default();
    keep_alive.silence = Some(Duration::from_secs(2 * u64::from(heartbeat) + 30));
    keep_alive
}

impl Known {
    /// The lowest profile that it may connect with.
    fn lowest_profile(&self, app: &App) -> i64 {
        self.lowest_profile.max(i64::from(app.config.security_profile))
    }
}

/// Somebody who may connect.
#[derive(Debug)]
struct Admitted {
    profile: i64,
    proof: Proof,
    used: Option<Used>,
}

/// Lowest profile, key, next key, whether that is used after a restart; interval and time-out of pings, HeartbeatInterval.
type Row = (i64, Option<String>, Option<String>, i64, Option<i64>, Option<i64>, Option<String>);

async fn find(app: &App, identity: &str) -> Result<Option<Known>, StoreError> {
    let sql = "SELECT security_profile, key_hash, next_key_hash, next_key_after_reboot, ping_interval, ping_timeout,
        (SELECT value FROM configuration_keys WHERE charge_point = charge_points.id AND folded = 'heartbeatinterval'
            AND odd = 0) FROM charge_points WHERE id = $1";
    let row: Option<Row> = sql::query_as(sql).bind(identity).fetch_optional(app.store.readers()).await?;
    Ok(row.map(|(lowest_profile, key, next_key, after_reboot, ping_interval, ping_timeout, heartbeat)| Known {
        is_new: false,
        lowest_profile,
        key,
        next_key,
        after_reboot: after_reboot != 0,
        ping_interval,
        ping_timeout,
        heartbeat: heartbeat.and_then(|seconds| seconds.trim().parse().ok()).filter(|seconds| *seconds <= DAY),
    }))
}

/// Whether a login that was accepted would be accepted still.
///
/// # Errors
/// Those of the database.
pub(super) async fn holds(app: &App, identity: &str, login: &logins::Login) -> Result<bool, StoreError> {
    // Whoever is let in is entered; if it is not there, it was removed.
    let Some(known) = find(app, identity).await? else { return Ok(false) };
    if login.profile < known.lowest_profile(app) {
        return Ok(false);
    }
    Ok(match &login.proof {
        Proof::Nothing => known.key.is_none() && known.next_key.is_none(),
        Proof::Key(hash) => [known.key, known.next_key].iter().flatten().any(|known| **known == **hash),
        Proof::Certificate(serial) => !super::issued::is_revoked(&app.store, serial).await?,
    })
}

impl Gate {
    /// A gate that asks the database.
    pub fn new(app: SharedApp) -> Self {
        Self { app, keep_alive: Mutex::default() }
    }

    fn remember_pings(&self, identity: &str, known: &Known) {
        let default = keep_alive(self.app.config.heartbeat_interval);
        let seconds = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
        let mut of_this = keep_alive(known.heartbeat.unwrap_or(0).max(self.app.config.heartbeat_interval));
        of_this.ping_after = known.ping_interval.map(seconds).or(of_this.ping_after);
        of_this.patience = known.ping_timeout.map_or(of_this.patience, seconds);
        let parts = |pings: KeepAlive| (pings.ping_after, pings.patience, pings.silence);
        let mut others = self.keep_alive.lock().unwrap_or_else(PoisonError::into_inner);
        if parts(of_this) == parts(default) {
            others.remove(identity);
        } else {
            others.insert(identity.into(), of_this);
        }
    }

    async fn decide(&self, login: &Login, client: &Client, known: Option<Known>) -> Result<(), Denied> {
        let identity = login.identity.as_str();
        let known = match known {
            Some(known) => known,
            None if !self.app.policy.accepts_unknown_charge_points() => return Err(Denied::UnknownIdentity),
            None if identity.chars().count() > LONGEST_IDENTITY => return Err(Denied::UnknownIdentity),
            None => Known { is_new: true, ..Known::default() },
        };
        let admitted = match &client.certificate {
            Some(certificate) => self.by_certificate(identity, certificate).await?,
            None => self.by_key(login, client, &known)?,
        };
        let lowest = known.lowest_profile(&self.app);
        if admitted.profile < lowest {
            tracing::warn!(?identity, profile = admitted.profile, lowest, "refused: too low a security profile");
            return Err(if admitted.profile == 0 { Denied::BadCredentials } else { Denied::Forbidden });
        }
        if admitted.profile == 0
            && !self.app.config.door.admits_browsers
            && let Some(header) = page_of_elsewhere(login)
        {
            let origin = login.headers.get(ORIGIN);
            tracing::warn!(?identity, ?origin, %header, "refused: a browser, on a web page of another site");
            return Err(Denied::Forbidden);
        }
        tracing::debug!(?identity, profile = admitted.profile, "may connect");
        // Without a version in common it is not connected, and nothing is learned of it.
        if login.dialect.is_some() {
            self.keep(identity, &known, &admitted).await.map_err(unavailable)?;
            self.remember_pings(identity, &known);
            let Admitted { profile, proof, .. } = admitted;
            let login = logins::Login { remote: login.origin.remote, profile, proof };
            self.app.security.logins.remember(identity, login, &self.app.peers);
        }
        Ok(())
    }

    /// Profile 3 (A00.FR.403-405, 704). That the chain is good was checked by TLS.
    async fn by_certificate(&self, identity: &str, certificate: &[u8]) -> Result<Admitted, Denied> {
        let refused = |why: &str| {
            tracing::warn!(?identity, why, "refused: the certificate");
            Denied::Forbidden
        };
        let subject = subject(certificate).map_err(|error| refused(&format!("{error:#}")))?;
        if subject.common_name != identity {
            return Err(refused("its common name is another"));
        }
        if self.app.config.cpo_name.as_ref().is_some_and(|operator| subject.organization.as_ref() != Some(operator)) {
            return Err(refused("its organization is not the operator"));
        }
        if super::issued::is_revoked(&self.app.store, &subject.serial).await.map_err(unavailable)? {
            return Err(refused("it is revoked"));
        }
        Ok(Admitted { profile: 3, proof: Proof::Certificate(subject.serial.into()), used: None })
    }

    /// Profiles 0 to 2.
    fn by_key(&self, login: &Login, client: &Client, known: &Known) -> Result<Admitted, Denied> {
        if known.key.is_none() && known.next_key.is_none() {
            // A password says nothing if nobody knows it.
            return Ok(Admitted { profile: 0, proof: Proof::Nothing, used: None });
        }
        let password = login.password.as_deref().ok_or(Denied::BadCredentials)?;
        let readings = keys::readings(password, self.app.config.key_form);
        let matches = |hash: &Option<String>| {
            let secret = &self.app.security.secret;
            hash.as_ref().is_some_and(|hash| {
                // All of them, so that the time does not tell which.
                let is_one = |key: &Vec<u8>| secret.matches(&login.identity, key, hash);
                readings.iter().filter(|key| is_one(key)).count() > 0
            })
        };
        let (used, hash) = match (matches(&known.key), matches(&known.next_key)) {
            (_, true) => (Used::Next, &known.next_key),
            (true, false) => (Used::Old, &known.key),
            (false, false) => return Err(Denied::BadCredentials),
        };
        let proof = Proof::Key(hash.as_deref().unwrap_or_default().into());
        Ok(Admitted { profile: if client.is_encrypted { 2 } else { 1 }, proof, used: Some(used) })
    }

    /// Writes what was learned, if anything was.
    async fn keep(&self, identity: &str, known: &Known, admitted: &Admitted) -> Result<(), StoreError> {
        if let (Some(used), Some(next)) = (admitted.used, &known.next_key) {
            // A charge point that has said that it has to restart first may use the old key until then.
            if used == Used::Next || !known.after_reboot {
                keys::used(&self.app, identity, used, next.clone()).await?;
            }
        }
        if known.is_new {
            tracing::info!(?identity, "a charge point that was not known");
        } else if admitted.profile <= known.lowest_profile {
            return Ok(());
        }
        let (identity, profile, is_new) = (identity.to_owned(), admitted.profile, known.is_new);
        let write = self.app.store.write(move |db| {
            Box::pin(async move {
                let enter = "INSERT INTO charge_points (id, security_profile, created_at) VALUES ($1, $2, $3)
                    ON CONFLICT (id) DO UPDATE SET security_profile = excluded.security_profile
                    WHERE excluded.security_profile > charge_points.security_profile";
                // One that was known and is not there any more was removed meanwhile, and must not come back by this.
                let raise = "UPDATE charge_points SET security_profile = $2 WHERE id = $1 AND security_profile < $2";
                let query = match is_new {
                    true => sql::query(enter).bind(identity).bind(profile).bind(time::now()),
                    false => sql::query(raise).bind(identity).bind(profile),
                };
                query.execute(&mut *db).await?;
                Ok(())
            })
        });
        write.await
    }
}

fn unavailable(error: StoreError) -> Denied {
    tracing::error!(%error, "cannot decide about a charge point");
    Denied::Unavailable(LATER)
}

/// The header that shows a browser which asks for a page of another site: a page may open a WebSocket to any server, and says
/// where it is from. Libraries of charge points send an Origin, too, of any kind.
fn page_of_elsewhere(login: &Login) -> Option<HeaderName> {
    let (headers, origin) = (&login.headers, login.headers.get(ORIGIN)?);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_own =
        super::guard::host_of(origin).zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host));
    if is_own {
        return None;
    }
    let is_browser = |agent: &HeaderValue| agent.as_bytes().starts_with(b"Mozilla/");
    if headers.get(USER_AGENT).is_some_and(is_browser) {
        return Some(USER_AGENT);
    }
    // Chromium sends no Sec-Fetch-Site with WebSockets.
    [ACCEPT_LANGUAGE, COOKIE].into_iter().find(|name| headers.contains_key(name))
}

impl Authenticate for Gate {
    async fn authenticate(&self, login: Login) -> Result<(), Denied> {
        let (security, identity) = (&self.app.security, login.identity.as_str());
        let client = security.client(&login.origin, &login.headers).map_err(|error| {
            tracing::warn!(?identity, error = format!("{error:#}"), "refused: the certificate that a proxy passes");
            Denied::Forbidden
        })?;
        let (from, limits) = (subscriber(client.address), &security.limits);
        let known = find(&self.app, identity).await.map_err(unavailable)?;
        // Before anything is judged, so that guesses at the same time are counted. In this order: who waits for its own attempts
        // keeps no place of its neighbours. Strangers behind an address do not hold off those that are known.
        let of_it = limits.handshakes.attempt((from, identity)).await.map_err(Denied::TooManyAttempts)?;
        let of_address = match &known {
            Some(_) => None,
            None => Some(limits.handshake_addresses.attempt(from).await.map_err(Denied::TooManyAttempts)?),
        };
        let decided = self.decide(&login, &client, known).await;
        if let Err(denied @ (Denied::UnknownIdentity | Denied::BadCredentials | Denied::Forbidden)) = decided {
            tracing::warn!(?identity, address = ?client.address, %denied, "refused a charge point");
            of_it.fail();
            if let Some(of_address) = of_address {
                of_address.fail();
            }
        }
        decided
    }

    fn keep_alive(&self, identity: &str) -> Option<KeepAlive> {
        self.keep_alive.lock().unwrap_or_else(PoisonError::into_inner).get(identity).copied()
    }
}
