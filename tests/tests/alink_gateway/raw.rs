//! A gateway of which every byte is the test's own.

use super::*;

/// An MQTT client without more around it.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) link: mqtt::Link<mqtt::Client>,
}

impl Raw {
    pub(crate) async fn connect(running: &Running, device: DeviceRef<'_>) -> Self {
        let stream = TcpStream::connect(running.url.strip_prefix("mqtt://").unwrap()).await.unwrap();
        let mut raw = Self { stream, link: mqtt::Link::client(mqtt::Limits::default()) };
        let login = Login::with_secret(device, &secret_of(device), &LoginOptions::default()).unwrap();
        raw.link.connect(&Connect::from(login), Instant::default()).unwrap();
        let accepted = raw.packet().await;
        assert!(matches!(accepted, Packet::Accepted { .. }), "{accepted:?}");
        raw
    }

    pub(crate) async fn packet(&mut self) -> Packet {
        in_time(async {
            loop {
                if let Some(packet) = self.link.poll_packet() {
                    return packet;
                }
                while let Some(bytes) = self.link.poll_transmit() {
                    self.stream.write_all(&bytes).await.unwrap();
                }
                let mut buffer = [0; 4096];
                let read = self.stream.read(&mut buffer).await.unwrap();
                assert_ne!(read, 0, "it is connected");
                self.link.receive(&buffer[..read], Instant::default()).unwrap();
            }
        })
        .await
    }

    pub(crate) fn publish(&mut self, topic: &str, payload: &str) {
        self.link.publish(topic, payload.as_bytes(), QoS::AtMostOnce, Instant::default()).unwrap();
    }

    /// The next message on that topic; what else comes is passed over.
    pub(crate) async fn message(&mut self, wanted: &str) -> Value {
        loop {
            if let Packet::Message { topic, payload, .. } = self.packet().await
                && topic == wanted
            {
                return serde_json::from_slice(&payload).unwrap();
            }
        }
    }

    pub(crate) async fn login(&mut self, running: &Running, name: &str) {
        running.shared.topology.lock().unwrap().insert(identity(meter(name)), identity(HALL));
        let (device, client_id) = (meter(name), "c");
        let sign = Signed { device, client_id, timestamp: None }.sign(SignMethod::HmacSha1, &secret_of(device));
        let params = json!({"productKey": "a1Meter", "deviceName": name, "clientId": "c", "signMethod": "hmacSha1", "sign": sign});
        self.publish("/ext/session/a1Hall/H1/combine/login", &json!({"id": "1", "params": params}).to_string());
        assert_eq!(self.message("/ext/session/a1Hall/H1/combine/login_reply").await["code"], 200);
    }
}
