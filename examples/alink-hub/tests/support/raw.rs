//! An MQTT client that says what it is told, right or wrong, and subscribes to nothing.

use std::time::Instant as Clock;

use onwire::Instant;
use onwire::mqtt::{self, Connect, Limits, Link, Packet, QoS};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::in_time;

#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    link: Link<mqtt::Client>,
    start: Clock,
}

impl Client {
    /// The CONNACK's return code if it is not let in.
    pub(crate) async fn try_connect(address: &str, connect: &Connect) -> Result<Self, u8> {
        Self::over(TcpStream::connect(address).await.unwrap(), connect).await
    }

    /// The same over a connection that there is.
    pub(crate) async fn over(stream: TcpStream, connect: &Connect) -> Result<Self, u8> {
        let mut client = Self { stream, link: Link::client(Limits::default()), start: Clock::now() };
        client.link.connect(connect, client.now()).unwrap();
        client.write().await;
        match client.packet().await.expect("an answer") {
            Packet::Accepted { .. } => Ok(client),
            Packet::Refused(mqtt::Refused::ServerUnavailable) => Err(3),
            Packet::Refused(mqtt::Refused::BadCredentials) => Err(4),
            Packet::Refused(mqtt::Refused::NotAuthorized) => Err(5),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn connect(address: &str, connect: &Connect) -> Self {
        Self::try_connect(address, connect).await.unwrap()
    }

    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.start.elapsed().as_millis()).unwrap())
    }

    async fn write(&mut self) {
        while let Some(bytes) = self.link.poll_transmit() {
            self.stream.write_all(&bytes).await.unwrap();
        }
    }

    pub(crate) async fn publish(&mut self, topic: &str, payload: &str) {
        self.publish_bytes(topic, payload.as_bytes()).await;
    }

    pub(crate) async fn publish_bytes(&mut self, topic: &str, payload: &[u8]) {
        let now = self.now();
        self.link.publish(topic, payload, QoS::AtMostOnce, now).unwrap();
        self.write().await;
    }

    /// Publishes what is to be acknowledged, under the number that is returned.
    pub(crate) async fn publish_surely(&mut self, topic: &str, payload: &str) -> u16 {
        let now = self.now();
        let id = self.link.publish(topic, payload.as_bytes(), QoS::AtLeastOnce, now).unwrap();
        self.write().await;
        id.unwrap()
    }

    /// The number of the next acknowledgement; `None` at the connection's end.
    pub(crate) async fn acknowledged(&mut self) -> Option<u16> {
        loop {
            if let Packet::Acknowledged { id } = self.packet().await? {
                return Some(id);
            }
        }
    }

    /// The next packet; `None` at the connection's end.
    async fn packet(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.link.poll_packet() {
                return Some(packet);
            }
            let mut buffer = [0; 4096];
            let read = in_time(self.stream.read(&mut buffer)).await.unwrap_or(0);
            if read == 0 {
                return None;
            }
            let now = self.now();
            self.link.receive(&buffer[..read], now).unwrap();
            self.write().await;
        }
    }

    /// The next message, whatever it is: its topic and JSON.
    pub(crate) async fn any_message(&mut self) -> (String, Value) {
        loop {
            if let Packet::Message { topic, payload, .. } = self.packet().await.expect("it is connected") {
                return (topic, serde_json::from_slice(&payload).unwrap());
            }
        }
    }

    /// The next message on that topic; others before it are passed over.
    pub(crate) async fn message(&mut self, wanted: &str) -> Value {
        serde_json::from_slice(&self.message_bytes(wanted).await).unwrap()
    }

    pub(crate) async fn message_bytes(&mut self, wanted: &str) -> Vec<u8> {
        loop {
            if let Packet::Message { topic, payload, .. } = self.packet().await.expect("it is connected")
                && topic == wanted
            {
                return payload;
            }
        }
    }

    /// Waits until the other side ends the connection.
    pub(crate) async fn ended(&mut self) {
        while self.packet().await.is_some() {}
    }
}
