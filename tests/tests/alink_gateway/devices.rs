//! Gateways and meters as a user writes them.

use super::*;

pub(crate) struct Hall;

#[onwire::handlers(onwire::alink::system, role = Device)]
impl Hall {
    #[on(ConfigPush)]
    fn push(&self, _: ConfigPushRequest) {}
}

/// A meter that says where it is by its own number.
struct Meter {
    number: i64,
    told: mpsc::UnboundedSender<(i64, &'static str)>,
    /// Nothing is located while it holds nothing.
    may: Arc<Semaphore>,
}

#[onwire::handlers(onwire_tests::tracker, role = Device, rest = MeterSystem(&self.told, self.number))]
impl Meter {
    #[on(Locate)]
    async fn locate(&self) -> LocateResponse {
        drop(self.may.acquire().await);
        LocateResponse::new(true, self.number, 0)
    }
}

struct MeterSystem<'a>(&'a mpsc::UnboundedSender<(i64, &'static str)>, i64);

#[onwire::handlers(onwire::alink::system, role = Device)]
impl MeterSystem<'_> {
    #[on(Disable)]
    fn disable(&self) {
        self.0.send((self.1, "disabled")).unwrap();
    }
}

pub(crate) fn hall(running: &Running, device: DeviceRef<'_>) -> DeviceBuilder {
    let login = Device::with_secret(&running.url, device, &secret_of(device), LoginOptions::default()).unwrap();
    login.back_off(at_once())
}

pub(crate) fn at_once() -> BackOff {
    BackOff::new(Duration::from_millis(1), Duration::from_millis(10))
}

pub(crate) fn start(builder: DeviceBuilder) -> (Link, Messages, Gateway) {
    let device = builder.build(Hall).unwrap();
    let handles = (device.link(), device.messages(), device.gateway());
    tokio::spawn(device.run());
    handles
}

pub(crate) fn described(gateway: &Gateway, device: DeviceRef<'_>) -> DeviceBuilder<ThroughGateway> {
    gateway.sub_device(device, &secret_of(device)).back_off(at_once())
}

pub(crate) struct RunningMeter {
    pub(crate) link: Link,
    pub(crate) messages: Messages,
    pub(crate) told: mpsc::UnboundedReceiver<(i64, &'static str)>,
    pub(crate) may: Arc<Semaphore>,
    pub(crate) ended: tokio::task::JoinHandle<()>,
}

pub(crate) fn run(builder: DeviceBuilder<ThroughGateway>, number: i64) -> RunningMeter {
    let (sender, told) = mpsc::unbounded_channel();
    let may = Arc::new(Semaphore::new(1));
    let meter: SubDevice<Meter> = builder.build(Meter { number, told: sender, may: Arc::clone(&may) });
    let (link, messages) = (meter.link(), meter.messages());
    RunningMeter { link, messages, told, may, ended: tokio::spawn(meter.run()) }
}

pub(crate) fn level(number: i64) -> impl onwire::Request<Response = PropertyPostResponse> + Clone {
    Properties { battery_level: Some(number), ..Properties::default() }.at(NOON)
}

/// Why it waits.
pub(crate) async fn setback(link: &Link) -> Setback {
    let mut states = link.states();
    let state = in_time(states.wait_for(|state| matches!(state, LinkState::Waiting { .. }))).await.unwrap().clone();
    let LinkState::Waiting { why, .. } = state else { unreachable!() };
    why
}

pub(crate) fn fault(setback: &Setback) -> SubDeviceFault {
    match setback {
        Setback::NotOpened(error) => match &**error {
            ConnectError::SubDevice(refused) => refused.fault,
            other => panic!("{other}"),
        },
        Setback::Ended(Some(ended)) => match &**ended {
            Disconnected::SubDevice(refused) => refused.fault,
            other => panic!("{other}"),
        },
        other => panic!("{other}"),
    }
}
