//! The program's live events.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::Value;

use super::{Csms, PATIENCE};

/// Events as they come: kind and data.
pub struct Events(BoxStream<'static, (String, Value)>);

impl Csms {
    /// Listens to what happens from now on, of a charge point or of all of them.
    pub async fn listen(&self, charge_point: Option<&str>) -> Events {
        let of = charge_point.map_or_else(String::new, |id| format!("?chargePoint={id}"));
        let response = reqwest::get(format!("{}/api/v1/events{of}", self.http)).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut bytes = Box::pin(response.bytes_stream());
        // The first line is a comment: the listener is there when this returns.
        let first = tokio::time::timeout(PATIENCE, bytes.next()).await.unwrap().unwrap().unwrap();
        assert!(first.starts_with(b":"), "{first:?}");
        let lines = futures_util::stream::unfold((bytes, Vec::new()), |(mut bytes, mut read)| async {
            loop {
                if let Some(end) = read.windows(2).position(|pair| pair == b"\n\n") {
                    let event = String::from_utf8(read.drain(..end + 2).collect()).unwrap();
                    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                    match field("event: ").zip(field("data: ")) {
                        Some((kind, data)) => {
                            return Some(((kind, serde_json::from_str(&data).unwrap()), (bytes, read)));
                        }
                        None => continue,
                    }
                }
                let more = tokio::time::timeout(PATIENCE, bytes.next()).await.expect("an event in time")?.unwrap();
                read.extend_from_slice(&more);
            }
        });
        Events(lines.boxed())
    }
}

impl Events {
    /// The next one; `None` at the end.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        self.0.next().await
    }

    /// The data of the next one of that kind.
    pub async fn wait(&mut self, wanted: &str) -> Value {
        let found = async {
            loop {
                let (kind, data) = self.next().await.expect("the stream goes on");
                if kind == wanted {
                    return data;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{wanted} in time"))
    }
}
