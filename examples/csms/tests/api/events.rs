//! `/events`.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::{Csms, PATIENCE, csms};

/// The events of a stream: kind and data. The first line is a comment, so that the listener is there when this returns.
async fn listen(csms: &Csms, query: &str) -> BoxStream<'static, (String, Value)> {
    let response = Client::new().get(format!("{}/api/v1/events{query}", csms.http)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut bytes = Box::pin(response.bytes_stream());
    let first = tokio::time::timeout(PATIENCE, bytes.next()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with(b":"), "{first:?}");
    let lines = futures_util::stream::unfold((bytes, String::new()), |(mut bytes, mut text)| async {
        loop {
            if let Some((event, rest)) = text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let found = field("event: ").zip(field("data: "));
                text = rest.to_owned();
                match found {
                    Some((kind, data)) => return Some(((kind, serde_json::from_str(&data).unwrap()), (bytes, text))),
                    None => continue,
                }
            }
            let more = tokio::time::timeout(PATIENCE, bytes.next()).await.expect("an event in time")?.unwrap();
            text.push_str(std::str::from_utf8(&more).unwrap());
        }
    });
    lines.boxed()
}

async fn next(events: &mut BoxStream<'static, (String, Value)>, wanted: &str) -> Value {
    let found = async {
        loop {
            let (kind, data) = events.next().await.expect("the stream goes on");
            if kind == wanted {
                return data;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("an event in time")
}

#[tokio::test]
async fn what_happens_is_told_to_those_who_listen() {
    let (csms, _data) = csms(&[]).await;
    let mut all = listen(&csms, "").await;
    let mut one = listen(&csms, "?chargePoint=CP2").await;
    let _first = csms.booted("CP1").await;
    let _second = csms.booted("CP2").await;
    assert_eq!(next(&mut all, "booted").await["chargePoint"], "CP1");
    assert_eq!(next(&mut all, "booted").await["chargePoint"], "CP2");
    let booted = next(&mut one, "booted").await;
    assert_eq!((&booted["chargePoint"], &booted["vendor"]), (&json!("CP2"), &json!("onwire")));
}

#[tokio::test]
async fn the_stream_ends_with_the_server() {
    let (csms, _data) = csms(&[]).await;
    let mut events = listen(&csms, "").await;
    csms.stop().await;
    while events.next().await.is_some() {}
}
