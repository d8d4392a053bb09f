//! The platform, and the file server beside it. Both lose something now and then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use md5::Digest as _;
use onwire::Peer;
use onwire::alink::system::{
    FileDownloadResponse, OtaFirmwareGetRequest, OtaFirmwareGetResponse, OtaPackage, OtaUpgradeRequest,
};
use onwire::alink::{DeviceRef, FileBlockFrame, Ota, SyncServices, Topic};
use onwire::mqtt::{QoS, Refused};
use onwire::net::alink::{Admission, Listener, LoginRequest, Message, Platform, Publisher};
use onwire_simulation::Chance;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1X", device_name: "SN1" };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Http,
    Mqtt,
}

/// What a module is to run.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) module: &'static str,
    pub(crate) image: Vec<u8>,
    way: Way,
    sha256: bool,
    wrong: bool,
    /// What the source gives for it, one after the other; the last one stays.
    faces: Vec<Vec<u8>>,
}

/// The version of every release.
pub(crate) const VERSION: &str = "2";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Release {
    pub(crate) fn new(chance: &mut Chance, module: &'static str, length: u64, way: Way, sha256: bool) -> Self {
        let image = chance.bytes(length);
        Self { module, faces: vec![image.clone()], image, way, sha256, wrong: false }
    }

    /// The platform says of it what is not so.
    pub(crate) fn with_another_digest(self) -> Self {
        Self { wrong: true, ..self }
    }

    pub(crate) fn with_faces(self, faces: Vec<Vec<u8>>) -> Self {
        Self { faces, ..self }
    }

    /// Whether the source gives something else at times.
    pub(crate) fn changes(&self) -> bool {
        self.faces.len() > 1
    }

    fn package(&self, number: usize, files: &str) -> OtaPackage {
        let told: &[u8] = if self.wrong { b"another image" } else { &self.image };
        let sign = if self.sha256 { hex(&sha2::Sha256::digest(told)) } else { hex(&md5::Md5::digest(told)) };
        let package = OtaPackage {
            version: Some(VERSION.into()),
            size: Some(self.image.len().try_into().unwrap()),
            sign: Some(sign.into()),
            sign_method: Some(if self.sha256 { "SHA256" } else { "Md5" }.into()),
            module: Some(self.module.into()),
            ..OtaPackage::default()
        };
        match self.way {
            Way::Http => OtaPackage { url: Some(format!("{files}/{}?signed=1", self.module).into()), ..package },
            Way::Mqtt => OtaPackage {
                d_protocol: Some("mqtt".into()),
                stream_id: Some(number.try_into().unwrap()),
                stream_file_id: Some(1),
                ..package
            },
        }
    }
}

/// What a device tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Informed { module: String, version: String },
    Progress { module: String, step: i8 },
}

struct State {
    releases: Vec<Release>,
    /// By module, as it was told last.
    running: HashMap<String, String>,
    /// Whether what runs is offered again.
    insists: bool,
    requests: u32,
    /// Of which module each fetch was, and where it began.
    fetched: Vec<(&'static str, u32)>,
}

/// Both of them; what they know outlives connections.
#[derive(Clone)]
pub(crate) struct Site {
    state: Arc<Mutex<State>>,
    files: String,
    _file_server: Arc<Aborting>,
}

/// A task that ends with its owner.
pub(crate) struct Aborting(JoinHandle<()>);

impl Drop for Aborting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Site {
    pub(crate) async fn new(releases: &[Release]) -> Self {
        let releases = releases.to_vec();
        let (running, fetched) = (HashMap::new(), Vec::new());
        let state = State { releases, running, insists: false, requests: 0, fetched };
        let state = Arc::new(Mutex::new(state));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let files = format!("http://{}", listener.local_addr().unwrap());
        let of = Arc::clone(&state);
        let file_server = Arc::new(Aborting(tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A device that has gone is none of the server's business.
                let state = Arc::clone(&of);
                tokio::spawn(async move { drop(serve(stream, &state).await) });
            }
        })));
        Self { state, files, _file_server: file_server }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn modules(&self) -> Vec<&'static str> {
        self.state().releases.iter().map(|release| release.module).collect()
    }

    pub(crate) fn image(&self, module: &str) -> Vec<u8> {
        self.state().releases.iter().find(|release| release.module == module).unwrap().image.clone()
    }

    /// The sources show their next face.
    pub(crate) fn turn(&self) {
        for release in &mut self.state().releases {
            if release.faces.len() > 1 {
                release.faces.remove(0);
            }
        }
    }

    pub(crate) fn insist(&self) {
        self.state().insists = true;
    }

    /// Where fetches began since this was asked last.
    pub(crate) fn fetched(&self) -> Vec<(&'static str, u32)> {
        std::mem::take(&mut self.state().fetched)
    }

    /// Where devices connect, until the second value is dropped.
    pub(crate) async fn platform(&self, told: mpsc::UnboundedSender<Told>) -> (String, Aborting) {
        self.state().running.clear();
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mqtt://{}", listener.local_addr().unwrap());
        let serve = listener.serve(Cloud { answers: Answers(self.clone()), told });
        (url, Aborting(tokio::spawn(serve)))
    }

    /// What a module is to get, if it does not run it.
    fn offer(&self, module: &str) -> Option<OtaPackage> {
        let state = self.state();
        let number = state.releases.iter().position(|release| release.module == module)?;
        let outdated = state.running.get(module).is_none_or(|version| version != VERSION);
        (outdated || state.insists).then(|| state.releases[number].package(number, &self.files))
    }
}

/// What it answers by itself.
struct Answers(Site);

#[onwire::handlers(onwire::alink::system, role = Platform)]
impl Answers {
    #[on(OtaFirmwareGet)]
    fn asked(&self, request: OtaFirmwareGetRequest) -> OtaFirmwareGetResponse {
        let package = self.0.offer(request.module.as_deref().unwrap_or("default"));
        OtaFirmwareGetResponse::from(package.unwrap_or_default())
    }
}

struct Cloud {
    answers: Answers,
    told: mpsc::UnboundedSender<Told>,
}

impl Platform for Cloud {
    type Router = Answers;

    async fn login(&self, _: LoginRequest) -> Result<Admission, Refused> {
        let (product_key, device_name) = (DEVICE.product_key.into(), DEVICE.device_name.into());
        Ok(Admission::Device { product_key, device_name, sync: SyncServices::default() })
    }

    fn router(&self) -> &Answers {
        &self.answers
    }

    async fn message(&self, peer: &Peer, publisher: &Publisher, message: Message) {
        let said: Value = serde_json::from_slice(&message.payload).unwrap();
        let params = &said["params"];
        let site = &self.answers.0;
        let text = |name: &str| params[name].as_str().unwrap().to_owned();
        match message.topic().unwrap() {
            Topic::Ota { what: Ota::Inform, .. } => {
                let (module, version) = (text("module"), text("version"));
                site.state().running.insert(module.clone(), version.clone());
                if let Some(package) = site.offer(&module) {
                    let _ = peer.send(OtaUpgradeRequest::from(package));
                }
                let _ = self.told.send(Told::Informed { module, version });
            }
            Topic::Ota { what: Ota::Progress, .. } => {
                let step = text("step").parse().unwrap();
                let _ = self.told.send(Told::Progress { module: text("module"), step });
            }
            topic @ Topic::Thing { path: "file/download", .. } => {
                let block = block(&mut site.state(), &said);
                let _ = publisher.publish(topic.answer().unwrap(), block, QoS::AtMostOnce).await;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Every third one changes on its way.
fn block(state: &mut State, said: &Value) -> Vec<u8> {
    let number = |pointer: &str| usize::try_from(said.pointer(pointer).unwrap().as_u64().unwrap()).unwrap();
    let (stream, offset) = (number("/params/fileInfo/streamId"), number("/params/fileBlock/offset"));
    let face = &state.releases[stream].faces[0];
    let end = face.len().min(offset + number("/params/fileBlock/size"));
    let bytes = face.get(offset..end).unwrap_or_default();
    let mut about = FileDownloadResponse::new(i64::try_from(bytes.len()).unwrap(), i64::try_from(offset).unwrap());
    about.file_length = Some(i64::try_from(face.len()).unwrap());
    let mut frame = FileBlockFrame { id: &said["id"].to_string(), about, block: bytes }.to_bytes().unwrap();
    state.requests += 1;
    if state.requests.is_multiple_of(3) {
        let last = frame.len() - 1;
        frame[last] ^= 1;
    }
    let module = state.releases[stream].module;
    state.fetched.push((module, u32::try_from(offset).unwrap()));
    frame
}

/// One request for each connection; every third response ends too early.
async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let module = head.strip_prefix("get /").and_then(|rest| rest.split('?').next()).unwrap();
    let (module, file, breaks) = {
        let mut state = state.lock().unwrap();
        state.requests += 1;
        let release = state.releases.iter().find(|release| release.module == module).unwrap();
        (release.module, release.faces[0].clone(), state.requests.is_multiple_of(3))
    };
    let tag = format!("\"{}\"", hex(&md5::Md5::digest(&file)));
    let same = header("if-range:").is_none_or(|known| known == tag);
    let range = header("range: bytes=").filter(|_| same).and_then(|range| range.strip_suffix('-')?.parse().ok());
    let (from, length): (usize, usize) = (range.unwrap_or(0), file.len());
    state.lock().unwrap().fetched.push((module, u32::try_from(from).unwrap()));
    let status = match range {
        Some(from) if from >= length => "416 Range Not Satisfiable\r\ncontent-length: 0".to_owned(),
        Some(from) => format!(
            "206 Partial\r\ncontent-range: bytes {from}-{}/{length}\r\ncontent-length: {}",
            length - 1,
            length - from
        ),
        None => format!("200 OK\r\ncontent-length: {length}"),
    };
    let head = format!("HTTP/1.1 {status}\r\netag: {tag}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let body = file.get(from..).unwrap_or_default();
    let sent = if breaks { body.len() / 2 } else { body.len() };
    stream.write_all(&body[..sent]).await?;
    stream.shutdown().await
}
