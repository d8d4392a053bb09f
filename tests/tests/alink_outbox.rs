//! An outbox over a link, while the platform comes and goes: each entry arrives once, in its order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use onwire::alink::{DeviceRef, SyncServices};
use onwire::mqtt::{Connect, Refused};
use onwire::net::BackOff;
use onwire::net::alink::{Admission, Device, Listener, LoginRequest, Message, Platform, Publisher};
use onwire::types::DateTime;
use onwire::{CallError, CallFailure, CallId, ErrorCode, Peer};
use onwire_firmware::outbox::{Config, FilePostbox};
use onwire_tests::tracker::*;
use tokio::sync::mpsc;

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1X", device_name: "SN1" };
const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, _: Properties) {}
}

/// Keeps what it is told by its ids, goes away in the middle of every second message, and wants no level of 3.
struct Cloud {
    told: mpsc::UnboundedSender<(String, i64)>,
    messages: Arc<Mutex<u32>>,
}

#[onwire::handlers(onwire_tests::tracker, role = Platform)]
impl Cloud {
    #[on(BatteryLow)]
    fn battery_low(
        &self,
        peer: &Peer,
        id: CallId<'_>,
        alarm: BatteryLowOutput,
    ) -> Result<BatteryLowResponse, CallError> {
        let mut messages = self.messages.lock().unwrap();
        *messages += 1;
        self.told.send((id.token().to_owned(), alarm.level)).unwrap();
        if messages.is_multiple_of(2) {
            // It has it, and the answer is lost.
            peer.disconnect(CallFailure::Disconnected);
        }
        if alarm.level == 3 {
            return Err(CallError::new(ErrorCode::Other("460".into()), "no such level"));
        }
        Ok(BatteryLowResponse::new())
    }
}

impl Platform for Cloud {
    type Router = Self;

    async fn login(&self, _: LoginRequest) -> Result<Admission, Refused> {
        let (product_key, device_name) = (DEVICE.product_key.into(), DEVICE.device_name.into());
        Ok(Admission::Device { product_key, device_name, sync: SyncServices::default() })
    }

    fn router(&self) -> &Self {
        self
    }

    async fn message(&self, _: &Peer, _: &Publisher, message: Message) {
        panic!("{message:?}");
    }
}

#[tokio::test]
async fn entries_arrive_in_their_order_over_connections_that_end() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let (told, mut seen) = mpsc::unbounded_channel();
    tokio::spawn(listener.serve(Cloud { told, messages: Arc::default() }));
    let device = Device::builder(&url, DEVICE, || Connect::new("device"))
        .back_off(BackOff::new(Duration::from_millis(1), Duration::from_millis(10)))
        .build(Tracker)
        .unwrap();
    let link = device.link();
    tokio::spawn(device.run());

    let folder = tempfile::tempdir().unwrap();
    let open = || FilePostbox::open(folder.path().join("outbox"), 8, Config::default());
    // What an earlier life has left.
    let before = open().await.unwrap();
    for level in 0..2 {
        before.push(&BatteryLowOutput::new(level).at(NOON)).await.unwrap();
    }
    drop(before);
    let postbox = open().await.unwrap();
    let mut refused = Vec::new();
    let mut arrived: Vec<(String, i64)> = Vec::new();
    {
        let mut run = std::pin::pin!(postbox.run(&link, |entry, error| {
            refused.push((format!("\"{}\"", entry.id), error.description.to_string()));
        }));
        for level in 2..6 {
            postbox.push(&BatteryLowOutput::new(level).at(NOON)).await.unwrap();
        }
        let all = async {
            while arrived.last().is_none_or(|(_, level)| *level < 5) {
                tokio::select! {
                    ended = &mut run => panic!("it has ended: {ended:?}"),
                    Some(told) = seen.recv() => arrived.push(told),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("all came in time");
        link.stop();
        run.await.unwrap();
    }
    let refused_id = arrived.iter().find(|(_, level)| *level == 3).unwrap().0.clone();
    assert!(refused.iter().all(|one| *one == (refused_id.clone(), "no such level".to_owned())), "{refused:?}");
    assert!(!refused.is_empty());
    // What was told again is told under the same id, and nothing overtakes.
    let mut levels: Vec<i64> = arrived.iter().map(|(_, level)| *level).collect();
    assert!(levels.is_sorted() && levels.len() > 6, "{levels:?}");
    levels.dedup();
    arrived.dedup();
    assert_eq!((levels, arrived.len()), ((0..6).collect(), 6));
}

#[tokio::test]
async fn a_file_of_another_size_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    drop(FilePostbox::open(&path, 4, Config::default()).await.unwrap());
    for pages in [1, 8] {
        FilePostbox::open(&path, pages, Config::default()).await.unwrap_err();
    }
    let open = FilePostbox::open(&path, 4, Config::default()).await.unwrap();
    FilePostbox::open(&path, 4, Config::default()).await.unwrap_err();
    assert!(open.is_empty().await);
}
