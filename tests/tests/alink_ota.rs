//! An update from the push to the report of the new version, over HTTP and over MQTT, with a platform in the same process.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use embedded_storage_async::nor_flash::ReadNorFlash;
use md5::Digest;
use onwire::Peer;
use onwire::alink::system::{FileDownloadResponse, OtaPackage, OtaUpgradeRequest};
use onwire::alink::{DeviceRef, FileBlockFrame, Ota, SyncServices, Topic};
use onwire::mqtt::{Connect, QoS, Refused};
use onwire::net::alink::{Admission, Device, Listener, LoginRequest, Message, Platform, Publisher};
use onwire_firmware::ota::driver::Driver;
use onwire_firmware::ota::http::{Client, ClientConfig};
use onwire_firmware::ota::{Config, FlashUpdater, HandOver, Image, Module, Updates};
use onwire_firmware::storage::FileFlash;
use onwire_tests::tracker::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1X", device_name: "SN1" };

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, _: Properties) {}
}

struct Cloud {
    image: Vec<u8>,
    has_broken: AtomicBool,
    connected: mpsc::UnboundedSender<(Peer, Publisher)>,
    told: mpsc::UnboundedSender<(Ota, Value)>,
}

#[onwire::handlers(onwire_tests::tracker, role = Platform)]
impl Cloud {
    #[on(PropertyPost)]
    fn post(&self, _: Properties) {}
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

    async fn connected(&self, peer: &Peer, publisher: &Publisher) {
        self.connected.send((peer.clone(), publisher.clone())).unwrap();
    }

    async fn message(&self, _: &Peer, publisher: &Publisher, message: Message) {
        let said: Value = serde_json::from_slice(&message.payload).unwrap();
        match message.topic().unwrap() {
            Topic::Ota { what, .. } => self.told.send((what, said["params"].clone())).unwrap(),
            topic @ Topic::Thing { path: "file/download", .. } => {
                assert_eq!(said["params"]["fileInfo"], json!({"streamId": 3, "fileId": 4}));
                let block = &said["params"]["fileBlock"];
                let [offset, size] = ["offset", "size"].map(|name| block[name].as_i64().unwrap());
                let bytes = &self.image[usize::try_from(offset).unwrap()..usize::try_from(offset + size).unwrap()];
                let mut about = FileDownloadResponse::new(size, offset);
                about.file_length = Some(i64::try_from(self.image.len()).unwrap());
                let id = said["id"].to_string();
                let mut frame = FileBlockFrame { id: &id, about, block: bytes }.to_bytes().unwrap();
                // One of them changes on its way.
                if !self.has_broken.swap(true, Ordering::Relaxed) {
                    let last = frame.len() - 3;
                    frame[last] ^= 1;
                }
                publisher.publish(topic.answer().unwrap(), frame, QoS::AtMostOnce).await.unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Keeps what it is given.
struct Copy(Option<(String, Vec<u8>)>);

impl HandOver<FileFlash> for Copy {
    type Error = Infallible;

    async fn hand_over(&mut self, image: &Image, flash: &mut FileFlash, at: Range<u32>) -> Result<(), Infallible> {
        let mut bytes = vec![0; (at.end - at.start) as usize];
        flash.read(at.start, &mut bytes).await.unwrap();
        self.0 = Some((image.version.clone(), bytes));
        Ok(())
    }
}

/// Serves a file over HTTP, again and again; the first response is cut short.
async fn file_server(image: Vec<u8>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/tracker-2.bin", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut is_first = true;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", image.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            let part = if is_first { &image[..image.len() / 2] } else { &image[..] };
            is_first = false;
            // The device may have had enough.
            let _ = stream.write_all(part).await;
        }
    });
    url
}

/// A server that has no such file.
async fn nothing_there() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/tracker-2.bin", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    });
    url
}

/// What a platform says of an update: in words of its own, or as a request.
enum Push {
    Raw(Value),
    Typed(Box<OtaPackage>),
}

impl Push {
    async fn send(self, peer: &Peer, publisher: &Publisher) {
        match self {
            Push::Typed(package) => peer.send(OtaUpgradeRequest::from(*package)).unwrap(),
            Push::Raw(data) => {
                let push = json!({"code": "1000", "data": data, "id": 1_507_707_025, "message": "success"});
                let topic = Topic::Ota { device: DEVICE, what: Ota::Upgrade };
                publisher.publish(topic, push.to_string(), QoS::AtLeastOnce).await.unwrap();
            }
        }
    }
}

/// Runs an update to its end; what the device told, by step.
async fn updated(push: impl FnOnce(&str) -> Push, image: Vec<u8>) -> Vec<String> {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let (connected, mut publishers) = mpsc::unbounded_channel();
    let (told, mut reports) = mpsc::unbounded_channel();
    let md5 = md5::Md5::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    tokio::spawn(listener.serve(Cloud { image: image.clone(), has_broken: AtomicBool::new(false), connected, told }));

    let folder = tempfile::tempdir().unwrap();
    let flash = FileFlash::open(folder.path().join("slot"), 64).unwrap();
    let updater = FlashUpdater::new(flash, 0..8192, 8192..262_144, Copy(None)).unwrap();
    let retry_first = std::time::Duration::from_millis(1);
    let config = Config { retry_first, progress_step: 50, ..Config::default() };
    let mut updates = Updates::open(updater, vec![Module::new("default", "1")], config).await.unwrap();

    let builder = Device::builder(&url, DEVICE, || Connect::new("device"));
    let (builder, driver) = Driver::new(builder, Client::new(ClientConfig::default()).unwrap());
    let device = builder.build(Tracker).unwrap();
    let link = device.link();
    tokio::spawn(device.run());

    let (restarted, mut restarts) = mpsc::unbounded_channel();
    let platform = async {
        let (peer, publisher) = publishers.recv().await.unwrap();
        assert_eq!(reports.recv().await.unwrap(), (Ota::Inform, json!({"version": "1", "module": "default"})));
        push(&md5).send(&peer, &publisher).await;
        let mut steps = Vec::new();
        while steps.last().is_none_or(|step| step != "100") {
            let (what, said) = reports.recv().await.unwrap();
            assert_eq!((what, &said["module"]), (Ota::Progress, &json!("default")));
            steps.push(said["step"].as_str().unwrap().to_owned());
        }
        assert_eq!(restarts.recv().await.unwrap(), ("default".to_owned(), "2".to_owned()));
        link.stop();
        steps
    };
    let restart = |module, version| restarted.send((module, version)).unwrap();
    let (steps, ()) = tokio::join!(platform, driver.run(&mut updates, &link, restart));
    assert!(updates.updater().hand_over().0 == Some(("2".into(), image)), "another image");
    steps
}

fn image() -> Vec<u8> {
    (0..100_000_u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[1]).collect()
}

#[tokio::test]
async fn an_image_over_http_is_fetched_resumed_and_handed_over() {
    let url = file_server(image()).await;
    let offer = |md5: &str| {
        Push::Typed(Box::new(OtaPackage {
            size: Some(i64::try_from(image().len()).unwrap()),
            version: Some("2".into()),
            url: Some(url.as_str().into()),
            md5: Some(md5.into()),
            module: Some("default".into()),
            ..OtaPackage::default()
        }))
    };
    let steps = updated(offer, image()).await;
    assert!(!steps.iter().any(|step| step.starts_with('-')), "{steps:?}");
}

#[tokio::test]
async fn an_image_over_mqtt_is_fetched_block_by_block() {
    let offer = |md5: &str| {
        Push::Raw(json!({"size": image().len(), "version": "2", "md5": md5, "module": "default", "dProtocol": "mqtt",
            "streamId": 3, "streamFileId": 4}))
    };
    let steps = updated(offer, image()).await;
    assert!(!steps.iter().any(|step| step.starts_with('-')), "{steps:?}");
}

/// Takes no image.
struct Refusing;

impl HandOver<FileFlash> for Refusing {
    type Error = &'static str;

    async fn hand_over(&mut self, _: &Image, _: &mut FileFlash, _: Range<u32>) -> Result<(), &'static str> {
        Err("the boot loader is locked")
    }
}

/// What a device tells of an update that comes to nothing.
async fn failed(push: Push, image: Vec<u8>) -> (String, String, String) {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let (connected, mut devices) = mpsc::unbounded_channel();
    let (told, mut reports) = mpsc::unbounded_channel();
    tokio::spawn(listener.serve(Cloud { image, has_broken: AtomicBool::new(true), connected, told }));
    let folder = tempfile::tempdir().unwrap();
    let flash = FileFlash::open(folder.path().join("slot"), 8).unwrap();
    let updater = FlashUpdater::new(flash, 0..8192, 8192..32_768, Refusing).unwrap();
    let at_once = std::time::Duration::from_millis(1);
    let config = Config { retry_first: at_once, retry_longest: at_once, retries: 2, query: false, ..Config::default() };
    let mut updates = Updates::open(updater, vec![Module::new("default", "1")], config).await.unwrap();
    let builder = Device::builder(&url, DEVICE, || Connect::new("device"));
    let (builder, driver) = Driver::new(builder, Client::new(ClientConfig::default()).unwrap());
    let device = builder.build(Tracker).unwrap();
    let link = device.link();
    tokio::spawn(device.run());
    let platform = async {
        let (peer, publisher) = devices.recv().await.unwrap();
        push.send(&peer, &publisher).await;
        loop {
            let (what, said) = reports.recv().await.unwrap();
            let [module, step, desc] = ["module", "step", "desc"].map(|name| said[name].as_str().unwrap_or_default());
            if what == Ota::Progress && step.starts_with('-') {
                return (module.to_owned(), step.to_owned(), desc.to_owned());
            }
            assert_ne!(step, "100", "it has failed");
        }
    };
    tokio::select! {
        failed = platform => failed,
        () = driver.run(&mut updates, &link, |_, _| panic!("there is nothing to restart into")) => panic!("it ran on"),
    }
}

#[tokio::test]
async fn each_failure_is_told_with_the_step_that_it_has() {
    let image: Vec<u8> = image().into_iter().take(9000).collect();
    let md5 = md5::Md5::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let package = OtaPackage {
        size: Some(9000),
        version: Some("2".into()),
        md5: Some(md5.as_str().into()),
        d_protocol: Some("mqtt".into()),
        stream_id: Some(3),
        stream_file_id: Some(4),
        ..OtaPackage::default()
    };
    let step = |module: &str, step: &str| (module.to_owned(), step.to_owned());
    let told = async |push| {
        let (module, step, desc) = failed(push, image.clone()).await;
        assert!(!desc.is_empty(), "{step}");
        (module, step)
    };
    let failed = async |package| told(Push::Typed(Box::new(package))).await;
    let unknown = OtaPackage { module: Some("modem".into()), ..package.clone() };
    assert_eq!(failed(unknown).await, step("modem", "-1"));
    assert_eq!(failed(OtaPackage { size: Some(32_768), ..package.clone() }).await, step("default", "-1"));
    // Nobody listens there.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nowhere = OtaPackage { url: Some(format!("http://{closed}/2").into()), ..package.clone() };
    let nowhere = OtaPackage { d_protocol: None, stream_id: None, stream_file_id: None, ..nowhere };
    assert_eq!(failed(nowhere).await, step("default", "-2"));
    // Nothing to check it by, or no size that an image has.
    assert_eq!(failed(OtaPackage { md5: None, ..package.clone() }).await, step("default", "-1"));
    for size in [Value::Null, json!(0), json!(-1), json!(5_000_000_000_u64), json!("5 MB")] {
        let odd =
            json!({"size": size, "version": "2", "md5": md5, "dProtocol": "mqtt", "streamId": 3, "streamFileId": 4});
        assert_eq!(told(Push::Raw(odd)).await, step("default", "-1"), "{size}");
    }
    // It is not there.
    let missing = OtaPackage { url: Some(nothing_there().await.into()), ..package.clone() };
    let missing = OtaPackage { d_protocol: None, stream_id: None, stream_file_id: None, ..missing };
    assert_eq!(failed(missing).await, step("default", "-2"));
    let other = OtaPackage { md5: Some("0".repeat(32).into()), ..package.clone() };
    assert_eq!(failed(other).await, step("default", "-3"));
    assert_eq!(failed(package).await, step("default", "-4"));
}

/// Takes updates as it takes calls.
struct Typed(mpsc::UnboundedSender<OtaPackage>);

#[onwire::handlers(onwire::alink::system, role = Device)]
impl Typed {
    #[on(OtaUpgrade)]
    fn upgrade(&self, upgrade: OtaUpgradeRequest) {
        self.0.send(upgrade.package).unwrap();
    }
}

#[tokio::test]
async fn who_takes_no_messages_of_updates_is_called_with_them() {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let (connected, mut devices) = mpsc::unbounded_channel();
    let (told, _reports) = mpsc::unbounded_channel();
    tokio::spawn(listener.serve(Cloud { image: Vec::new(), has_broken: AtomicBool::new(false), connected, told }));
    let (sender, mut packages) = mpsc::unbounded_channel();
    tokio::spawn(Device::builder(&url, DEVICE, || Connect::new("device")).build(Typed(sender)).unwrap().run());
    let (peer, publisher) = devices.recv().await.unwrap();

    peer.send(OtaUpgradeRequest::from(OtaPackage { version: Some("2".into()), ..OtaPackage::default() })).unwrap();
    assert_eq!(packages.recv().await.unwrap().version.as_deref(), Some("2"));
    let raw = json!({"code": "1000", "data": {"version": "3", "size": 7}, "id": 7, "message": "success"});
    let topic = Topic::Ota { device: DEVICE, what: Ota::Upgrade };
    publisher.publish(topic, raw.to_string(), QoS::AtLeastOnce).await.unwrap();
    let package = packages.recv().await.unwrap();
    assert_eq!((package.version.as_deref(), package.size), (Some("3"), Some(7)));
}
