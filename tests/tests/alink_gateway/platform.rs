//! The platform that the tests' gateways talk to, which says what it was told.

use super::*;

/// What tests are told, and can change.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The gateway of each sub-device, by identities.
    pub(crate) topology: Mutex<HashMap<String, String>>,
    /// Who posted which battery level.
    pub(crate) posted: mpsc::UnboundedSender<(String, Option<i64>)>,
    pub(crate) seen: mpsc::UnboundedSender<(String, Message)>,
    pub(crate) stray: mpsc::UnboundedSender<(String, String)>,
    /// Logins that were judged.
    pub(crate) judged: mpsc::UnboundedSender<String>,
    /// A sub-device is let on when it gets one of these.
    pub(crate) gate: Semaphore,
    /// Who has come, and how to reach them.
    pub(crate) publishers: Mutex<HashMap<String, Publisher>>,
}

struct System(Arc<Shared>);

pub(crate) fn of(identity: &Identity) -> String {
    format!("{}&{}", identity.device_name, identity.product_key)
}

#[onwire::handlers(onwire::alink::system, role = Platform)]
impl System {
    #[on(TopoAdd)]
    fn add(&self, peer: &Peer, request: TopoAddRequest) -> Result<TopoAddResponse, CallError> {
        for SignedIdentity { product_key, device_name, client_id, timestamp, signmethod, sign, .. } in &request.devices
        {
            let device = DeviceRef { product_key, device_name };
            let method = SignMethod::from_name(signmethod).unwrap();
            let signed = Signed { device, client_id, timestamp: timestamp.as_deref() };
            let good = signed.verify(method, &secret_of(device), None, sign);
            good.map_err(|_| SubDeviceFault::TopologySignature)?;
            self.0.topology.lock().unwrap().insert(identity(device), peer.identity().to_owned());
        }
        let names = request.devices.into_iter().map(|device| Identity::new(device.product_key, device.device_name));
        Ok(TopoAddResponse::new(names))
    }

    #[on(TopoDelete)]
    fn delete(&self, request: TopoDeleteRequest) -> TopoDeleteResponse {
        let mut topology = self.0.topology.lock().unwrap();
        request.devices.iter().for_each(|device| drop(topology.remove(&of(device))));
        TopoDeleteResponse::new(request.devices)
    }

    #[on(TopoGet)]
    fn topology(&self, peer: &Peer) -> TopoGetResponse {
        let topology = self.0.topology.lock().unwrap();
        let of_peer = topology.iter().filter(|(_, gateway)| *gateway == peer.identity());
        TopoGetResponse::new(of_peer.map(|(device, _)| {
            let (device_name, product_key) = device.split_once('&').unwrap();
            Identity::new(product_key, device_name)
        }))
    }

    #[on(SubRegister)]
    fn register(&self, request: SubRegisterRequest) -> Result<SubRegisterResponse, CallError> {
        if request.devices.iter().any(|device| device.device_name == "taken") {
            return Err(SubDeviceFault::Elsewhere.into());
        }
        Ok(SubRegisterResponse::new(request.devices.into_iter().map(
            |Identity { product_key, device_name, .. }| {
                let secret = secret_of(DeviceRef { product_key: &product_key, device_name: &device_name });
                RegisteredDevice::new(product_key, device_name, secret)
            },
        )))
    }

    #[on(PackPost)]
    fn pack(&self, peer: &Peer, request: PackPostRequest) {
        for device in request.sub_devices.unwrap_or_default() {
            self.0.posted.send((format!("{} by {}", of(&device.identity), peer.identity()), None)).unwrap();
        }
    }
}

struct Model(System);

#[onwire::handlers(onwire_tests::tracker, role = Platform, rest = self.0)]
impl Model {
    #[on(PropertyPost)]
    fn post(&self, peer: &Peer, properties: Properties) {
        self.0.0.posted.send((peer.identity().to_owned(), properties.battery_level)).unwrap();
    }
}

struct Hub {
    shared: Arc<Shared>,
    router: Model,
}

impl Platform for Hub {
    type Router = Model;

    async fn login(&self, login: LoginRequest) -> Result<Admission, Refused> {
        let connect = login.connect;
        let (password, username) = (connect.password.unwrap_or_default(), connect.username.unwrap_or_default());
        let claim = Claim::parse(&connect.client_id, &username, &password).map_err(|_| Refused::Identifier)?;
        claim.verify(&secret_of(claim.device())).map_err(|_| Refused::BadCredentials)?;
        let DeviceRef { product_key, device_name } = claim.device();
        let (product_key, device_name) = (product_key.to_owned(), device_name.to_owned());
        Ok(Admission::Device { product_key, device_name, sync: SyncServices::default() })
    }

    fn router(&self) -> &Model {
        &self.router
    }

    async fn connected(&self, peer: &Peer, publisher: &Publisher) {
        if peer.identity().ends_with("&a1Meter") {
            drop(self.shared.gate.acquire().await);
        }
        self.shared.publishers.lock().unwrap().insert(peer.identity().to_owned(), publisher.clone());
    }

    async fn message(&self, peer: &Peer, publisher: &Publisher, message: Message) {
        self.shared.seen.send((peer.identity().to_owned(), message.clone())).unwrap();
        let topic = message.topic().unwrap();
        let answer = match topic {
            Topic::Ntp { .. } => ntp_response(&String::from_utf8_lossy(&message.payload), NOON, NOON).unwrap().into(),
            Topic::Raw { .. } => message.payload.iter().rev().copied().collect::<Vec<_>>(),
            _ => return,
        };
        publisher.publish(topic.answer().unwrap(), answer, QoS::AtMostOnce).await.unwrap();
    }

    async fn sub_device(&self, gateway: &Peer, login: &SubDeviceLogin) -> Result<SyncServices, SubDeviceRefused> {
        self.shared.judged.send(identity(login.device())).unwrap();
        if login.device_name.starts_with("unknown") {
            return Err(SubDeviceFault::Unknown.into());
        }
        login.verify(&secret_of(login.device())).map_err(|_| SubDeviceFault::Signature)?;
        let topology = self.shared.topology.lock().unwrap();
        match topology.get(&identity(login.device())) {
            Some(of) if of == gateway.identity() => Ok(SyncServices::default()),
            _ => Err(SubDeviceFault::NoTopology.into()),
        }
    }

    async fn stray(&self, sender: &Peer, device: DeviceRef<'_>, _: &Message) {
        self.shared.stray.send((sender.identity().to_owned(), identity(device))).unwrap();
    }
}

pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) peers: Peers,
    pub(crate) shared: Arc<Shared>,
    pub(crate) posted: mpsc::UnboundedReceiver<(String, Option<i64>)>,
    pub(crate) seen: mpsc::UnboundedReceiver<(String, Message)>,
    pub(crate) stray: mpsc::UnboundedReceiver<(String, String)>,
    pub(crate) judged: mpsc::UnboundedReceiver<String>,
}

pub(crate) async fn running() -> Running {
    running_with(|_| {}).await
}

pub(crate) async fn running_with(change: impl FnOnce(&mut ListenerConfig)) -> Running {
    let mut config = ListenerConfig::default();
    change(&mut config);
    let listener = Listener::bind("127.0.0.1:0").await.unwrap().config(config);
    let (url, peers) = (format!("mqtt://{}", listener.local_addr().unwrap()), listener.peers());
    let ((posts, posted), (messages, seen)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let ((strays, stray), (judgements, judged)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let (topology, publishers, gate) = (Mutex::default(), Mutex::default(), Semaphore::new(1));
    let shared = Arc::new(Shared {
        topology,
        posted: posts,
        seen: messages,
        stray: strays,
        judged: judgements,
        publishers,
        gate,
    });
    tokio::spawn(listener.serve(Hub { shared: Arc::clone(&shared), router: Model(System(Arc::clone(&shared))) }));
    Running { url, peers, shared, posted, seen, stray, judged }
}

impl Running {
    pub(crate) fn peer(&self, device: DeviceRef<'_>) -> Option<Peer> {
        self.peers.get(&identity(device))
    }

    /// Waits until a device is in the directory, over that gateway.
    pub(crate) async fn comes(&self, device: DeviceRef<'_>, gateway: Option<DeviceRef<'_>>) -> Peer {
        let mut events = self.peers.events();
        in_time(async {
            loop {
                let found = self.peers.find(&identity(device));
                if let Some(found) = found.filter(|found| found.gateway.as_deref() == gateway.map(identity).as_deref())
                {
                    return found.peer;
                }
                events.next().await.unwrap().unwrap();
            }
        })
        .await
    }

    pub(crate) async fn goes(&self, device: DeviceRef<'_>) {
        let mut events = self.peers.events();
        in_time(async {
            while self.peer(device).is_some() {
                events.next().await.unwrap().unwrap();
            }
        })
        .await;
    }
}
