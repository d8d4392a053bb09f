//! Paths, subprotocols and sizes that charge points are taken with.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Csms;

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const OFFER: &str = "Sec-WebSocket-Protocol: ocpp1.6\r\n";

/// The status of such a request.
async fn asked(csms: &Csms, path: &str, version: &str, headers: &str) -> String {
    let address = csms.http.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/{version}\r\nHost: {address}\r\n{HANDSHAKE}{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head[9..12].to_vec()).unwrap()
}

async fn known(csms: &Csms) -> Vec<String> {
    let (_, answer) = csms.http("GET", "/api/v1/charge-points", None).await;
    answer["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn slashes_too_many_are_overlooked_and_other_paths_refused_and_logged() {
    let data = tempfile::tempdir().unwrap();
    let mut csms = Csms::start_with(data.path(), &[], &[("RUST_LOG", "onwire=info")]).await;
    for path in ["/ocpp//CP1", "/ocpp/CP1/", "/ocpp/a%2Fb"] {
        assert_eq!(asked(&csms, path, "1.1", OFFER).await, "101", "{path}");
    }
    assert_eq!(known(&csms).await, ["CP1", "a/b"]);
    for path in ["/CP1", "/ocpp/a/b", "/steve/CP1"] {
        assert_eq!(asked(&csms, path, "1.1", OFFER).await, "404", "{path}");
        csms.logged(&format!("path=\"{path}\"")).await;
    }
    // RFC 6455 §4.2.1.
    assert_eq!(asked(&csms, "/ocpp/CP1", "1.0", OFFER).await, "400");
    // OCPP-J 1.6 §3.2: it is upgraded, and closed.
    assert_eq!(asked(&csms, "/ocpp/CP2", "1.1", "Sec-WebSocket-Protocol: ocpp2.0.1, ocpp9\r\n").await, "101");
    csms.logged("ocpp2.0.1, ocpp9").await;
}

#[tokio::test]
async fn prefixes_are_a_setting_and_so_is_a_missing_subprotocol() {
    let data = tempfile::tempdir().unwrap();
    let flags = ["--ocpp-prefix", "/steve/websocket/CentralSystemService,/", "--without-subprotocol"];
    let csms = Csms::start_in(data.path(), &flags).await;
    for path in ["/steve/websocket/CentralSystemService/CP1", "/CP2"] {
        assert_eq!(asked(&csms, path, "1.1", "").await, "101", "{path}");
    }
    assert_eq!(asked(&csms, "/ocpp/CP3", "1.1", OFFER).await, "404");
    assert_eq!(known(&csms).await, ["CP1", "CP2"]);
    assert!(csms.url.ends_with("/steve/websocket/CentralSystemService/"), "{}", csms.url);
    let mut station = csms.booted("CP4").await;
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

/// A StopTransaction with the values of a long session in it.
#[tokio::test]
async fn a_message_of_more_than_one_mib_is_taken_and_the_limit_is_a_setting() {
    let values: Vec<_> = (0..9000)
        .map(|number| {
            let sampled = [("Energy.Active.Import.Register", number), ("Power.Active.Import", 11_000)]
                .map(|(measurand, value)| json!({"value": value.to_string(), "measurand": measurand}));
            json!({"timestamp": "2026-01-01T00:00:00Z", "sampledValue": sampled})
        })
        .collect();
    for (flags, is_taken) in [(&[][..], true), (&["--message-limit", "1024"], false)] {
        let data = tempfile::tempdir().unwrap();
        let csms = Csms::start_in(data.path(), flags).await;
        let mut station = csms.booted("CP1").await;
        let start = json!({"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z"});
        let id = station.call("StartTransaction", start).await["transactionId"].clone();
        let stop = json!({"transactionId": id, "meterStop": 9000, "timestamp": "2026-01-01T01:00:00Z",
            "transactionData": values});
        assert!((1_300_000..2_000_000).contains(&stop.to_string().len()), "{}", stop.to_string().len());
        station.send(&json!([2, "stop", "StopTransaction", stop])).await;
        if is_taken {
            assert_eq!(station.receive().await[0], 3);
        } else {
            assert!(station.leftovers().await.is_empty());
        }
        let (_, transaction) = csms.http("GET", &format!("/api/v1/transactions/{id}"), None).await;
        assert_eq!(transaction["stoppedAt"].is_string(), is_taken, "{transaction}");
    }
}
