//! Who may connect, and who may do what.
//!
//! | module | what is there |
//! |---|---|
//! | [`gate`] | which charge points may connect: security profiles 0 to 3 |
//! | [`keys`], [`secret`] | their keys (HTTP Basic), and how these are kept |
//! | [`certificates`], [`authority`], [`issued`] | their certificates: read, checked, signed, revoked |
//! | [`logins`] | connections end when what they were let in with holds no longer |
//! | [`tls`] | the server's own certificates, renewed while it runs |
//! | [`client`] | who is at the other end, also behind a proxy |
//! | [`access`] | who sends a request to the REST interface, and what they may do |
//! | [`users`], [`passwords`], [`sessions`], [`tokens`] | people, their log-ins, and API tokens |
//! | [`guard`] | before every request: web pages elsewhere are kept out; security headers |
//! | [`limits`] | how often somebody may fail |
//! | [`exposure`] | what must be there before the server listens beyond loopback |
//! | [`audit`] | who did what |

pub mod access;
pub mod audit;
pub mod authority;
pub mod certificates;
pub mod client;
pub mod exposure;
pub mod gate;
pub mod guard;
pub mod issued;
pub mod keys;
pub mod limits;
pub mod logins;
pub mod passwords;
pub mod secret;
pub mod sessions;
pub mod tls;
pub mod tokens;
pub mod users;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Result;
use http::HeaderMap;
use onwire::net::Origin;
use ring::rand::SecureRandom;

use self::authority::Authority;
use self::certificates::Chains;
use self::client::{Client, Proxies};
use self::limits::Limiter;
use self::logins::Logins;
use self::passwords::Passwords;
use self::secret::Secret;
use crate::config::Config;
use crate::store::{Store, StoreError, sql};

/// What security needs while the server runs.
#[derive(Debug)]
pub struct Security {
    /// What keys are hashed with.
    pub secret: Secret,
    /// Checks people's passwords.
    pub passwords: Passwords,
    /// Who has failed.
    pub limits: Limits,
    /// What charge points were let in with.
    pub logins: Logins,
    proxies: Proxies,
    /// Read again with the server's certificates.
    files: RwLock<Files>,
    /// A user or a token has been seen: from then on everybody has to prove who they are.
    has_accounts: AtomicBool,
}

/// What is in files that may change while the server runs.
#[derive(Debug, Clone, Default)]
struct Files {
    /// Signs what charge points ask for; `None`: nobody does.
    authority: Option<Arc<Authority>>,
    /// Checks certificates of charge points that a proxy passes.
    chains: Option<Chains>,
}

impl Files {
    fn read(config: &Config) -> Result<Self> {
        let authority = config.ca.as_deref().map(Authority::open).transpose()?.map(Arc::new);
        let chains = tls::client_authorities(config)?.as_deref().map(Chains::new).transpose()?;
        Ok(Self { authority, chains })
    }
}

/// How often somebody may fail.
#[derive(Debug)]
pub struct Limits {
    /// Charge points, by address and identity: one that is wrong does not hold back its neighbours behind one address. None
    /// waits for longer than 10 s.
    pub handshakes: Limiter,
    /// Charge points that nobody knows, by address.
    pub handshake_addresses: Limiter,
    /// Log-ins and tokens, by address.
    pub login_addresses: Limiter,
    /// Log-ins, by user.
    pub login_users: Limiter,
    /// Certificates that are signed, by identity: each is kept.
    pub signings: Limiter,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes: Limiter::new(10, Duration::from_secs(10)),
            handshake_addresses: Limiter::new(200, Duration::from_secs(1)),
            login_addresses: Limiter::new(20, Duration::from_secs(10)),
            login_users: Limiter::new(10, Duration::from_secs(30)),
            signings: Limiter::new(10, Duration::from_secs(600)),
        }
    }
}

impl Security {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// A secret, a certificate or a key that cannot be read.
    pub fn open(config: &Config) -> Result<Self> {
        Ok(Self {
            secret: Secret::open(config.secret.as_ref(), &config.data)?,
            passwords: Passwords::default(),
            limits: Limits::default(),
            logins: Logins::default(),
            proxies: Proxies {
                trusted: config.trusted_proxies.clone(),
                certificate_header: config.proxy_certificate_header.clone(),
            },
            files: RwLock::new(Files::read(config)?),
            has_accounts: AtomicBool::new(false),
        })
    }

    /// Reads certificates and keys of authorities again.
    fn renew(&self, config: &Config) -> Result<()> {
        let files = Files::read(config)?;
        *self.files.write().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(())
    }

    fn files(&self) -> Files {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who signs what charge points ask for; `None`: nobody does.
    pub fn authority(&self) -> Option<Arc<Authority>> {
        self.files().authority
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// A proxy passes a certificate that is not good.
    pub fn client(&self, origin: &Origin, headers: &HeaderMap) -> Result<Client> {
        self.proxies.client(origin, headers, self.files().chains.as_ref())
    }

    /// Whether there is a user or a token. Once there was, the answer stays `true` while the server runs, so that it never
    /// falls open.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has_accounts(&self, store: &Store) -> Result<bool, StoreError> {
        if self.has_accounts.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let sql = "SELECT CAST((SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM api_tokens) AS BIGINT)";
        let accounts: i64 = sql::query_scalar(sql).fetch_one(store.readers()).await?;
        if accounts > 0 {
            self.has_accounts.store(true, Ordering::Relaxed);
        }
        Ok(accounts > 0)
    }
}

/// Random bytes of the system.
///
/// # Errors
/// The system has none.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
    Ok(bytes)
}
