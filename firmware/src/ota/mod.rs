//! Updates of the device: Alink's OTA, from the offer to the report of the new version.
//!
//! [`Updates`] is the whole of it as a value without I/O. It says what to do next ([`poll`](Updates::poll) gives an [`Action`]:
//! report a version or a progress, fetch bytes, restart), and takes what came of it ([`offered`](Updates::offered),
//! [`received`](Updates::received), [`fetch_failed`](Updates::fetch_failed)). The image itself goes to an [`Updater`], the
//! device's own or [`FlashUpdater`].
//!
//! - **Nothing is handed over but the whole image with the right digest**, which is taken over what was written, by reading it
//!   back.
//! - **A power cut at any moment** is followed by going on: with the bytes that were surely written, with the check, or with the
//!   hand-over. What the [`Updater`] remembers is all that is needed; [`Updates::open`] reads it.
//! - **Several modules**, such as firmware and application, have a version each. One image is fetched at a time, the others
//!   wait; a new offer for the module that is being fetched takes the place of the old one.
//! - **An offer of the version that runs** is answered with the report of that version, and nothing else.
//! - **Failures** are reported with the step that the protocol has for them, a [`Reason`].
//!
//! Bytes come over HTTP with ranges (the whole rest is asked for, and what arrives is taken in pieces of any length;
//! `ota::http` does this on std) or over MQTT (`thing.file.download`, block by block, each asked for again when it does not
//! come; [`Block`] is its reply): [`Fetch`] says which, by its [`Source`].
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use onwire::Instant;
//! use onwire_firmware::ota::{Action, Config, FlashUpdater, HandOver, Image, Module, Offer, Reply, Updates};
//! use onwire_firmware::storage::FileFlash;
//!
//! struct BootFlag(Option<String>);
//!
//! impl<F> HandOver<F> for BootFlag {
//!     type Error = std::convert::Infallible;
//!     async fn hand_over(&mut self, image: &Image, _: &mut F, _: std::ops::Range<u32>) -> Result<(), Self::Error> {
//!         self.0 = Some(image.version.clone());
//!         Ok(())
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("slot");
//! let flash = FileFlash::open(path, 32)?;
//! let updater = FlashUpdater::new(flash, 0..8192, 8192..131_072, BootFlag(None)).ok_or("ranges")?;
//! let mut updates = Updates::open(updater, vec![Module::new("default", "1.0.0")], Config::default()).await?;
//! updates.connected();
//!
//! let push = r#"{"code":"1000","data":{"size":5,"version":"1.1.0","url":"http://firmware.example/1.1.0",
//!     "md5":"5d41402abc4b2a76b9719d911017c592","module":"default"},"id":1,"message":"success"}"#;
//! let now = Instant::from_millis(0);
//! updates.offered_message(push, now).await?;
//! while let Some(action) = updates.poll(now).await {
//!     match action {
//!         Action::Inform { module, version } => println!("/ota/device/inform: {module} {version}"),
//!         Action::Progress { module, step, desc } => println!("/ota/device/progress: {module} {step} {desc}"),
//!         Action::Query { module } => println!("thing.ota.firmware.get: {module}"),
//!         Action::Fetch(fetch) => {
//!             // GET fetch.source, Range: bytes={fetch.offset}-
//!             assert_eq!(updates.received(fetch.id, fetch.offset, b"hello", now).await, Reply::Enough);
//!         }
//!         Action::Restart { version, .. } => println!("restart into {version}"),
//!     }
//! }
//! assert_eq!(updates.updater().hand_over().0.as_deref(), Some("1.1.0"));
//! # Ok(())
//! # }
//! # futures_util::FutureExt::now_or_never(run()).expect("files do not wait").expect("updated");
//! # }
//! ```

mod block;
mod config;
mod digest;
#[cfg(feature = "alink")]
pub mod driver;
mod flash;
#[cfg(feature = "http")]
pub mod http;
mod job;
mod offer;
mod report;
mod updater;
mod updates;

pub use self::block::{BadBlock, Block};
pub use self::config::Config;
pub use self::digest::Digest;
pub use self::flash::{FlashUpdater, FlashUpdaterError, HandOver};
pub use self::job::{Fetch, FetchFailure, FetchId, Reply};
pub use self::offer::{Image, Offer, OfferError, Source};
pub use self::report::{Action, Reason};
pub use self::updater::{Stage, Updater};
pub use self::updates::{Module, Offered, Updates};
