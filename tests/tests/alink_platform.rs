//! What a platform is told of clients that go wrong, and how it asks devices in words of the user's own.

use std::net::SocketAddr;
use std::time::Duration;

use onwire::Peer;
use onwire::alink::{DeviceRef, SyncServices};
use onwire::mqtt::{Connect, Fault, Refused};
use onwire::net::alink::{
    Admission, ClientFault, Device, Faulty, Listener, ListenerConfig, LoginRequest, Message, Platform, Publisher,
    RrpcFailure,
};
use onwire::net::{BackOff, LoginLimit, LoginLimits};
use onwire_tests::tracker::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1X", device_name: "SN1" };

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, _: Properties) {}
}

struct Cloud {
    connected: mpsc::UnboundedSender<(Peer, Publisher)>,
    faults: mpsc::UnboundedSender<(Option<String>, ClientFault)>,
}

#[onwire::handlers(onwire_tests::tracker, role = Platform)]
impl Cloud {
    #[on(PropertyPost)]
    fn post(&self, _: Properties) {}
}

impl Platform for Cloud {
    type Router = Self;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        if login.connect.client_id == "guest" {
            return Err(Refused::BadCredentials);
        }
        let (product_key, device_name) = (DEVICE.product_key.into(), DEVICE.device_name.into());
        Ok(Admission::Device { product_key, device_name, sync: SyncServices::default() })
    }

    fn router(&self) -> &Self {
        self
    }

    async fn connected(&self, peer: &Peer, publisher: &Publisher) {
        self.connected.send((peer.clone(), publisher.clone())).unwrap();
    }

    async fn message(&self, _: &Peer, _: &Publisher, _: Message) {}

    fn fault(&self, of: Faulty<'_>, fault: &ClientFault) {
        assert!(of.remote.is_some());
        let _ = self.faults.send((of.device.map(|device| device.to_string()), fault.clone()));
    }
}

struct Running {
    address: SocketAddr,
    connected: mpsc::UnboundedReceiver<(Peer, Publisher)>,
    faults: mpsc::UnboundedReceiver<(Option<String>, ClientFault)>,
}

async fn running(config: ListenerConfig) -> Running {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap().config(config);
    let address = listener.local_addr().unwrap();
    let ((connects, connected), (fails, faults)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    tokio::spawn(listener.serve(Cloud { connected: connects, faults: fails }));
    Running { address, connected, faults }
}

/// For what has to come at all; nothing is measured by it.
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it came in time")
}

/// Says these bytes, and waits for the end of the connection.
async fn say(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // Bytes that nobody has read make an end of another kind.
    let _ = in_time(stream.read_to_end(&mut answer)).await;
    answer
}

/// CONNECT with that client id and keep-alive, in seconds.
fn connect(id: &str, keep_alive: u8) -> Vec<u8> {
    let length = u8::try_from(id.len()).unwrap();
    [&[0x10, 12 + length, 0, 4], b"MQTT".as_slice(), &[4, 2, 0, keep_alive, 0, length], id.as_bytes()].concat()
}

/// The same with a user name.
fn connect_as(id: &str, name: &str) -> Vec<u8> {
    let (of_id, of_name) = (u8::try_from(id.len()).unwrap(), u8::try_from(name.len()).unwrap());
    let head = [0x10, 14 + of_id + of_name, 0, 4, b'M', b'Q', b'T', b'T', 4, 0x82, 0, 0, 0, of_id];
    [&head, id.as_bytes(), &[0, of_name], name.as_bytes()].concat()
}

#[tokio::test]
async fn a_platform_is_told_who_breaks_what() {
    let mut config = ListenerConfig::default();
    config.limits.login_timeout = Duration::from_millis(300);
    let mut cloud = running(config).await;
    let mut fault = async || in_time(cloud.faults.recv()).await.unwrap();
    // Nothing is said: no login.
    say(cloud.address, &[]).await;
    assert_eq!(fault().await, (None, ClientFault::LoginTimeout));
    // PINGREQ before CONNECT; a length that never ends; MQTT 5, which is told so.
    say(cloud.address, &[0xc0, 0]).await;
    assert_eq!(fault().await, (None, ClientFault::Mqtt(Fault::Protocol)));
    say(cloud.address, &[0x10, 0xff, 0xff, 0xff, 0xff]).await;
    let (who, what) = fault().await;
    assert!(matches!((who, &what), (None, ClientFault::Mqtt(Fault::Malformed | Fault::TooLarge))), "{what:?}");
    let mut newer = connect("device", 0);
    newer[8] = 5;
    assert!(!say(cloud.address, &newer).await.is_empty());
    assert_eq!(fault().await, (None, ClientFault::Mqtt(Fault::Version)));
    // Once it is let in, it has a name: a second CONNECT, and silence for longer than it said.
    let device = Some(DEVICE.to_string());
    let twice = [connect("device", 0), connect("device", 0)].concat();
    say(cloud.address, &twice).await;
    assert_eq!(fault().await, (device.clone(), ClientFault::Mqtt(Fault::Protocol)));
    say(cloud.address, &connect("device", 1)).await;
    assert_eq!(fault().await, (device, ClientFault::Mqtt(Fault::Silent)));
    // Who comes and goes, and says so at once, has done nothing wrong.
    say(cloud.address, &[connect("device", 0).as_slice(), &[0xe0, 0]].concat()).await;
    drop(TcpStream::connect(cloud.address).await.unwrap());
    say(cloud.address, &[0xc0, 0]).await;
    assert_eq!(in_time(cloud.faults.recv()).await.unwrap(), (None, ClientFault::Mqtt(Fault::Protocol)));
}

#[tokio::test]
async fn who_fails_too_often_is_not_looked_at() {
    let window = Duration::from_secs(3600);
    let mut config = ListenerConfig::default();
    config.login_limits = Some(LoginLimits::new(LoginLimit::new(2, window), LoginLimit::new(0, window)));
    let mut cloud = running(config).await;
    let code = async |id: &str| say(cloud.address, &connect(id, 0)).await[3];
    assert_eq!((code("guest").await, code("guest").await), (4, 4));
    // Whatever it says, from there.
    assert_eq!((code("guest").await, code("device").await), (3, 3));
    for is_first in [true, false] {
        let (who, what) = in_time(cloud.faults.recv()).await.unwrap();
        assert!(matches!(what, ClientFault::LoginsFailed { is_first: first, .. } if first == is_first), "{what:?}");
        assert_eq!(who, None);
    }
    assert!(cloud.connected.try_recv().is_err());
}

#[tokio::test]
async fn who_got_in_before_is_let_in_behind_an_address_that_failed_too_often() {
    let window = Duration::from_secs(3600);
    let mut config = ListenerConfig::default();
    config.login_limits = Some(LoginLimits::new(LoginLimit::new(2, window), LoginLimit::new(3, window)));
    let mut cloud = running(config).await;
    let code = async |id: &str, name: &str| say(cloud.address, &[&*connect_as(id, name), &[0xe0, 0]].concat()).await[3];
    assert_eq!(code("device", "SN1&a1X").await, 0);
    for name in ["SN2&a1X", "SN3&a1X"] {
        assert_eq!(code("guest", name).await, 4);
    }
    assert_eq!(code("device", "SN4&a1X").await, 3, "who was never there is held off");
    assert_eq!(code("device", "SN1&a1X").await, 0);
    // In its name it may be guessed from there no more often than from elsewhere.
    let mut guesses = Vec::new();
    for _ in 0..4 {
        guesses.push(code("guest", "SN1&a1X").await);
    }
    assert_eq!(guesses, [4, 4, 4, 3]);
    assert!(cloud.connected.try_recv().is_ok() && cloud.connected.try_recv().is_ok());
}

#[tokio::test]
async fn a_question_ends_with_its_connection() {
    let mut cloud = running(ListenerConfig::default()).await;
    let url = format!("mqtt://{}", cloud.address);
    let device = Device::builder(&url, DEVICE, || Connect::new("device"))
        .back_off(BackOff::new(Duration::from_millis(10), Duration::from_millis(100)))
        .on_rrpc("/a1X/SN1/user/door", |request: Message| async move { [b"door ", &*request.payload].concat() })
        .on_system_rrpc(|_: Message| std::future::pending::<Vec<u8>>())
        .build(Tracker)
        .unwrap();
    tokio::spawn(device.run());
    let (peer, publisher) = in_time(cloud.connected.recv()).await.unwrap();
    let patience = Duration::from_secs(60);
    let answer = publisher.rrpc(Some("/a1X/SN1/user/door"), "open", patience).await;
    assert_eq!(answer, Ok(b"door open".to_vec()));
    // Nobody answers the other one before the connection ends.
    let asked = publisher.rrpc(None, "?", patience);
    let ended = async { peer.disconnect(onwire::CallFailure::ShuttingDown) };
    assert_eq!(tokio::join!(asked, ended).0, Err(RrpcFailure::Disconnected));
    assert_eq!(publisher.rrpc(None, "?", patience).await, Err(RrpcFailure::Disconnected));
}
