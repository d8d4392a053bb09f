//! Updates over the connection of an Alink device, on tokio: reports, offers, and the bytes over HTTP or MQTT.
//!
//! ```no_run
//! use onwire::net::alink::DeviceBuilder;
//! use onwire_firmware::ota::driver::Driver;
//! use onwire_firmware::ota::http::{Client, ClientConfig};
//! use onwire_firmware::ota::{Updater, Updates};
//!
//! async fn run<R: onwire::Router, U: Updater>(
//!     builder: DeviceBuilder,
//!     router: R,
//!     updates: &mut Updates<U>,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let (builder, driver) = Driver::new(builder, Client::new(ClientConfig::default())?);
//!     let device = builder.build(router)?;
//!     let link = device.link();
//!     let restart = |module: String, version: String| println!("restart {module}, which will run {version}");
//!     tokio::join!(device.run(), driver.run(updates, &link, restart));
//!     Ok(())
//! }
//! ```

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::pending;
use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use onwire::alink::system::{OtaFirmwareGetRequest, OtaFirmwareGetResponse, OtaInformRequest, OtaProgressRequest};
use onwire::codec::encode;
use onwire::net::alink::{DeviceBuilder, Message, Messages, RequestFailure};
use onwire::net::{Link, LinkState};
use onwire::{CallFailure, Instant, Peer};
use tokio::sync::mpsc;

use super::http::Client;
use super::{Action, Fetch, FetchFailure, FetchId, OfferError, Reply, Source, Updater, Updates};

/// How many offers wait.
const OFFERS: usize = 8;

/// How many pieces of a download wait to be written, at most 16 KiB each.
const PIECES: usize = 4;

/// Drives [`Updates`] over a device's connection. Versions are reported after each login; what is pushed, and what the platform
/// answers when it is asked, is offered; and whatever is to be fetched is fetched, one thing at a time.
#[derive(Debug)]
pub struct Driver {
    messages: Messages,
    offers: mpsc::Receiver<Message>,
    http: Arc<Mutex<Client>>,
}

/// What a download has to say.
enum Piece {
    Bytes(FetchId, u32, Vec<u8>),
    Failed(FetchId, FetchFailure),
}

/// What the platform has to say.
enum Answer {
    Query(Result<OtaFirmwareGetResponse, CallFailure>),
    Block(Fetch, Result<Vec<u8>, RequestFailure>),
}

impl Driver {
    /// A driver for the device that is being described; `http` fetches what has a URL.
    #[must_use]
    pub fn new<C>(builder: DeviceBuilder<C>, http: Client) -> (DeviceBuilder<C>, Self) {
        let (sender, offers) = mpsc::channel(OFFERS);
        let messages = builder.messages();
        let builder = builder.on_upgrade(move |message| {
            // The platform is asked again after the next login.
            if sender.try_send(message).is_err() {
                tracing::warn!("too many offers of updates at once, or nobody takes them");
            }
            core::future::ready(())
        });
        (builder, Self { messages, offers, http: Arc::new(Mutex::new(http)) })
    }

    /// Runs until the link is stopped. `restart` is called once an image is handed over, with its module and version: it is to see
    /// to the restart, at a time that suits the device.
    pub async fn run<U: Updater>(self, updates: &mut Updates<U>, link: &Link, mut restart: impl FnMut(String, String)) {
        let Self { messages, mut offers, http } = self;
        let start = tokio::time::Instant::now();
        let now = || Instant::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        let mut states = link.states();
        let mut peer: Option<Peer> = None;
        let mut answers: FuturesUnordered<BoxFuture<'static, Answer>> = FuturesUnordered::new();
        // Closed by whoever does not want what comes.
        let (_, mut pieces) = mpsc::channel(1);
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                LinkState::Stopped => return,
                LinkState::Connected(now) if peer.as_ref().is_some_and(|peer| peer.is_same_connection(&now)) => {}
                LinkState::Connected(now) => {
                    updates.connected();
                    peer = Some(now);
                }
                _ if peer.take().is_some() => updates.disconnected(),
                _ => {}
            }
            while let Some(action) = updates.poll(now()).await {
                match action {
                    Action::Fetch(fetch) => match fetch.source {
                        Source::Url(_) => pieces = download(&http, fetch),
                        Source::Stream { stream, file } => {
                            let messages = messages.clone();
                            let block = async move {
                                let block = messages.file_block(stream, file, fetch.offset, fetch.length).await;
                                Answer::Block(fetch, block)
                            };
                            answers.push(block.boxed());
                        }
                    },
                    Action::Query { module } => {
                        let Some(peer) = peer.clone() else { continue };
                        let request = OtaFirmwareGetRequest { module: Some(module.into()) };
                        answers.push(async move { Answer::Query(peer.call(request).await) }.boxed());
                    }
                    Action::Inform { module, version } => {
                        let request = OtaInformRequest { version: version.into(), module: Some(module.into()) };
                        // It is reported again after the next login.
                        tell(peer.as_ref().map(|peer| peer.send(request)));
                    }
                    Action::Progress { module, step, desc } => {
                        let mut request = OtaProgressRequest::new(step.to_string(), desc);
                        request.module = Some(module.into());
                        tell(peer.as_ref().map(|peer| peer.send(request)));
                    }
                    Action::Restart { module, version } => restart(module, version),
                }
            }
            let due = async {
                match updates.deadline() {
                    Some(deadline) => {
                        let after = core::time::Duration::from_millis(deadline.as_millis());
                        tokio::time::sleep_until(start + after).await;
                    }
                    None => pending().await,
                }
            };
            tokio::select! {
                // An error says that there will be no other state.
                changed = states.changed() => if changed.is_err() { return },
                Some(message) = offers.recv() => offered(updates, &String::from_utf8_lossy(&message.payload), now()).await,
                Some(piece) = pieces.recv() => match piece {
                    Piece::Bytes(fetch, offset, bytes) => {
                        if updates.received(fetch, offset, &bytes, now()).await == Reply::Enough {
                            pieces.close();
                        }
                    }
                    Piece::Failed(fetch, failure) => updates.fetch_failed(fetch, failure, now()).await,
                },
                Some(answer) = answers.next() => match answer {
                    Answer::Query(Ok(response)) => {
                        let mut text = String::from("{\"code\":200,\"data\":");
                        if encode(&response, &mut text).is_ok() {
                            text.push('}');
                            offered(updates, &text, now()).await;
                        }
                    }
                    Answer::Query(Err(error)) => tracing::debug!(%error, "the platform tells of no update"),
                    Answer::Block(fetch, Ok(payload)) => {
                        updates.block_received(&fetch, &payload, now()).await;
                    }
                    Answer::Block(fetch, Err(error)) => {
                        let failure = FetchFailure::Interrupted(error.to_string());
                        updates.fetch_failed(fetch.id, failure, now()).await;
                    }
                },
                () = due => {}
            }
        }
    }
}

async fn offered<U: Updater>(updates: &mut Updates<U>, message: &str, now: Instant) {
    match updates.offered_message(message, now).await {
        Ok(what) => {
            let image = updates.image().map(|(image, _)| (&*image.module, &*image.version));
            tracing::info!(?what, ?image, "an update is offered");
        }
        Err(OfferError::Nothing) => {}
        Err(error) => tracing::warn!(%error, "an offer of an update that is none"),
    }
}

fn tell(sent: Option<Result<(), CallFailure>>) {
    if let Some(Err(error)) = sent {
        tracing::debug!(%error, "the platform was not told of an update");
    }
}

/// Reads a response in a thread of its own, which ends when nobody takes its pieces.
fn download(http: &Arc<Mutex<Client>>, fetch: Fetch) -> mpsc::Receiver<Piece> {
    let (sender, pieces) = mpsc::channel(PIECES);
    let http = Arc::clone(http);
    tokio::task::spawn_blocking(move || {
        let opened = http.lock().unwrap_or_else(PoisonError::into_inner).open(&fetch);
        let read = opened.and_then(|mut download| {
            while let Some((offset, bytes)) = download.next()? {
                if sender.blocking_send(Piece::Bytes(fetch.id, offset, bytes.into())).is_err() {
                    break;
                }
            }
            Ok(())
        });
        if let Err(failure) = read {
            // Nobody listens any more.
            let _ = sender.blocking_send(Piece::Failed(fetch.id, failure));
        }
    });
    pieces
}
