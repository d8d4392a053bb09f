//! Updates in blocks over MQTT: the project's own device updates itself from the hub.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]

mod support;

use std::convert::Infallible;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use embedded_storage_async::nor_flash::ReadNorFlash;
use onwire::ErrorCode;
use onwire::alink::{DeviceRef, FileBlockFrame, NoFileBlock};
use onwire::net::BackOff;
use onwire::net::alink::Device;
use onwire_firmware::ota::driver::Driver;
use onwire_firmware::ota::http::{Client, ClientConfig};
use onwire_firmware::ota::{Config, FlashUpdater, HandOver, Image, Module, Offer, Stage, Updater, Updates};
use onwire_firmware::storage::FileFlash;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::support::socket::*;
use crate::support::{Hub, Live, raw};

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "socket", device_name: "SN1" };
const LENGTH: u32 = 100_000;

struct Socket;

#[onwire::handlers(crate::support::socket, role = Device)]
impl Socket {
    #[on(PropertySet)]
    fn set(&self, _: Properties) {}
}

/// Keeps what it is given.
struct Copy(Option<Vec<u8>>);

impl HandOver<FileFlash> for Copy {
    type Error = Infallible;

    async fn hand_over(&mut self, _: &Image, flash: &mut FileFlash, at: Range<u32>) -> Result<(), Infallible> {
        let mut bytes = vec![0; (at.end - at.start) as usize];
        flash.read(at.start, &mut bytes).await.unwrap();
        self.0 = Some(bytes);
        Ok(())
    }
}

type Flash = FlashUpdater<FileFlash, Copy>;

/// Flash whose power fails while the byte at a place is written.
struct Failing {
    flash: Flash,
    fails: Option<(u32, oneshot::Sender<()>)>,
}

impl Updater for Failing {
    type Error = <Flash as Updater>::Error;

    fn capacity(&self, module: &str) -> u32 {
        self.flash.capacity(module)
    }

    async fn state(&mut self) -> Result<Option<(Offer, Stage)>, Self::Error> {
        self.flash.state().await
    }

    async fn begin(&mut self, offer: &Offer) -> Result<(), Self::Error> {
        self.flash.begin(offer).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        if let Some((_, failed)) = self.fails.take_if(|(at, _)| offset >= *at) {
            failed.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        self.flash.write(offset, bytes).await
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.flash.read(offset, bytes).await
    }

    async fn finish(&mut self) -> Result<(), Self::Error> {
        self.flash.finish().await
    }

    async fn clear(&mut self) -> Result<(), Self::Error> {
        self.flash.clear().await
    }
}

type Updating = Updates<Failing>;

/// The device that ends with its power: everything but its flash is gone when this is dropped.
struct Life {
    updates: Updating,
    driver: Driver,
    link: onwire::net::Link,
    running: AbortHandle,
}

impl Life {
    async fn begin(
        hub: &Hub,
        secret: &str,
        flash: &Path,
        version: &str,
        fails: Option<(u32, oneshot::Sender<()>)>,
    ) -> Self {
        let flash = FileFlash::open(flash, 64).unwrap();
        let flash = FlashUpdater::new(flash, 0..8192, 8192..262_144, Copy(None)).unwrap();
        let updater = Failing { flash, fails };
        let retry_first = Duration::from_millis(1);
        let config = Config { retry_first, progress_step: 5, progress_interval: Duration::ZERO, ..Config::default() };
        let updates = Updates::open(updater, vec![Module::new("default", version)], config).await.unwrap();
        let secret = secret.to_owned();
        let login = move || support::login("socket", "SN1", &secret, "");
        let builder = Device::builder(&format!("mqtt://{}", hub.mqtt), DEVICE, login)
            .back_off(BackOff::new(Duration::from_millis(10), Duration::from_millis(100)));
        let (builder, driver) = Driver::new(builder, Client::new(ClientConfig::default()).unwrap());
        let device = builder.build(Socket).unwrap();
        let link = device.link();
        let running = tokio::spawn(device.run()).abort_handle();
        Self { updates, driver, link, running }
    }

    /// Lives until something has happened; what became of the update, and whether the device wants to start anew.
    async fn until(self, happened: impl Future<Output = ()>) -> (Updating, bool) {
        let Self { mut updates, driver, link, running } = self;
        let mut wants_restart = false;
        tokio::select! {
            () = driver.run(&mut updates, &link, |_, _| wants_restart = true) => panic!("nobody stopped it"),
            () = support::in_time(happened) => {}
        }
        running.abort();
        (updates, wants_restart)
    }
}

async fn state(hub: &Hub, live: &mut Live, is_it: impl Fn(&Value) -> bool) {
    while !is_it(&hub.get("/devices/socket/SN1/updates").await[0]) {
        live.wait("update").await;
    }
}

fn image() -> Vec<u8> {
    (0..u64::from(LENGTH)).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[1]).collect()
}

#[tokio::test]
async fn a_device_fetches_its_update_in_blocks_across_a_power_cut() {
    let hub = Hub::start(&[]).await;
    let secret = hub.add("SN1").await;
    let mut live = hub.listen().await;
    let folder = tempfile::tempdir().unwrap();
    let flash = folder.path().join("flash");
    let file = hub.upload("/products/socket/firmware?version=2", image()).await;
    let update = hub.post("/devices/socket/SN1/updates", json!({"firmwareId": file["id"], "protocol": "mqtt"})).await;
    assert_eq!((&update["protocol"], &update["state"]), (&json!("mqtt"), &json!("waiting")));

    let (failing, failed) = oneshot::channel();
    let life = Life::begin(&hub, &secret, &flash, "1", Some((40_000, failing))).await;
    let (updates, wants_restart) = life.until(async { failed.await.unwrap() }).await;
    assert!(!wants_restart);
    drop(updates);
    let before = hub.metric("hub_file_blocks_total").await;

    // What it has, it does not fetch again.
    let life = Life::begin(&hub, &secret, &flash, "1", None).await;
    let is_whole = |update: &Value| update["step"] == 100;
    let (mut updates, wants_restart) = life.until(state(&hub, &mut live, is_whole)).await;
    assert!(wants_restart);
    assert!(updates.updater().flash.hand_over().0.as_deref() == Some(&*image()), "another image");
    drop(updates);
    let blocks = u64::from(LENGTH.div_ceil(4096));
    let after = hub.metric("hub_file_blocks_total").await;
    // The one that was being written comes twice.
    assert_eq!((before, after), (11, blocks + 1));

    let life = Life::begin(&hub, &secret, &flash, "2", None).await;
    life.until(state(&hub, &mut live, |update| update["state"] == "done")).await;
    hub.stop().await;
}

#[tokio::test]
async fn a_block_is_for_who_was_told_to_fetch_it_and_not_larger_than_it_may_be() {
    let hub = Hub::start(&[]).await;
    let (first, second) = (hub.add("SN1").await, hub.add("SN2").await);
    let mut first = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN1", &first, "")).await;
    let mut second = raw::Client::connect(&hub.mqtt, &support::login("socket", "SN2", &second, "")).await;
    let file = hub.upload("/products/socket/firmware?version=2", image()).await;
    hub.post("/devices/socket/SN1/updates", json!({"firmwareId": file["id"], "protocol": "mqtt"})).await;
    let pushed = first.message("/ota/device/upgrade/socket/SN1").await;
    let offer = &pushed["data"];
    assert_eq!((&offer["dProtocol"], &offer["url"]), (&json!("mqtt"), &Value::Null));
    assert_eq!(offer["sign"], file["sha256"]);
    let info = json!({"streamId": offer["streamId"], "fileId": offer["streamFileId"]});

    let ask = async |peer: &mut raw::Client, name: &str, info: &Value, size: i64, offset: i64| -> Vec<u8> {
        let topic = format!("/sys/socket/{name}/thing/file/download");
        let params = json!({"fileInfo": info, "fileBlock": {"size": size, "offset": offset}});
        peer.publish(&topic, &json!({"id": "7", "params": params}).to_string()).await;
        peer.message_bytes(&format!("{topic}_reply")).await
    };
    let code = |frame: &[u8]| match FileBlockFrame::parse(frame) {
        Err(NoFileBlock::Refused(error)) => match error.code {
            ErrorCode::Other(code) => code.into_string(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let frame = ask(&mut first, "SN1", &info, 5120, 98_000).await;
    let block = FileBlockFrame::parse(&frame).unwrap();
    assert_eq!((block.id, block.about.b_offset, block.about.file_length), ("\"7\"", 98_000, Some(100_000)));
    assert!(block.block == &image()[98_000..], "the last block is shorter");
    for (size, offset) in [(0, 0), (-1, 0), (65_537, 0), (5120, -1), (5120, 100_000), (1, i64::MAX)] {
        assert_eq!(code(&ask(&mut first, "SN1", &info, size, offset).await), "460", "{size} from {offset}");
    }
    for other in [json!({"streamId": 99, "fileId": 1}), json!({"streamId": info["streamId"], "fileId": 2})] {
        assert_eq!(code(&ask(&mut first, "SN1", &other, 5120, 0).await), "404");
    }
    assert_eq!(code(&ask(&mut first, "SN1", &json!({}), 5120, 0).await), "460");
    assert_eq!(code(&ask(&mut second, "SN2", &info, 5120, 0).await), "404", "another device's");
    hub.logged("no such file is offered to this device").await;
    hub.stop().await;
}
