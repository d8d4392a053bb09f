//! Names of the devices that may speak, for who cannot wait for the database: the bridge to a broker asks for each message's
//! device.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use anyhow::Result;

use crate::store::{Store, devices};

/// How many are read at once.
const PAGE: i64 = 1000;

/// Those that were entered, without those that are disabled, by product key and name.
#[derive(Debug, Default)]
pub(crate) struct Entered(RwLock<HashSet<(String, String)>>);

impl Entered {
    /// Reads them from the database.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn read(store: &Store) -> Result<Self> {
        let (mut all, mut after) = (HashSet::new(), None);
        loop {
            let page = devices::list(store, None, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(Self(RwLock::new(all))) };
            after = Some(last.id);
            let enabled = page.into_iter().filter(|device| device.disabled == 0);
            all.extend(enabled.map(|device| (device.product_key, device.device_name)));
        }
    }

    /// A device was entered, enabled, disabled or deleted.
    pub(crate) fn set(&self, product_key: &str, device_name: &str, may_speak: bool) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let key = (product_key.to_owned(), device_name.to_owned());
        if may_speak {
            all.insert(key);
        } else {
            all.remove(&key);
        }
    }

    pub(crate) fn has(&self, product_key: &str, device_name: &str) -> bool {
        let key = (product_key.to_owned(), device_name.to_owned());
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}
