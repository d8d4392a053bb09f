//! Devices that speak Alink, very many: what a platform on onwire, `alink-hub` and mosquitto make of them. Started by
//! `cargo xtask load-alink` (docs/LOAD.md).
//!
//! Each device posts its properties and waits for what comes back before it posts again. From a platform that is the reply;
//! mosquitto has no handlers, so that a device gets its own post back there: a packet in and a packet out for each.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream as Plain};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use onwire::alink::{DeviceRef, Login, LoginOptions, Secret, SecureMode, Topic};
use onwire::mqtt::{Client, Connect, Limits, Link, Packet, QoS};
use onwire_load::machine::{Cores, Processes, describe, raise_connections};
use onwire_load::table::{Table, number, ratio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Compares platforms for devices that speak Alink.
#[derive(Parser)]
#[command(bin_name = "cargo xtask load-alink")]
struct Arguments {
    /// How many devices post
    #[arg(long, default_value_t = 200)]
    devices: usize,
    /// How many devices are idle when memory is measured
    #[arg(long, default_value_t = 5000)]
    idle: usize,
    /// How long each measurement takes
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// How often, contenders taking turns; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The program `alink-hub`, and the folder of its thing models
    #[arg(long, num_args = 2, value_names = ["PROGRAM", "MODELS"])]
    hub: Option<Vec<PathBuf>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mosquitto,
    Onwire,
    Hub,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => "mosquitto",
            Self::Onwire => "onwire, no store",
            Self::Hub => "alink-hub",
        }
    }
}

/// A server that runs, and what its devices connect with.
struct Server {
    child: Child,
    address: SocketAddr,
    secrets: Vec<String>,
    /// What it keeps; gone when this is.
    _folder: Option<Folder>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("onwire-alink-load-{}-{}", std::process::id(), fastrand::u32(..)));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Server {
    fn start(kind: Kind, arguments: &Arguments, cores: &Cores) -> Result<Self> {
        let folder = Folder::new()?;
        let mut command = match kind {
            Kind::Onwire => {
                let this = std::env::current_exe()?;
                let mut command = Command::new(this.parent().unwrap_or(Path::new(".")).join("alink_server"));
                command.args(["127.0.0.1:0", "1"]);
                command
            }
            Kind::Mosquitto => {
                let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
                let file = folder.0.join("mosquitto.conf");
                let limits = "max_connections -1\nmax_queued_messages 0\nset_tcp_nodelay true\n";
                std::fs::write(
                    &file,
                    format!(
                        "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\n{limits}"
                    ),
                )?;
                let mut command = Command::new("sh");
                // Its standard output would come in blocks.
                command.args(["-c", "echo mqtt://127.0.0.1:$1/; exec mosquitto -c \"$0\" 2>&1"]).arg(&file);
                command.arg(port.to_string());
                command
            }
            Kind::Hub => {
                let [program, models] = arguments.hub.as_deref().unwrap_or_default() else { bail!("no hub is named") };
                let mut command = Command::new(program);
                command.args(["--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
                command.arg("--data").arg(folder.0.join("data")).arg("--models").arg(models);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = cores.for_server(|| command.spawn())?.with_context(|| format!("starting {}", kind.name()))?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?);
        let next = |output: &mut BufReader<_>, scheme: &str| -> Result<SocketAddr> {
            loop {
                let mut line = String::new();
                ensure!(output.read_line(&mut line)? > 0, "{} has ended", kind.name());
                if let Some((_, address)) = line.split_once(scheme) {
                    let end = address.find(|other: char| !other.is_ascii_digit() && !".:".contains(other));
                    return Ok(address.get(..end.unwrap_or(address.len())).unwrap_or(address).parse()?);
                }
            }
        };
        let address = next(&mut output, "mqtt://")?;
        if kind == Kind::Mosquitto {
            // It has told where before it listens.
            let mut line = String::new();
            while !line.ends_with(" running\n") {
                line.clear();
                ensure!(output.read_line(&mut line)? > 0, "mosquitto has ended");
            }
        }
        let secrets = match kind {
            Kind::Hub => {
                let http = next(&mut output, "http://")?;
                (0..arguments.devices.max(arguments.idle))
                    .map(|number| register(http, number))
                    .collect::<Result<_>>()?
            }
            Kind::Mosquitto | Kind::Onwire => Vec::new(),
        };
        // The rest of what it says is nobody's.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(Self { child, address, secrets, _folder: Some(folder) })
    }

    fn processes(&self) -> Processes {
        Processes(vec![self.child.id().cast_signed()])
    }
}

/// Makes a device at the hub; its secret.
fn register(http: SocketAddr, number: usize) -> Result<String> {
    let body = format!(r#"{{"productKey":"tracker","deviceName":"{}"}}"#, name(number));
    let mut stream = Plain::connect(http)?;
    write!(
        stream,
        "POST /api/v1/devices HTTP/1.1\r\nhost: {http}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let secret = answer.split_once("\"deviceSecret\":\"").and_then(|(_, rest)| rest.split_once('"'));
    Ok(secret.with_context(|| format!("no device: {answer}"))?.0.to_owned())
}

fn name(number: usize) -> String {
    format!("SN{number}")
}

/// A device that is connected.
struct Device {
    stream: TcpStream,
    link: Link<Client>,
    post: (String, String),
}

impl Device {
    async fn connect(kind: Kind, server: &Server, number: usize) -> Result<Self> {
        let now = onwire::Instant::default();
        let name = name(number);
        let device = DeviceRef { product_key: "tracker", device_name: &name };
        let mut connect = Connect::new(name.as_str());
        if kind == Kind::Hub {
            let mut options = LoginOptions::default();
            options.secure_mode = SecureMode::Tcp;
            let secret = server.secrets.get(number).context("no secret")?;
            connect = Login::with_secret(device, &Secret::from(secret.as_str()), &options)?.into();
        }
        connect.keep_alive = Duration::ZERO;
        let stream = TcpStream::connect(server.address).await?;
        stream.set_nodelay(true)?;
        let topic = Topic::Thing { device, path: "event/property/post" }.to_string();
        let params = r#"{"BatteryLevel":80,"Speed":{"value":12.5,"time":1700000000000},"Position":{"value":{"Longitude":113.264385,"Latitude":23.129112,"Altitude":21.0,"System":1},"time":1700000000000}}"#;
        let post = format!(r#"{{"id":"1","version":"1.0","params":{params},"method":"thing.event.property.post"}}"#);
        let mut device = Self { stream, link: Link::client(Limits::default()), post: (topic, post) };
        device.link.connect(&connect, now)?;
        ensure!(matches!(device.next().await?, Packet::Accepted { .. }), "not let in");
        if kind == Kind::Mosquitto {
            device.link.subscribe(&[(&device.post.0, QoS::AtMostOnce)], now)?;
            ensure!(matches!(device.next().await?, Packet::Subscribed { .. }), "not subscribed");
        }
        Ok(device)
    }

    /// Posts, and waits for what comes back.
    async fn post(&mut self, number: u64) -> Result<()> {
        // The same text twice would be a repetition.
        let text = self.post.1.replacen("\"1\"", &format!("\"{number}\""), 1);
        self.link.publish(&self.post.0, text.as_bytes(), QoS::AtMostOnce, onwire::Instant::default())?;
        ensure!(matches!(self.next().await?, Packet::Message { .. }), "no answer");
        Ok(())
    }

    async fn next(&mut self) -> Result<Packet> {
        loop {
            if let Some(packet) = self.link.poll_packet() {
                return Ok(packet);
            }
            if let Some(bytes) = self.link.poll_transmit() {
                self.stream.write_all(&bytes).await?;
            }
            let mut buffer = [0; 1024];
            let read = self.stream.read(&mut buffer).await?;
            ensure!(read > 0, "the server has closed the connection");
            self.link.receive(buffer.get(..read).unwrap_or(&[]), onwire::Instant::default())?;
        }
    }
}

/// Messages for each second of the server's CPU time.
async fn throughput(kind: Kind, arguments: &Arguments, cores: &Cores) -> Result<f64> {
    let server = Server::start(kind, arguments, cores)?;
    let mut tasks = tokio::task::JoinSet::new();
    let (go, going) = tokio::sync::watch::channel(None::<Instant>);
    for number in 0..arguments.devices {
        let mut device = Device::connect(kind, &server, number).await?;
        let mut going = going.clone();
        tasks.spawn(async move {
            let end = going.wait_for(Option::is_some).await?.unwrap_or_else(Instant::now);
            let mut posts = 0;
            while Instant::now() < end {
                device.post(posts + 2).await?;
                posts += 1;
            }
            anyhow::Ok(posts)
        });
    }
    let before = server.processes().cpu()?;
    go.send_replace(Some(Instant::now() + Duration::from_secs(arguments.seconds)));
    let mut posts = 0;
    while let Some(task) = tasks.join_next().await {
        posts += task??;
    }
    let cpu = server.processes().cpu()?.saturating_sub(before);
    ensure!(!cpu.is_zero(), "too little was answered to measure it");
    Ok(posts as f64 / cpu.as_secs_f64())
}

/// Bytes of the server's memory for each device that is connected and has posted once.
async fn idle(kind: Kind, arguments: &Arguments, cores: &Cores) -> Result<f64> {
    let server = Server::start(kind, arguments, cores)?;
    let mut first = Device::connect(kind, &server, 0).await?;
    first.post(2).await?;
    let before = server.processes().memory()?;
    let mut devices = Vec::new();
    for number in 1..arguments.idle {
        let mut device = Device::connect(kind, &server, number).await?;
        device.post(2).await?;
        devices.push(device);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = server.processes().memory()?.saturating_sub(before);
    Ok(memory as f64 / devices.len() as f64)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let connections = raise_connections();
    let cores = Cores::divide(1, 1)?;
    println!("{}; {}.", describe(connections), cores.describe());
    let mut kinds = vec![Kind::Mosquitto, Kind::Onwire];
    if arguments.hub.is_some() {
        kinds.push(Kind::Hub);
    }
    let mut samples: Vec<Vec<f64>> = vec![Vec::new(); kinds.len()];
    for round in 0..arguments.rounds {
        for (kind, samples) in kinds.iter().zip(&mut samples) {
            eprintln!("posts, round {} of {}: {}", round + 1, arguments.rounds, kind.name());
            samples.push(throughput(*kind, &arguments, &cores).await?);
        }
    }
    let mut table = Table::new(1, ["server", "posts/CPU s", "ratio", "KiB for an idle device"]);
    let mut bare = None;
    for (kind, mut samples) in kinds.into_iter().zip(samples) {
        samples.sort_by(f64::total_cmp);
        let median = samples.get(samples.len() / 2).copied().unwrap_or_default();
        bare.get_or_insert(median);
        eprintln!("memory: {}", kind.name());
        let memory = idle(kind, &arguments, &cores).await? / 1024.0;
        table.row([kind.name().into(), format!("{median:.0}"), ratio(median, bare), number(memory)]);
    }
    table.print(&format!(
        "{} devices, one post of each outstanding, {} s, median of {}; memory with {} devices that have posted once.",
        arguments.devices, arguments.seconds, arguments.rounds, arguments.idle
    ));
    Ok(())
}
