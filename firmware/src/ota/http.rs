//! Images over HTTP and HTTPS: [`ureq`], which blocks its thread and needs no runtime, with TLS by rustls and ring.
//!
//! A [`Client`] gets what a [`Fetch`] asks for. After a cut it goes on with a range, and takes care that what is put together is one
//! file: by the `ETag` where the server gives a strong one (`If-Range`), by the whole length always; what both miss, the digest
//! finds. Servers without ranges are read from the beginning.
//!
//! ```no_run
//! use onwire::Instant;
//! use onwire_firmware::ota::http::{Client, ClientConfig};
//! use onwire_firmware::ota::{Action, Updater, Updates};
//!
//! async fn update<U: Updater>(updates: &mut Updates<U>, clock: impl Fn() -> Instant) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut client = Client::new(ClientConfig::default())?;
//!     while let Some(action) = updates.poll(clock()).await {
//!         if let Action::Fetch(fetch) = action {
//!             client.fetch_into(updates, &fetch, &clock).await;
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! On tokio it belongs in a thread of its own (`spawn_blocking`), with [`Client::open`] and a bounded channel for what comes.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use std::io::{ErrorKind, Read};

use onwire::Instant;
use ureq::http::{HeaderMap, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

use super::{Fetch, FetchFailure, Reply, Source, Updater, Updates};

/// How much is read at once, in bytes.
const PIECE: usize = 16 * 1024;

/// Times and bounds of a [`Client`].
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// For the name, the connection and TLS together; default 20 s.
    pub connect_timeout: Duration,
    /// From the request to the end of the response's head; default 30 s.
    pub response_timeout: Duration,
    /// How long no byte may come; default 30 s. The whole download may take as long as it does.
    pub read_timeout: Duration,
    /// How many redirects are followed; default 5.
    pub max_redirects: u32,
    /// Whether plain HTTP is refused, in redirects too; default false, as the digest comes by another way.
    pub https_only: bool,
    /// `User-Agent`.
    pub user_agent: String,
    /// Certificates to trust, PEM; default those of Mozilla.
    pub roots: Option<Vec<u8>>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            response_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(30),
            max_redirects: 5,
            https_only: false,
            user_agent: concat!("onwire-firmware/", env!("CARGO_PKG_VERSION")).to_owned(),
            roots: None,
        }
    }
}

/// The certificates in [`ClientConfig::roots`] cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no certificate, or a broken one, among the roots")]
pub struct BadRoots;

/// An HTTP client that remembers which file it was fetching. It takes no proxy from the environment.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    /// The file (its URL without the query, which is signed anew each time), and its strong `ETag`.
    known: Option<(String, String)>,
}

impl Client {
    /// A client; nothing is connected yet.
    ///
    /// # Errors
    /// [`BadRoots`].
    pub fn new(config: ClientConfig) -> Result<Self, BadRoots> {
        let roots = match &config.roots {
            None => RootCerts::WebPki,
            Some(pem) => RootCerts::from(certificates(pem)?),
        };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .https_only(config.https_only)
            .max_redirects(config.max_redirects)
            .timeout_connect(Some(config.connect_timeout))
            .timeout_recv_response(Some(config.response_timeout))
            .timeout_per_read(Some(config.read_timeout))
            .user_agent(config.user_agent)
            // Lengths and offsets are those of the file itself.
            .accept_encoding("identity")
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build()
            .new_agent();
        Ok(Self { agent, known: None })
    }

    /// Asks for what `fetch` wants, and reads the head of the response.
    ///
    /// # Errors
    /// [`FetchFailure`]. Its text says nothing of the URL, which may let its reader in.
    pub fn open(&mut self, fetch: &Fetch) -> Result<Download, FetchFailure> {
        let Source::Url(url) = &fetch.source else {
            return Err(FetchFailure::Impossible("not over HTTP".into()));
        };
        let file = url.split(['?', '#']).next().unwrap_or(url);
        let known = self.known.as_ref().filter(|(known, _)| known == file).map(|(_, tag)| tag.clone());
        let mut request = self.agent.get(url);
        if fetch.offset > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", fetch.offset));
            if let Some(tag) = &known {
                request = request.header(header::IF_RANGE, tag);
            }
        }
        let response = request.call().map_err(|error| failure(&error))?;
        let headers = response.headers();
        if let Some(coding) = text(headers, &header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
            return Err(FetchFailure::Impossible(format!("Content-Encoding {coding:.20}")));
        }
        let tag = text(headers, &header::ETAG).filter(|tag| tag.starts_with('"'));
        let skip = match response.status().as_u16() {
            200 => {
                let length = text(headers, &header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
                of_size(length, fetch)?;
                fetch.offset
            }
            206 => {
                let range = text(headers, &header::CONTENT_RANGE).and_then(content_range);
                let (from, whole) = range.ok_or_else(|| FetchFailure::Impossible("no Content-Range".into()))?;
                of_size(whole, fetch)?;
                if from != u64::from(fetch.offset) {
                    return Err(FetchFailure::Impossible(format!("a range from {from} on")));
                }
                0
            }
            416 => {
                self.known = None;
                return Err(FetchFailure::Changed("it is shorter".into()));
            }
            status @ (408 | 425 | 429 | 500..) => return Err(FetchFailure::Interrupted(format!("status {status}"))),
            status @ 400.. => return Err(FetchFailure::Gone(format!("status {status}"))),
            status => return Err(FetchFailure::Impossible(format!("status {status}"))),
        };
        // A response that says nothing of it may come of another node of the same service.
        let other = tag.is_some_and(|tag| known.is_some_and(|known| known != tag));
        if let Some(tag) = tag {
            self.known = Some((file.to_owned(), tag.to_owned()));
        }
        if other && fetch.offset > 0 {
            return Err(FetchFailure::Changed("its ETag is another one".into()));
        }
        let body = response.into_body().into_reader();
        Ok(Download { body, skip, offset: fetch.offset, size: fetch.size, piece: vec![0; PIECE] })
    }

    /// Gets what `fetch` wants and hands it to `updates`, and a failure too. Blocks until it has ended; poll then.
    pub async fn fetch_into<U: Updater>(
        &mut self,
        updates: &mut Updates<U>,
        fetch: &Fetch,
        clock: impl Fn() -> Instant,
    ) {
        let mut download = match self.open(fetch) {
            Ok(download) => download,
            Err(failure) => return updates.fetch_failed(fetch.id, failure, clock()).await,
        };
        loop {
            match download.next() {
                Ok(Some((offset, bytes))) => {
                    if updates.received(fetch.id, offset, bytes, clock()).await == Reply::Enough {
                        return;
                    }
                }
                Ok(None) => return,
                Err(failure) => return updates.fetch_failed(fetch.id, failure, clock()).await,
            }
        }
    }
}

/// A response that is read piece by piece.
#[allow(missing_debug_implementations, reason = "a connection and a buffer")]
pub struct Download {
    body: ureq::BodyReader<'static>,
    /// What comes before the bytes that were asked for.
    skip: u32,
    offset: u32,
    size: u32,
    piece: Vec<u8>,
}

impl Download {
    /// The next bytes, at most 16 KiB, and their place in the file; nothing after the last one. Not one byte more is given than
    /// the file has.
    ///
    /// # Errors
    /// [`FetchFailure`].
    #[allow(clippy::should_implement_trait, reason = "what it gives borrows from it")]
    pub fn next(&mut self) -> Result<Option<(u32, &[u8])>, FetchFailure> {
        loop {
            let length = match self.body.read(&mut self.piece) {
                Ok(length) => length,
                Err(error) => return Err(FetchFailure::Interrupted(error.kind().to_string())),
            };
            let (at, left) = (self.offset, self.size - self.offset);
            if length == 0 {
                let short = left > 0 || self.skip > 0;
                return if short {
                    Err(FetchFailure::Interrupted(format!("{left} bytes are missing")))
                } else {
                    Ok(None)
                };
            }
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            let skipped = self.skip.min(length);
            self.skip -= skipped;
            let fresh = length - skipped;
            if fresh > left {
                return Err(FetchFailure::Changed("it is longer".into()));
            }
            if fresh > 0 {
                self.offset += fresh;
                return Ok(self.piece.get(skipped as usize..length as usize).map(|bytes| (at, bytes)));
            }
        }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, BadRoots> {
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| BadRoots)? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(BadRoots) } else { Ok(found) }
}

fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// `bytes 5-9/10` or `bytes 5-9/*`: where it begins, and the whole length.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    let whole = if whole == "*" { None } else { Some(whole.parse().ok()?) };
    Some((from.trim().parse().ok()?, whole))
}

fn of_size(length: Option<u64>, fetch: &Fetch) -> Result<(), FetchFailure> {
    match length {
        Some(length) if length != u64::from(fetch.size) => {
            Err(FetchFailure::Changed(format!("{length} bytes instead of {}", fetch.size)))
        }
        _ => Ok(()),
    }
}

/// Without what the client says of the URL.
fn failure(error: &ureq::Error) -> FetchFailure {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => FetchFailure::Impossible("not a URL".into()),
        ureq::Error::RequireHttpsOnly(_) => FetchFailure::Impossible("not HTTPS".into()),
        ureq::Error::TooManyRedirects => FetchFailure::Impossible("too many redirects".into()),
        ureq::Error::RedirectFailed => FetchFailure::Impossible("a redirect to nowhere".into()),
        ureq::Error::HostNotFound => FetchFailure::Interrupted("the host is not found".into()),
        ureq::Error::Timeout(_) => FetchFailure::Interrupted("time-out".into()),
        // What TLS does not like, a certificate for one.
        ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            FetchFailure::Interrupted(error.to_string())
        }
        ureq::Error::Io(error) => FetchFailure::Interrupted(error.kind().to_string()),
        ureq::Error::Rustls(error) => FetchFailure::Interrupted(format!("TLS: {error}")),
        _ => FetchFailure::Interrupted("no HTTP response".into()),
    }
}
