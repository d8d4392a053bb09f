//! A charge point that keeps what it was not answered, over the server's end, and says it again.

use std::time::{Duration, Instant};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tokio::{TokioAdapter, client_async};
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use futures_util::StreamExt;
use onwire::types::DateTime;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::PATIENCE;

/// The time of the first transaction.
const FIRST: i64 = 1_767_225_600_000;

/// From a transaction to the next one, and from its start to its values and its stop.
const STEP: i64 = 60_000;

/// How a connection ends behind what was said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A Close, and the rest is read.
    Close,
    /// TCP's own end.
    Fin,
    /// TCP's, by force: what the system had taken of it may be gone.
    Reset,
    /// Another connection of the same charge point.
    Replaced,
}

impl Ending {
    pub(crate) const ALL: [Self; 4] = [Self::Close, Self::Fin, Self::Reset, Self::Replaced];
}

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
    fn new(number: usize) -> Self {
        Self { number: number.try_into().unwrap(), id: None, values_answered: None, stop_answered: false }
    }

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

    /// Charges, says values, stop and, unless that may be lost, the next start behind each other, and leaves without an answer.
    pub(crate) async fn leave(&mut self, url: &str, ending: Ending) {
        let mut line = Line::connect(url, &self.identity).await.ok().expect("a server");
        while self.charged.last().is_none_or(|charged| charged.id.is_none() || charged.stop_answered) {
            self.step(&mut line).await.ok().expect("a server");
        }
        let mut messages = vec![self.values(), self.stop()];
        if ending != Ending::Reset {
            self.charged.push(Charged::new(self.charged.len()));
            messages.push(self.start());
        }
        for (action, payload) in messages {
            self.next_id += 1;
            line.send(self.next_id, action, payload).await.ok().expect("a connection");
        }
        if line.end(ending, url, &self.identity).await {
            let [.., charged, _] = &mut *self.charged else { unreachable!("two at least") };
            (charged.values_answered, charged.stop_answered) = (Some(Instant::now()), true);
        }
        // Else nobody knows, and it is said again.
    }

    /// One message of its transactions; whether it was answered with a CALLRESULT.
    async fn step(&mut self, line: &mut Line) -> Result<bool, Gone> {
        self.next_id += 1;
        if self.charged.last().is_none_or(|charged| charged.stop_answered) {
            self.charged.push(Charged::new(self.charged.len()));
        }
        let charged = self.charged.last().unwrap();
        let is_start = charged.id.is_none();
        let is_values = !is_start && charged.values_answered.is_none();
        let (action, payload) = match (is_start, is_values) {
            (true, _) => self.start(),
            (false, true) => self.values(),
            (false, false) => self.stop(),
        };
        let answer = line.call(self.next_id, action, payload).await?;
        let charged = self.charged.last_mut().unwrap();
        let is_result = answer.is_some();
        if is_start {
            charged.id = answer.map(|answer| answer["transactionId"].as_i64().unwrap());
        } else if is_values {
            charged.values_answered = answer.map(|_| Instant::now());
        } else {
            charged.stop_answered = is_result;
        }
        Ok(is_result)
    }

    fn start(&self) -> (&'static str, Value) {
        let charged = self.charged.last().unwrap();
        let start = json!({"connectorId": 1, "idTag": self.id_tag(), "meterStart": charged.start_meter(),
            "timestamp": time(charged.started_at())});
        ("StartTransaction", start)
    }

    fn values(&self) -> (&'static str, Value) {
        let charged = self.charged.last().unwrap();
        let value = json!([{"timestamp": time(charged.measured_at()), "sampledValue": [{"value": "7.5"}]}]);
        ("MeterValues", json!({"connectorId": 1, "transactionId": charged.id, "meterValue": value}))
    }

    fn stop(&self) -> (&'static str, Value) {
        let charged = self.charged.last().unwrap();
        let stop = json!({"transactionId": charged.id, "idTag": self.id_tag(), "meterStop": charged.stop_meter(),
            "timestamp": time(charged.stopped_at()), "reason": "Local"});
        ("StopTransaction", stop)
    }
}

fn time(millis: i64) -> String {
    DateTime::from_unix_millis(millis).to_string()
}

struct Line(WebSocketStream<TokioAdapter<TcpStream>>);

impl Line {
    async fn connect(url: &str, identity: &str) -> Result<Self, Gone> {
        let mut request = format!("{url}{identity}").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
        let address = request.uri().authority().unwrap().to_string();
        let stream = TcpStream::connect(address).await.map_err(|_| Gone)?;
        // Else the system may still have what was said when the connection ends.
        stream.set_nodelay(true).unwrap();
        let (socket, _) = client_async(request, stream).await.map_err(|_| Gone)?;
        let mut line = Self(socket);
        let boot = json!({"chargePointVendor": "onwire", "chargePointModel": "crash"});
        // One whose boot cannot be kept tries again.
        while line.call(0, "BootNotification", boot.clone()).await?.is_none() {}
        Ok(line)
    }

    async fn send(&mut self, id: u64, action: &str, payload: Value) -> Result<(), Gone> {
        let call = json!([2, id.to_string(), action, payload]);
        self.0.send(Message::text(call.to_string())).await.map_err(|_| Gone)
    }

    /// The answer; `None` if it is a CALLERROR, after which a charge point says the same again.
    async fn call(&mut self, id: u64, action: &str, payload: Value) -> Result<Option<Value>, Gone> {
        self.send(id, action, payload).await?;
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

    /// Ends; whether all that was said has to be there.
    async fn end(mut self, ending: Ending, url: &str, identity: &str) -> bool {
        match ending {
            Ending::Close => self.0.close(None).await.unwrap(),
            Ending::Fin => {
                let stream = self.0.get_mut().get_mut();
                stream.shutdown().await.unwrap();
            }
            Ending::Reset => {
                self.0.get_mut().get_mut().set_zero_linger().unwrap();
                return false;
            }
            // Its first message is answered after those of the older one.
            Ending::Replaced => drop(Self::connect(url, identity).await.ok().expect("a server")),
        }
        let rest = async { while let Some(Ok(_)) = self.0.next().await {} };
        tokio::time::timeout(PATIENCE, rest).await.expect("the connection ends in time");
        true
    }
}
