//! Updates over HTTP from a server that cuts, changes and misleads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

mod server;
mod tls;

use std::convert::Infallible;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use md5::Digest as _;
use onwire::Instant;
use onwire_firmware::ota::http::{BadRoots, Client, ClientConfig};
use onwire_firmware::ota::{
    Action, Config, Digest, Fetch, FetchFailure, FlashUpdater, HandOver, Image, Module, Offer, Source, Updates,
};
use onwire_firmware::storage::FileFlash;

use crate::server::{Answer, Server};

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("files do not wait")
}

/// Bytes that differ from one another.
fn image(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[1]).collect()
}

fn offer(url: &str, bytes: &[u8]) -> Offer {
    let image = Image {
        module: "default".into(),
        version: "2".into(),
        size: u32::try_from(bytes.len()).unwrap(),
        digest: Digest::Md5(md5::Md5::digest(bytes).into()),
        difference: false,
    };
    Offer { image, source: Source::Url(url.into()) }
}

struct Copy(Option<Vec<u8>>);

impl HandOver<FileFlash> for Copy {
    type Error = Infallible;

    async fn hand_over(&mut self, _: &Image, flash: &mut FileFlash, at: Range<u32>) -> Result<(), Infallible> {
        use embedded_storage_async::nor_flash::ReadNorFlash;
        let mut bytes = vec![0; (at.end - at.start) as usize];
        flash.read(at.start, &mut bytes).await.unwrap();
        self.0 = Some(bytes);
        Ok(())
    }
}

fn device(path: &Path) -> Updates<FlashUpdater<FileFlash, Copy>> {
    let flash = FileFlash::open(path, 40).unwrap();
    let updater = FlashUpdater::new(flash, 0..8192, 8192..40 * 4096, Copy(None)).unwrap();
    let mut device = now(Updates::open(updater, vec![Module::new("default", "1")], Config::default())).unwrap();
    device.connected();
    device
}

fn client() -> Client {
    Client::new(ClientConfig { read_timeout: Duration::from_millis(300), ..ClientConfig::default() }).unwrap()
}

/// Until there is nothing to do; what failed, if it did.
fn run(
    device: &mut Updates<FlashUpdater<FileFlash, Copy>>,
    client: &mut Client,
    fetches: usize,
) -> Option<(i8, String)> {
    let mut at = Instant::from_millis(0);
    let mut fetched = 0;
    let mut failed = None;
    loop {
        match now(device.poll(at)) {
            Some(Action::Fetch(fetch)) => {
                now(client.fetch_into(device, &fetch, || at));
                fetched += 1;
                if fetched == fetches {
                    return failed;
                }
            }
            Some(Action::Progress { step, desc, .. }) if step < 0 => failed = Some((step, desc)),
            Some(_) => {}
            None => match device.deadline() {
                Some(deadline) => at = at.max(deadline),
                None => return failed,
            },
        }
    }
}

#[test]
fn a_download_that_is_cut_again_and_again_goes_on_where_it_was() {
    let file = image(100_000);
    let answer = Answer { file: file.clone(), etag: Some("\"one\""), cut_after: Some(30_000), ..Answer::default() };
    let server = Server::new(vec![answer]);
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    now(device.offered(offer(&server.url, &file), Instant::from_millis(0)));
    assert_eq!(run(&mut device, &mut client(), usize::MAX), None);
    assert_eq!(device.updater().hand_over().0.as_ref(), Some(&file));
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert!(!requests[0].contains("range"));
    for (request, from) in requests[1..].iter().zip([30_000, 60_000, 90_000]) {
        assert!(
            request.contains(&format!("range: bytes={from}-\r\n")) && request.contains("if-range: \"one\"\r\n"),
            "{request}"
        );
    }
}

#[test]
fn after_a_restart_it_goes_on_with_the_block_in_which_it_stopped() {
    let file = image(100_000);
    let answer = |cut_after| Answer { file: file.clone(), cut_after, ..Answer::default() };
    let server = Server::new(vec![answer(Some(50_000)), answer(None)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slot");
    let mut first = device(&path);
    now(first.offered(offer(&server.url, &file), Instant::from_millis(0)));
    run(&mut first, &mut client(), 1);
    drop(first);
    let mut second = device(&path);
    assert_eq!(second.image().unwrap().1, 49_152);
    assert_eq!(run(&mut second, &mut client(), usize::MAX), None);
    assert_eq!(second.updater().hand_over().0.as_ref(), Some(&file));
    assert!(server.requests()[1].contains("range: bytes=49152-"));
}

#[test]
fn a_server_without_ranges_is_read_from_the_beginning() {
    let file = image(50_000);
    let answer = |cut_after| Answer { file: file.clone(), no_ranges: true, cut_after, ..Answer::default() };
    let server = Server::new(vec![answer(Some(20_000)), answer(Some(30_000)), answer(None)]);
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    now(device.offered(offer(&server.url, &file), Instant::from_millis(0)));
    assert_eq!(run(&mut device, &mut client(), usize::MAX), None);
    assert_eq!(device.updater().hand_over().0.as_ref(), Some(&file));
}

#[test]
fn a_file_that_changed_is_not_joined_to_what_is_here() {
    let file = image(50_000);
    let other = image(50_001)[1..].to_vec();
    let answer =
        |file: &[u8], etag, cut_after| Answer { file: file.to_vec(), etag: Some(etag), cut_after, ..Answer::default() };
    // It was the wrong one first.
    let server = Server::new(vec![answer(&other, "\"one\"", Some(20_000)), answer(&file, "\"two\"", None)]);
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    now(device.offered(offer(&server.url, &file), Instant::from_millis(0)));
    assert_eq!(run(&mut device, &mut client(), usize::MAX), None);
    assert_eq!(device.updater().hand_over().0.as_ref(), Some(&file));
    let requests = server.requests();
    assert!(requests[1].contains("if-range: \"one\"") && !requests[2].contains("range"), "{requests:?}");
}

#[test]
fn a_file_that_changed_unseen_is_found_by_its_digest_and_begun_anew_once() {
    let file = image(50_000);
    let other = image(50_001)[1..].to_vec();
    let answer = |file: &[u8], cut_after| Answer { file: file.to_vec(), cut_after, ..Answer::default() };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(vec![answer(&other, Some(20_000)), answer(&file, None)]);
    let mut first = device(&folder.path().join("first"));
    now(first.offered(offer(&server.url, &file), Instant::from_millis(0)));
    assert_eq!(run(&mut first, &mut client(), usize::MAX), None);
    assert_eq!(first.updater().hand_over().0.as_ref(), Some(&file));

    let server = Server::new(vec![answer(&other, Some(20_000)), answer(&other, None)]);
    let mut second = device(&folder.path().join("second"));
    now(second.offered(offer(&server.url, &file), Instant::from_millis(0)));
    let (step, desc) = run(&mut second, &mut client(), usize::MAX).unwrap();
    assert_eq!((step, desc.starts_with("the digest is Md5 ")), (-3, true));
    assert_eq!((second.updater().hand_over().0.as_ref(), server.requests().len()), (None, 3));
}

/// What [`Client`] says of one request for a file of 1000 bytes, from the byte 10 on.
fn ask(answer: Answer) -> Result<Vec<u8>, FetchFailure> {
    let server = Server::new(vec![answer]);
    fetch(&server.url)
}

fn a_fetch(url: &str, offset: u32) -> Fetch {
    // A fetch comes from an update only.
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    now(device.offered(offer(url, &image(1000)), Instant::from_millis(0)));
    loop {
        if let Some(Action::Fetch(fetch)) = now(device.poll(Instant::from_millis(0))) {
            return Fetch { offset, length: fetch.length - offset, ..fetch };
        }
    }
}

fn fetch(url: &str) -> Result<Vec<u8>, FetchFailure> {
    let mut download = client().open(&a_fetch(url, 10))?;
    let mut bytes = Vec::new();
    while let Some((offset, piece)) = download.next()? {
        assert_eq!(offset as usize, 10 + bytes.len());
        bytes.extend_from_slice(piece);
    }
    Ok(bytes)
}

fn file(length: usize) -> Answer {
    Answer { file: image(length), ..Answer::default() }
}

#[test]
fn what_comes_is_the_rest_of_the_file() {
    assert_eq!(ask(file(1000)).unwrap(), image(1000)[10..]);
    assert_eq!(ask(Answer { no_ranges: true, ..file(1000) }).unwrap(), image(1000)[10..]);
    assert_eq!(ask(Answer { no_ranges: true, no_length: true, ..file(1000) }).unwrap(), image(1000)[10..]);
}

#[test]
fn a_file_of_another_length_is_another_file() {
    for (length, no_ranges, no_length) in
        [(999, false, false), (1001, false, false), (5, false, false), (999, true, false), (1001, true, true)]
    {
        let failure = ask(Answer { no_ranges, no_length, ..file(length) }).unwrap_err();
        assert!(matches!(failure, FetchFailure::Changed(_)), "{length}: {failure}");
    }
}

#[test]
fn an_end_before_the_end_is_an_interruption() {
    for answer in [
        Answer { cut_after: Some(100), ..file(1000) },
        Answer { silent_after: Some(100), ..file(1000) },
        Answer { no_ranges: true, no_length: true, ..file(999) },
        Answer { no_ranges: true, cut_after: Some(5), ..file(1000) },
        Answer { status: Some("503 Service Unavailable"), ..file(1000) },
        Answer { status: Some("429 Too Many Requests"), ..file(1000) },
    ] {
        let failure = ask(answer.clone()).unwrap_err();
        assert!(matches!(failure, FetchFailure::Interrupted(_)), "{answer:?}: {failure}");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(fetch(&format!("http://{nobody}/")), Err(FetchFailure::Interrupted(_))));
}

#[test]
fn a_url_that_is_no_longer_good_is_gone() {
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"] {
        let failure = ask(Answer { status: Some(status), ..file(1000) }).unwrap_err();
        assert!(matches!(failure, FetchFailure::Gone(_)), "{status}: {failure}");
    }
}

#[test]
fn what_cannot_work_is_said_without_the_url() {
    let loops =
        Answer { status: Some("302 Found"), more_headers: "Location: /image?key=secret\r\n".into(), ..file(1000) };
    let packed = Answer { more_headers: "Content-Encoding: gzip\r\n".into(), ..file(1000) };
    let mut failures = vec![ask(loops), ask(packed)];
    failures
        .extend(["", "ftp://host/?key=secret", "http://", "not a url?key=secret", "http://[::1?key=secret"].map(fetch));
    for failure in failures {
        let failure = failure.unwrap_err();
        assert!(!failure.to_string().contains("secret"), "{failure}");
        assert!(matches!(failure, FetchFailure::Impossible(_)), "{failure}");
    }
}

#[test]
fn plain_http_can_be_refused_and_roots_must_be_certificates() {
    let server = Server::new(vec![file(1000)]);
    let mut client = Client::new(ClientConfig { https_only: true, ..ClientConfig::default() }).unwrap();
    let failure = client.open(&a_fetch(&server.url, 0)).err().unwrap();
    assert_eq!(failure, FetchFailure::Impossible("not HTTPS".into()));
    assert!(server.requests().is_empty());
    let roots = Some(b"-----BEGIN NOTHING-----\n".to_vec());
    assert_eq!(Client::new(ClientConfig { roots, ..ClientConfig::default() }).unwrap_err(), BadRoots);
}

#[test]
fn a_redirect_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = image(20_000);
    let files = Server::new(vec![Answer { file: whole.clone(), ..Answer::default() }]);
    let more_headers = format!("Location: {}\r\n", files.url);
    let front = Server::new(vec![Answer { status: Some("307 Temporary Redirect"), more_headers, ..Answer::default() }]);
    let mut device = device(&folder.path().join("slot"));
    now(device.offered(offer(&front.url, &whole), Instant::from_millis(0)));
    assert_eq!(run(&mut device, &mut client(), usize::MAX), None);
    assert_eq!(device.updater().hand_over().0.as_ref(), Some(&whole));
}

#[test]
fn a_gone_url_asks_the_platform_for_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let whole = image(20_000);
    let gone = Server::new(vec![Answer { status: Some("403 Forbidden"), ..Answer::default() }]);
    let mut device = device(&folder.path().join("slot"));
    let (mut at, mut queries) = (Instant::from_millis(0), 0);
    now(device.offered(offer(&gone.url, &whole), at));
    let files = Server::new(vec![Answer { file: whole.clone(), ..Answer::default() }]);
    let mut client = client();
    loop {
        match now(device.poll(at)) {
            // The first one comes with the connection.
            Some(Action::Query { .. }) => {
                queries += 1;
                if queries == 2 {
                    now(device.offered(offer(&files.url, &whole), at));
                }
            }
            Some(Action::Fetch(fetch)) => now(client.fetch_into(&mut device, &fetch, || at)),
            Some(_) => {}
            None => match device.deadline() {
                Some(deadline) => at = at.max(deadline),
                None => break,
            },
        }
    }
    assert_eq!((queries, gone.requests().len()), (2, 1));
    assert_eq!(device.updater().hand_over().0.as_ref(), Some(&whole));
}
