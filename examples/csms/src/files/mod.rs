//! What charge points upload and download: firmware, diagnostics, logs; over HTTP and FTP.
//!
//! | module | what is there |
//! |---|---|
//! | [`settings`] | flags that concern files |
//! | [`shelf`] | files on disk, under names of our own |
//! | [`catalogue`] | what the database knows of them |
//! | [`request`] | what one charge point may do with one file, and for how long |
//! | [`location`] | URLs for charge points |
//! | [`upload`] | what HTTP and FTP have in common when a file comes in |
//! | [`http`] | `/files/{token}/..` |
//! | [`ftp`] | the same over FTP |
//! | [`order`] | UpdateFirmware, SignedUpdateFirmware, GetDiagnostics, GetLog |
//! | [`signing`] | signatures of firmware |
//!
//! Each order gets a [`request::Request`] of its own: 256 random bits that stand in its URL, for one charge point, one file
//! and one purpose. The database keeps their hash only, so that they survive a restart of the server and a copy of the
//! database gives none away. They end with their time, when their file is deleted, and, if they are for an upload, when the
//! charge point has reported `Uploaded`. In logs they are masked.

pub mod catalogue;
pub mod ftp;
pub mod http;
pub mod location;
pub mod order;
pub mod request;
pub mod settings;
pub mod shelf;
pub mod signing;
pub mod upload;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;

use self::location::Locations;
use self::shelf::Shelf;
use self::signing::Signer;
use self::upload::Uploads;
pub use settings::FileSettings;

use crate::app::SharedApp;
use crate::config::Config;
use crate::store::Store;

/// Uploads and downloads of charge points.
#[derive(Debug)]
pub struct Files {
    /// Files on disk.
    pub shelf: Shelf,
    /// URLs for charge points.
    pub locations: Locations,
    /// Who uploads at the moment.
    pub uploads: Uploads,
    /// Signs firmware, if there is a key.
    pub signer: Option<Arc<Signer>>,
}

impl Files {
    /// Files in the data folder; charge points reach the server at `address`, unless it was told otherwise. What
    /// interrupted uploads have left behind is removed.
    ///
    /// # Errors
    /// A folder that cannot be made or read, a key that is none.
    pub async fn open(config: &Config, (scheme, address): (&str, SocketAddr), store: &Store) -> Result<Self> {
        let shelf = Shelf::open(config.data.join("files"))?;
        shelf.sweep(&catalogue::ids(store).await?)?;
        Ok(Self {
            shelf,
            locations: Locations::new(&config.files, scheme, address),
            uploads: Uploads::default(),
            signer: Signer::new(&config.files)?.map(Arc::new),
        })
    }
}

/// `/files`, for charge points.
pub fn router() -> Router<SharedApp> {
    http::router()
}
