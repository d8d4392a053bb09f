//! A charge point that keeps what it was not answered, over the server's end, and says it again.

use std::time::{Duration, Instant};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{ConnectStream, connect_async};
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use futures_util::StreamExt;
use onwire::types::DateTime;
use serde_json::{Value, json};

use crate::support::PATIENCE;

/// The time of the first transaction.
const FIRST: i64 = 1_767_225_600_000;

/// From a transaction to the next one, and from its start to its values and its stop.
const STEP: i64 = 60_000;

/// The connection, or the server, has ended.
pub(crate) struct Gone;

/// A transaction, as far as the charge point knows.
#[derive(Debug, Clone)]
pub(crate) struct Charged {
    pub(crate) number: i64,
    /// Once the start was answered.
    pub(crate) id: Option<i64>,
    /// When meter values were answered.
    pub(crate) values_answered: Option<Instant>,
    pub(crate) stop_answered: bool,
}

impl Charged {
    pub(crate) fn started_at(&self) -> i64 {
        FIRST + self.number * STEP
    }

    pub(crate) fn measured_at(&self) -> i64 {
        self.started_at() + STEP / 3
    }

    pub(crate) fn stopped_at(&self) -> i64 {
        self.started_at() + STEP / 2
    }

    pub(crate) fn start_meter(&self) -> i64 {
        self.number * 1000
    }

    pub(crate) fn stop_meter(&self) -> i64 {
        self.start_meter() + 500
    }
}

/// A charge point.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) identity: String,
    /// All its transactions; what the last one lacks is said next.
    pub(crate) charged: Vec<Charged>,
    /// The longest time that an answer took, or was waited for in vain.
    pub(crate) slowest: Duration,
    /// CALLERRORs that answered it.
    pub(crate) refused: u64,
    next_id: u64,
}

impl Point {
    pub(crate) fn new(number: usize) -> Self {
        Self { identity: format!("CP{number}"), charged: Vec::new(), slowest: Duration::ZERO, refused: 0, next_id: 0 }
    }

    pub(crate) fn id_tag(&self) -> String {
        format!("TAG-{}", self.identity)
    }

    /// Charges until the server is gone, and calls `answered` for each answer.
    pub(crate) async fn charge(&mut self, url: &str, answered: impl Fn()) {
        let Ok(mut line) = Line::connect(url, &self.identity).await else { return };
        loop {
            let began = Instant::now();
            let step = self.step(&mut line).await;
            self.slowest = self.slowest.max(began.elapsed());
            match step {
                Ok(is_result) => {
                    self.refused += u64::from(!is_result);
                    answered();
                }
                Err(Gone) => return,
            }
        }
    }

    /// Says what it was not answered yet.
    pub(crate) async fn complete(&mut self, url: &str) {
        let mut line = Line::connect(url, &self.identity).await.ok().expect("a server");
        while self.charged.last().is_some_and(|charged| !charged.stop_answered) {
            self.step(&mut line).await.ok().expect("a server");
        }
    }

    /// One message of its transactions; whether it was answered with a CALLRESULT.
    async fn step(&mut self, line: &mut Line) -> Result<bool, Gone> {
        self.next_id += 1;
        if self.charged.last().is_none_or(|charged| charged.stop_answered) {
            let number = i64::try_from(self.charged.len()).unwrap();
            self.charged.push(Charged { number, id: None, values_answered: None, stop_answered: false });
        }
        let (id_tag, message) = (self.id_tag(), self.next_id);
        let charged = self.charged.last_mut().unwrap();
        let time = |millis| DateTime::from_unix_millis(millis).to_string();
        let Some(id) = charged.id else {
            let start = json!({"connectorId": 1, "idTag": id_tag, "meterStart": charged.start_meter(),
                "timestamp": time(charged.started_at())});
            let answer = line.call(message, "StartTransaction", start).await?;
            charged.id = answer.map(|answer| answer["transactionId"].as_i64().unwrap());
            return Ok(charged.id.is_some());
        };
        if charged.values_answered.is_none() {
            let value = json!([{"timestamp": time(charged.measured_at()), "sampledValue": [{"value": "7.5"}]}]);
            let values = json!({"connectorId": 1, "transactionId": id, "meterValue": value});
            let answer = line.call(message, "MeterValues", values).await?;
            charged.values_answered = answer.map(|_| Instant::now());
            return Ok(charged.values_answered.is_some());
        }
        let stop = json!({"transactionId": id, "idTag": id_tag, "meterStop": charged.stop_meter(),
            "timestamp": time(charged.stopped_at()), "reason": "Local"});
        charged.stop_answered = line.call(message, "StopTransaction", stop).await?.is_some();
        Ok(charged.stop_answered)
    }
}

struct Line(WebSocketStream<ConnectStream>);

impl Line {
    async fn connect(url: &str, identity: &str) -> Result<Self, Gone> {
        let mut request = format!("{url}{identity}").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
        let (socket, _) = connect_async(request).await.map_err(|_| Gone)?;
        let mut line = Self(socket);
        let boot = json!({"chargePointVendor": "onwire", "chargePointModel": "crash"});
        // One whose boot cannot be kept tries again.
        while line.call(0, "BootNotification", boot.clone()).await?.is_none() {}
        Ok(line)
    }

    /// The answer; `None` if it is a CALLERROR, after which a charge point says the same again.
    async fn call(&mut self, id: u64, action: &str, payload: Value) -> Result<Option<Value>, Gone> {
        let call = json!([2, id.to_string(), action, payload]);
        self.0.send(Message::text(call.to_string())).await.map_err(|_| Gone)?;
        loop {
            let message = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("an answer in time");
            let Some(Ok(message)) = message else { return Err(Gone) };
            let Message::Text(text) = message else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame[0] != 2 && frame[1] == json!(id.to_string()) {
                return Ok((frame[0] == 3).then(|| frame[2].clone()));
            }
        }
    }
}
