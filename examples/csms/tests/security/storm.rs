//! What keys cost when all charge points come back at once, as after a restart of the server.
//! `cargo test --release -p csms --test security storm:: -- --ignored --nocapture` prints it.

use std::path::Path;
use std::time::{Duration, Instant};

use csms::app::App;
use data_encoding::HEXLOWER;
use futures_util::future::join_all;
use futures_util::stream::{StreamExt, iter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Csms, PATIENCE};
use crate::world::{app, basic, enter};

const CHARGE_POINTS: usize = 5_000;
const ROUNDS: usize = 5;

/// An identity, and the handshake of that charge point.
struct Point {
    identity: &'static str,
    key: Option<[u8; 20]>,
}

impl Point {
    fn handshake(&self) -> String {
        let Self { identity, key } = self;
        let credentials = key.map(|key| {
            let (name, value) = basic(identity, &key);
            format!("{name}: {value}\r\n")
        });
        format!(
            "GET /ocpp/{identity} HTTP/1.1\r\nHost: csms\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: b253aXJlLWxvYWQtdGVzdA==\r\n\
             Sec-WebSocket-Protocol: ocpp1.6\r\n{}\r\n",
            credentials.unwrap_or_default()
        )
    }
}

/// Enters charge points of that name, with keys of their own or without.
async fn enter_all(app: &App, name: &str, with_keys: bool) -> Vec<Point> {
    let point = |number: usize| {
        let mut key = [0; 20];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut key).unwrap();
        let identity = format!("{name}{number}").leak();
        Point { identity, key: with_keys.then_some(key) }
    };
    let points: Vec<Point> = (0..CHARGE_POINTS).map(point).collect();
    let entered = points.iter().map(async |point| {
        let key = point.key.map(|key| HEXLOWER.encode(&key));
        enter(app, point.identity, key.as_deref()).await;
    });
    iter(entered).buffer_unordered(256).collect::<Vec<()>>().await;
    points
}

/// Connects; the connection stays.
async fn connect(address: &str, handshake: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(handshake.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101", "refused");
    socket
}

/// What the process has had of the processors; Linux counts in hundredths of a second.
fn cpu(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// All of them at a server that has just been started: how long it took, and its CPU time.
async fn storm(data: &Path, points: &[Point]) -> (Duration, Duration) {
    let csms = Csms::start_in(data, &[]).await;
    let address = csms.http.strip_prefix("http://").unwrap();
    let handshakes: Vec<String> = points.iter().map(Point::handshake).collect();
    let (began, before) = (Instant::now(), cpu(csms.id()));
    let all = join_all(handshakes.iter().map(|handshake| connect(address, handshake)));
    let connections = tokio::time::timeout(4 * PATIENCE, all).await.expect("all are back in time");
    let figures = (began.elapsed(), cpu(csms.id()) - before);
    drop(connections);
    csms.kill().await;
    figures
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::test]
#[ignore = "a measurement, on a quiet machine"]
async fn what_keys_cost_when_all_come_back_at_once() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await;
    let (open, keyed) = (enter_all(&app, "OPEN", false).await, enter_all(&app, "KEYED", true).await);
    app.store.close().await;
    // With the first use of a key the lowest profile is written; a storm of those who were there before writes nothing.
    for points in [&open, &keyed] {
        storm(data.path(), points).await;
    }
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / f64::from(u32::try_from(CHARGE_POINTS).unwrap());
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let ((open_time, open_cpu), (time, cpu)) = (storm(data.path(), &open).await, storm(data.path(), &keyed).await);
        ratios.push(cpu.as_secs_f64() / open_cpu.as_secs_f64());
        println!(
            "round {round}: {CHARGE_POINTS} without keys in {open_time:.2?}, {:.0} µs of CPU each; with keys in {time:.2?}, {:.0} µs",
            each(open_cpu),
            each(cpu)
        );
    }
    println!("CPU with keys to CPU without, median of {ROUNDS} rounds: {:.2}", median(ratios));
}
