//! Updates, one rule at a time.

#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::ops::Range;
use std::path::Path;

use futures_util::FutureExt;
use md5::Digest as _;
use onwire::Instant;
use onwire_firmware::ota::{
    Action, Block, Config, Digest, Fetch, FetchFailure, FlashUpdater, HandOver, Image, Module, Offer, OfferError,
    Offered, Reason, Reply, Source, Updates,
};
use onwire_firmware::storage::FileFlash;

/// How the module takes its image.
#[derive(Default)]
struct Boot {
    handed_over: Vec<String>,
    refuses: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("no boot loader")]
struct NoBootLoader;

impl HandOver<FileFlash> for Boot {
    type Error = NoBootLoader;

    async fn hand_over(&mut self, image: &Image, _: &mut FileFlash, _: Range<u32>) -> Result<(), NoBootLoader> {
        if self.refuses {
            return Err(NoBootLoader);
        }
        self.handed_over.push(format!("{} {}", image.module, image.version));
        Ok(())
    }
}

type Device = Updates<FlashUpdater<FileFlash, Boot>>;

const PAGES: u32 = 20;

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("files do not wait")
}

fn millis(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn open(path: &Path, firmware: &str, app: &str, config: Config) -> Device {
    let flash = FileFlash::open(path, PAGES).unwrap();
    let updater = FlashUpdater::new(flash, 0..8192, 8192..PAGES * 4096, Boot::default()).unwrap();
    let modules = vec![Module::new("default", firmware), Module::new("app", app)];
    now(Updates::open(updater, modules, config)).unwrap()
}

/// A device that is connected and has said what there is to say of that.
fn device(path: &Path) -> Device {
    let mut device = open(path, "1", "1", Config { query: false, ..Config::default() });
    device.connected();
    assert_eq!(actions(&mut device, millis(0)).len(), 2);
    device
}

fn actions(device: &mut Device, at: Instant) -> Vec<Action> {
    std::iter::from_fn(|| now(device.poll(at))).collect()
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

fn over_http(module: &str, version: &str, bytes: &[u8]) -> Offer {
    let image = Image {
        module: module.into(),
        version: version.into(),
        size: u32::try_from(bytes.len()).unwrap(),
        digest: Digest::Sha256(sha2::Sha256::digest(bytes).into()),
        difference: false,
    };
    Offer { image, source: Source::Url("http://files/1".into()) }
}

fn over_mqtt(version: &str, bytes: &[u8]) -> Offer {
    Offer { source: Source::Stream { stream: 7, file: 1 }, ..over_http("default", version, bytes) }
}

fn inform(module: &str, version: &str) -> Action {
    Action::Inform { module: module.into(), version: version.into() }
}

fn progress(step: i8, desc: &str) -> Action {
    Action::Progress { module: "default".into(), step, desc: desc.into() }
}

fn restart(module: &str, version: &str) -> Action {
    Action::Restart { module: module.into(), version: version.into() }
}

/// The fetch among what is to be done.
fn fetch(device: &mut Device, at: Instant) -> Fetch {
    let found = actions(device, at).into_iter().find_map(|action| match action {
        Action::Fetch(fetch) => Some(fetch),
        _ => None,
    });
    found.expect("a fetch")
}

fn steps(actions: &[Action]) -> Vec<i8> {
    let step = |action: &Action| match action {
        Action::Progress { step, .. } => Some(*step),
        _ => None,
    };
    actions.iter().filter_map(step).collect()
}

#[test]
fn every_connection_begins_with_the_versions_and_the_question_for_updates() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = open(&folder.path().join("slot"), "1", "5", Config::default());
    assert_eq!((actions(&mut device, millis(0)), device.deadline()), (vec![], None));
    let query = |module: &str| Action::Query { module: module.into() };
    let said = vec![inform("default", "1"), inform("app", "5"), query("default"), query("app")];
    for _ in 0..2 {
        device.connected();
        assert_eq!(device.deadline(), Some(millis(0)));
        assert_eq!((actions(&mut device, millis(0)), device.deadline()), (said.clone(), None));
        device.disconnected();
    }
}

#[test]
fn progress_is_told_in_steps_and_not_too_often_and_100_when_it_is_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let image = bytes(40_960);
    assert_eq!(now(device.offered(over_http("default", "2", &image), millis(0))), Offered::Started);
    let first = actions(&mut device, millis(0));
    let [Action::Progress { step: 1, .. }, Action::Fetch(fetch)] = &first[..] else { panic!("{first:?}") };
    assert_eq!((fetch.offset, fetch.length, fetch.size), (0, 40_960, 40_960));
    let mut told = Vec::new();
    for (index, block) in (0..).zip(image.chunks(4096)) {
        let at = millis(u64::from(index) * 1000);
        now(device.received(fetch.id, index * 4096, block, at));
        told.push(steps(&actions(&mut device, at)));
    }
    assert_eq!(told.concat(), [40, 70, 100], "each 3 s at the most; the last one at once");
    assert_eq!(device.updater().hand_over().handed_over, ["default 2"]);
}

#[test]
fn a_restart_is_asked_for_once_and_then_the_new_version_is_reported_and_nothing_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slot");
    let image = bytes(10_000);
    let offer = over_http("default", "2", &image);
    let mut first = device(&path);
    now(first.offered(offer.clone(), millis(0)));
    let id = fetch(&mut first, millis(0)).id;
    assert_eq!(now(first.received(id, 0, &image, millis(0))), Reply::Enough);
    assert_eq!(actions(&mut first, millis(0)), [progress(100, ""), restart("default", "2")]);
    assert_eq!((actions(&mut first, millis(9)), first.deadline()), (vec![], None));
    assert_eq!(now(first.offered(offer.clone(), millis(9))), Offered::Continues);
    assert_eq!(actions(&mut first, millis(9)), []);
    drop(first);

    let mut second = open(&path, "2", "1", Config { query: false, ..Config::default() });
    second.connected();
    assert_eq!(actions(&mut second, millis(0)), [inform("default", "2"), inform("app", "1")]);
    // The platform did not hear of it, and pushes it again.
    assert_eq!(now(second.offered(offer, millis(0))), Offered::Runs);
    assert_eq!(actions(&mut second, millis(0)), [inform("default", "2")]);
    assert!(second.image().is_none() && second.updater().hand_over().handed_over.is_empty());
}

#[test]
fn a_version_that_does_not_run_after_the_restart_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slot");
    let image = bytes(10_000);
    let mut first = device(&path);
    now(first.offered(over_http("default", "2", &image), millis(0)));
    let id = fetch(&mut first, millis(0)).id;
    now(first.received(id, 0, &image, millis(0)));
    assert_eq!(actions(&mut first, millis(0)).last(), Some(&restart("default", "2")));
    drop(first);
    let mut second = open(&path, "1", "1", Config { query: false, ..Config::default() });
    second.connected();
    let said = [inform("default", "1"), inform("app", "1"), progress(-4, "2 does not run after the restart")];
    assert_eq!(actions(&mut second, millis(0)), said);
    assert!(second.image().is_none());
}

#[test]
fn a_module_that_starts_anew_by_itself_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let image = bytes(10_000);
    for (version, runs) in [("2", "2"), ("3", "2")] {
        now(device.offered(over_http("app", version, &image), millis(0)));
        let id = fetch(&mut device, millis(0)).id;
        now(device.received(id, 0, &image, millis(0)));
        assert_eq!(actions(&mut device, millis(0)).last(), Some(&restart("app", version)));
        now(device.restarted("app", runs));
        let said = actions(&mut device, millis(0));
        assert_eq!(said[0], inform("app", runs));
        assert_eq!(steps(&said), if version == runs { vec![] } else { vec![-4] });
        assert!(device.image().is_none());
    }
}

#[test]
fn what_is_not_possible_is_answered_with_minus_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let offer =
        Offer { image: Image { module: "radio".into(), ..over_http("", "2", b"x").image }, ..over_http("", "", b"x") };
    assert_eq!(now(device.offered(offer, millis(0))), Offered::Impossible);
    let mut large = over_http("default", "2", b"x");
    large.image.size = (PAGES - 2) * 4096 + 1;
    assert_eq!(now(device.offered(large, millis(0))), Offered::Impossible);
    let radio = Action::Progress { module: "radio".into(), step: -1, desc: "no such module".into() };
    assert_eq!(actions(&mut device, millis(0)), [radio, progress(-1, "73729 bytes are too many")]);
}

#[test]
fn an_offer_that_is_none_is_answered_with_minus_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let no_digest = r#"{"code":"1000","data":{"version":"2","size":1,"url":"http://f","module":"app"}}"#;
    assert_eq!(now(device.offered_message(no_digest, millis(0))), Err(OfferError::Field("sign")));
    assert_eq!(now(device.offered_message("no JSON", millis(0))), Err(OfferError::Malformed));
    for nothing in [r#"{"id":"1","code":200,"data":{}}"#, r#"{"id":"1","code":404}"#] {
        assert!(now(device.offered_message(nothing, millis(0))).is_err());
    }
    let app = Action::Progress { module: "app".into(), step: -1, desc: "sign is missing or wrong".into() };
    assert_eq!(actions(&mut device, millis(0)), [app, progress(-1, "not an upgrade message")]);
}

#[test]
fn a_file_that_is_gone_also_after_the_platform_was_asked_again_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let gone = || FetchFailure::Gone("status 404".into());
    let offer = over_http("default", "2", &bytes(9000));
    now(device.offered(offer.clone(), millis(0)));
    let first = fetch(&mut device, millis(0));
    now(device.fetch_failed(first.id, gone(), millis(0)));
    assert_eq!(actions(&mut device, millis(0)), [Action::Query { module: "default".into() }]);
    // The platform has another one, which does it for a while.
    let Source::Url(url) = &offer.source else { panic!("{offer:?}") };
    now(device.offered(Offer { source: Source::Url(format!("{url}?2")), ..offer.clone() }, millis(0)));
    let second = fetch(&mut device, millis(0));
    now(device.received(second.id, 0, &bytes(9000)[..5000], millis(0)));
    now(device.fetch_failed(second.id, gone(), millis(0)));
    assert_eq!(actions(&mut device, millis(0)), [Action::Query { module: "default".into() }]);
    // It has none: that is the end.
    let later = millis(300_000);
    let third = fetch(&mut device, later);
    now(device.fetch_failed(third.id, gone(), later));
    assert_eq!(actions(&mut device, later), [progress(-2, "gone: status 404")]);
    assert!(device.image().is_none());
}

#[test]
fn a_new_push_takes_the_place_of_the_one_that_runs_and_other_modules_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let (old, new, app) = (bytes(20_000), bytes(9000), bytes(5000));
    now(device.offered(over_http("default", "2", &old), millis(0)));
    let first = fetch(&mut device, millis(0));
    assert_eq!(now(device.received(first.id, 0, &old[..9000], millis(0))), Reply::More);
    assert_eq!(now(device.offered(over_http("app", "2", &app), millis(0))), Offered::Waits);
    assert_eq!(now(device.offered(over_http("default", "3", &new), millis(0))), Offered::Started);
    assert_eq!(now(device.received(first.id, 9000, &old[9000..], millis(0))), Reply::Enough, "the old one's bytes");
    let second = fetch(&mut device, millis(0));
    assert_eq!((second.offset, second.size), (0, 9000));
    now(device.received(second.id, 0, &new, millis(0)));
    assert_eq!(actions(&mut device, millis(0)).last(), Some(&restart("default", "3")));

    // What is handed over is not touched, whatever comes.
    assert_eq!(now(device.offered(over_http("default", "4", &old), millis(0))), Offered::Waits);
    assert_eq!(actions(&mut device, millis(0)), []);
    now(device.restarted("default", "3"));
    let third = fetch(&mut device, millis(0));
    assert_eq!(third.size, 5000, "the app, which came first");
    assert_eq!(device.updater().hand_over().handed_over, ["default 3"]);
}

#[test]
fn a_push_of_the_version_that_runs_ends_the_update() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    now(device.offered(over_http("default", "2", &bytes(20_000)), millis(0)));
    fetch(&mut device, millis(0));
    assert_eq!(now(device.offered(over_http("default", "1", &bytes(5)), millis(0))), Offered::Runs);
    assert_eq!((actions(&mut device, millis(0)), device.image()), (vec![inform("default", "1")], None));
}

#[test]
fn a_wrong_digest_is_not_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let mut image = bytes(10_000);
    now(device.offered(over_http("default", "2", &image), millis(0)));
    image[9999] ^= 1;
    let id = fetch(&mut device, millis(0)).id;
    now(device.received(id, 0, &image, millis(0)));
    assert_eq!(steps(&actions(&mut device, millis(0))), [-3]);
    assert!(device.image().is_none() && device.updater().hand_over().handed_over.is_empty());
}

#[test]
fn an_image_that_is_not_taken_has_failed_with_minus_four() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    device.updater().hand_over().refuses = true;
    now(device.offered(over_http("default", "2", b"image"), millis(0)));
    let id = fetch(&mut device, millis(0)).id;
    now(device.received(id, 0, b"image", millis(0)));
    assert_eq!(actions(&mut device, millis(0)), [progress(-4, "not handed over: no boot loader")]);
}

#[test]
fn over_mqtt_one_block_is_asked_for_at_a_time_and_again_after_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let image = bytes(10_000);
    now(device.offered(over_mqtt("2", &image), millis(0)));
    let first = fetch(&mut device, millis(0));
    assert_eq!((first.offset, first.length), (0, 4096));
    assert_eq!(device.deadline(), Some(millis(10_000)));
    assert_eq!(actions(&mut device, millis(9_999)), []);
    assert_eq!((actions(&mut device, millis(10_000)), device.deadline()), (vec![], Some(millis(11_000))), "a pause");
    let second = fetch(&mut device, millis(11_000));
    assert_eq!((second.offset, second.length), (0, 4096));
    assert_eq!(now(device.received(first.id, 0, &image[..4096], millis(11_000))), Reply::Enough, "too late");
    assert_eq!(device.image().unwrap().1, 0);
    assert_eq!(now(device.received(second.id, 0, &image[..4096], millis(11_000))), Reply::Enough);
    let third = fetch(&mut device, millis(11_000));
    // The connection goes, and comes back.
    device.disconnected();
    assert_eq!((actions(&mut device, millis(50_000)), device.deadline()), (vec![], None));
    device.connected();
    let fourth = fetch(&mut device, millis(50_000));
    assert_eq!((third.offset, fourth.offset), (4096, 4096));
    now(device.received(fourth.id, 4096, &image[4096..8192], millis(50_000)));
    let last = fetch(&mut device, millis(50_000));
    assert_eq!((last.offset, last.length), (8192, 1808));
    now(device.received(last.id, 8192, &image[8192..], millis(50_000)));
    assert_eq!(actions(&mut device, millis(50_000)).last(), Some(&restart("default", "2")));
}

#[test]
fn fetches_that_fail_are_tried_again_after_longer_and_longer_pauses_and_then_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { query: false, retries: 10, ..Config::default() };
    let mut device = open(&folder.path().join("slot"), "1", "1", config);
    now(device.offered(over_http("default", "2", &bytes(5000)), millis(0)));
    let failure = || FetchFailure::Interrupted("reset".into());
    let mut at = millis(0);
    let mut pauses = Vec::new();
    let mut fail = |device: &mut Device, times: usize| {
        for _ in 0..times {
            let id = fetch(device, at).id;
            now(device.fetch_failed(id, failure(), at));
            if let Some(deadline) = device.deadline().filter(|_| device.image().is_some()) {
                pauses.push(deadline.saturating_since(at).as_secs());
                at = at.max(deadline);
            }
        }
    };
    fail(&mut device, 12);
    assert!(device.image().is_some(), "without a connection none of them counts");
    device.connected();
    fail(&mut device, 11);
    assert!(device.image().is_none());
    assert_eq!(pauses[..12], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(actions(&mut device, at).last(), Some(&progress(-2, "interrupted: reset")));
}

#[test]
fn bytes_come_in_any_pieces_twice_and_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let image = bytes(6000);
    now(device.offered(over_http("default", "2", &image), millis(0)));
    let id = fetch(&mut device, millis(0)).id;
    let mut give = |offset: u32, bytes: &[u8]| now(device.received(id, offset, bytes, millis(0)));
    assert_eq!(give(0, &image[..1]), Reply::More);
    assert_eq!(give(0, &image[..100]), Reply::More);
    assert_eq!(give(50, &image[50..80]), Reply::More);
    assert_eq!(give(101, &image[101..]), Reply::Enough, "a gap");
    assert_eq!(give(100, &image[100..5000]), Reply::More);
    assert_eq!(give(4000, &[&image[4000..], b"more than there is"].concat()), Reply::Enough);
    assert_eq!(actions(&mut device, millis(0)).last(), Some(&restart("default", "2")));
}

#[test]
fn failures_have_the_steps_of_the_protocol() {
    for (reason, step) in [(Reason::Upgrade, -1), (Reason::Download, -2), (Reason::Verify, -3), (Reason::Flash, -4)] {
        assert_eq!((reason.step(), Reason::from_step(step)), (step, Some(reason)));
    }
    assert_eq!((Reason::from_step(0), Reason::from_step(100), Reason::from_step(-5)), (None, None, None));
}

#[test]
fn a_block_that_is_broken_is_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(&folder.path().join("slot"));
    let image = bytes(3000);
    now(device.offered(over_mqtt("2", &image), millis(0)));
    let first = fetch(&mut device, millis(0));
    let params = r#"{"fileInfo":{"streamId":7,"fileId":1},"fileBlock":{"size":3000,"offset":0}}"#;
    assert_eq!(first.block_params().as_deref(), Some(params));
    let reply = Block { offset: 0, file_length: 3000, bytes: &image }.write("\"1\"");
    let mut broken = reply.clone();
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(now(device.block_received(&first, &broken, millis(0))), Reply::Enough);
    assert_eq!((actions(&mut device, millis(999)), device.deadline()), (vec![], Some(millis(1000))));
    let second = fetch(&mut device, millis(1000));
    assert_eq!(now(device.block_received(&second, &reply, millis(1000))), Reply::Enough);
    assert_eq!(actions(&mut device, millis(1000)).last(), Some(&restart("default", "2")));
}
