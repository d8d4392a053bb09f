//! What all parts share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use anyhow::{Result, bail};
use onwire::net::Peers;
use tokio::sync::watch;

use crate::changes::Changes;
use crate::config::Config;
use crate::entered::Entered;
use crate::link::Link;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::model::Model;
use crate::platform::allowance::Allowance;
use crate::platform::calls::Calls;
use crate::platform::repeated::Repeated;
use crate::security::seal::Seal;
use crate::store::devices::Device;
use crate::store::{Store, StoreError, log, tokens};
use crate::time::now;

/// The parts of a running hub.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) store: Store,
    /// Opens secrets.
    pub(crate) seal: Seal,
    /// Thing models by product key.
    pub(crate) models: BTreeMap<String, Model>,
    /// The connected devices.
    pub(crate) link: Link,
    /// Who may speak.
    pub(crate) entered: Entered,
    /// Who is connected, as the runtime sees it.
    pub(crate) peers: Peers,
    /// What devices can be asked.
    pub(crate) calls: Calls,
    /// What devices said lately, and what they were answered.
    pub(crate) repeated: Repeated,
    /// What devices may still say in words of their own.
    pub(crate) allowance: Allowance,
    /// Requests that may change something.
    pub(crate) changes: Changes,
    /// What happens, live.
    pub(crate) live: Live,
    /// Base of the URLs that devices get, without a slash at its end.
    pub(crate) public_url: String,
    /// Turns `true` when the hub ends: answers that have no end of their own must end then.
    pub(crate) ends: watch::Receiver<bool>,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// Entries of the hub in its log.
    pub(crate) notes: Brake,
    /// A token has been seen: from then on everybody has to show one.
    pub(crate) has_tokens: AtomicBool,
}

/// A handle of it.
pub(crate) type SharedApp = Arc<App>;

impl App {
    /// Whether anybody may do everything: there is no token, and the hub is on loopback or was told that this is right. Once
    /// there was a token, the answer stays `false` while the hub runs, so that it never falls open.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn is_open(&self) -> Result<bool, StoreError> {
        if self.has_tokens.load(Ordering::Relaxed) {
            return Ok(false);
        }
        if tokens::any(&self.store).await? {
            self.has_tokens.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        Ok(self.config.insecure || self.config.http.ip().is_loopback())
    }

    /// Whether the hub may listen where it is told to.
    ///
    /// # Errors
    /// It may not; says what to do.
    pub(crate) async fn check_exposure(&self) -> Result<()> {
        if self.config.http.ip().is_loopback() {
            return Ok(());
        }
        if self.config.insecure {
            tracing::warn!("listening beyond loopback without authentication, because of --insecure");
        } else if !tokens::any(&self.store).await? {
            bail!(
                "not listening beyond loopback: anybody could control the devices, because there is no API token. Make one \
                 first (alink-hub token add NAME), or say --insecure if the network itself keeps others out"
            );
        }
        Ok(())
    }

    /// Writes down what the hub has to say of a device, unless too much is said: whoever tries passwords does not fill the
    /// disk. A database that fails is said in the program's own log.
    pub(crate) async fn note(&self, level: &'static str, product_key: &str, device_name: &str, content: String) {
        if !self.notes.may_pass(now() / 1000) {
            return;
        }
        tracing::info!(product_key, device_name, level, "{content}");
        let data = serde_json::json!({"level": level, "content": content});
        let entry = log::New { source: log::Source::Hub, level: level.to_owned(), details: None, content };
        if let Err(error) = log::add(&self.store, (product_key, device_name), vec![entry]).await {
            tracing::error!(%error, "the log cannot be written");
        }
        // Whoever is told finds it written.
        self.live.tell("log", product_key, device_name, || data);
    }

    /// The identity of the gateway that a device is online through.
    pub(crate) fn via(&self, device: &Device) -> Option<Arc<str>> {
        self.peers.find(&crate::link::identity(device))?.gateway
    }

    /// [`App::note`] of a known device.
    pub(crate) async fn note_of(&self, level: &'static str, device: &Device, content: String) {
        self.note(level, &device.product_key, &device.device_name, content).await;
    }
}

/// How many entries of a second pass.
const PER_SECOND: u32 = 50;

/// Lets so many pass in each second.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    second: AtomicI64,
    passed: AtomicU32,
}

impl Brake {
    fn may_pass(&self, second: i64) -> bool {
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.passed.store(0, Ordering::Relaxed);
        }
        self.passed.fetch_add(1, Ordering::Relaxed) < PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_too_often_is_left_out_until_the_next_second() {
        let brake = Brake::default();
        let passed = |second| (0..100).filter(|_| brake.may_pass(second)).count();
        assert_eq!((passed(1), passed(1), passed(2)), (50, 0, 50));
    }
}
