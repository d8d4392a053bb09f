//! Names of the devices that may speak, for who cannot wait for the database: the bridge to a broker asks for each message's
//! device.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use anyhow::Result;
use tokio::sync::Mutex;

use crate::store::{Store, StoreError, devices};

/// How many are read at once.
const PAGE: i64 = 1000;

/// Those that were entered, without those that are disabled, by product key and name.
#[derive(Debug, Default)]
pub(crate) struct Entered {
    all: RwLock<HashSet<(String, String)>>,
    /// One after the other, so that what was read last is what stays.
    reading: Mutex<()>,
}

impl Entered {
    /// Reads them from the database.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn read(store: &Store) -> Result<Self> {
        let (mut all, mut after) = (HashSet::new(), None);
        loop {
            let page = devices::list(store, None, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(Self { all: RwLock::new(all), reading: Mutex::default() });
            };
            after = Some(last.id);
            let enabled = page.into_iter().filter(|device| device.disabled == 0);
            all.extend(enabled.map(|device| (device.product_key, device.device_name)));
        }
    }

    /// A device was entered, enabled, disabled or deleted: what the database says of it now counts. To be called once that is
    /// written, in whatever order by several at once.
    ///
    /// # Errors
    /// Those of the database. The device may not speak then.
    pub(crate) async fn refresh(&self, store: &Store, product_key: &str, device_name: &str) -> Result<(), StoreError> {
        let _one_at_a_time = self.reading.lock().await;
        let found = devices::find(store, product_key, device_name).await;
        let may_speak = matches!(&found, Ok(Some(device)) if device.disabled == 0);
        let key = (product_key.to_owned(), device_name.to_owned());
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        if may_speak {
            all.insert(key);
        } else {
            all.remove(&key);
        }
        found.map(|_| ())
    }

    pub(crate) fn has(&self, product_key: &str, device_name: &str) -> bool {
        let key = (product_key.to_owned(), device_name.to_owned());
        self.all.read().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::seal::Seal;

    #[tokio::test]
    async fn what_the_database_says_last_counts_whoever_tells_it_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/hub.db", folder.path().display())).await.unwrap();
        let seal = Seal::open(folder.path()).unwrap();
        let entered = Entered::read(&store).await.unwrap();
        let device = devices::add(&store, &seal, "p", "d", "secret").await.unwrap().unwrap();
        // One enters the device and one disables it; both have written before either comes here.
        devices::set_disabled(&store, device.id, true).await.unwrap();
        for _ in 0..2 {
            entered.refresh(&store, "p", "d").await.unwrap();
            assert!(!entered.has("p", "d"));
        }
        devices::set_disabled(&store, device.id, false).await.unwrap();
        entered.refresh(&store, "p", "d").await.unwrap();
        assert!(entered.has("p", "d"));
        assert!(Entered::read(&store).await.unwrap().has("p", "d"));
        devices::remove(&store, device.id).await.unwrap();
        entered.refresh(&store, "p", "d").await.unwrap();
        assert!(!entered.has("p", "d"));
        store.close().await;
        assert!(entered.refresh(&store, "p", "d").await.is_err());
    }
}
