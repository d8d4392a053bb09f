//! Many connections that say nothing, and the files that the system allows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's own code"
)]
// Addresses of one's own on the loopback, and limits, as Linux has them.
#![cfg(target_os = "linux")]

mod support;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Hub, in_time, login, raw};

/// A connection from 127.0.0.2, which is not where the crowd comes from.
async fn from_elsewhere(address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}

/// As many connections as one address may have, and one more, which is let go. They begin to say something.
async fn crowd(address: &str, begin: &[u8]) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begin).await.unwrap();
        crowd.push(stream);
    }
    let mut fifth = TcpStream::connect(address).await.unwrap();
    // The end, or a reset.
    assert_eq!(in_time(fifth.read(&mut [0])).await.unwrap_or(0), 0);
    crowd
}

#[tokio::test]
async fn an_address_full_of_silent_connections_keeps_no_other_out() {
    let hub = Hub::start(&["--connections-per-address", "4"]).await;
    let secret = hub.add("SN1").await;
    let http = hub.http.trim_start_matches("http://");
    let silent = crowd(&hub.mqtt, b"").await;
    let device = from_elsewhere(&hub.mqtt).await;
    raw::Client::over(device, &login("socket", "SN1", &secret, "")).await.unwrap();
    let half = crowd(http, b"GET /healthz HTTP/1.1\r\nHost: x\r\n").await;
    let mut other = from_elsewhere(http).await;
    other.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    in_time(other.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // As devices read it that know this spelling only.
    assert!(answer.contains("\r\nContent-Length: "), "{answer}");
    drop((silent, half));
    assert_eq!(hub.metric(r#"hub_client_faults_total{reason="crowded"}"#).await, 1);
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let low = current.unwrap_or(512).min(512);
    setrlimit(Resource::Nofile, Rlimit { current: Some(low), maximum }).unwrap();
    let hub = Hub::start(&[]).await;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", hub.id())).unwrap();
    let of_files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut words = of_files.split_whitespace();
    assert_eq!(words.next(), words.next(), "{of_files}");
}
