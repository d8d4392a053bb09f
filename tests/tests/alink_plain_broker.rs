//! A device behind a broker that knows nothing of Alink (mosquitto), and a program in Python that checks each topic and payload.
//!
//! `cargo xtask test` installs both and runs this.

use onwire::alink::{DeviceRef, ShadowRefused};
use onwire::mqtt::{Connect, QoS};
use onwire::net::alink::{Device, Message, RequestFailure};
use onwire::types::{DateTime, RawJson};
use onwire_tests::broker::Broker;
use onwire_tests::program::Program;
use onwire_tests::tracker::*;

const DEVICE: DeviceRef<'_> = DeviceRef { product_key: "a1X", device_name: "SN1" };
const NOON: DateTime = DateTime::from_unix_millis(1_700_000_000_000);

struct Tracker;

#[onwire::handlers(onwire_tests::tracker, role = Device)]
impl Tracker {
    #[on(PropertySet)]
    fn set(&self, wanted: Properties) {
        assert_eq!(wanted, Properties { report_interval: Some(60), ..Properties::default() });
    }

    #[on(SetPowerLevel)]
    fn power_level(&self, request: SetPowerLevelRequest) -> SetPowerLevelResponse {
        SetPowerLevelResponse::new(request.power_level == PowerLevel::High)
    }
}

#[tokio::test]
async fn each_message_is_where_and_what_it_should_be() {
    let broker = Broker::start().await;
    let mut platform =
        Program::python("alink_platform.py", &[&broker.port.to_string(), DEVICE.product_key, DEVICE.device_name]);
    platform.expect("listening").await;

    let builder = Device::builder(&broker.url(), DEVICE, || Connect::new("device")).subscribing();
    let (messages, of_shadow) = (builder.messages(), builder.messages());
    let tell = move |messages: onwire::net::alink::Messages, what: Vec<u8>| async move {
        messages.publish("/a1X/SN1/user/told", what, QoS::AtMostOnce).await.unwrap();
    };
    let device = builder
        .on_rrpc("/a1X/SN1/user/door", |request: Message| async move { [b"door ", &*request.payload].concat() })
        .on_system_rrpc(|request: Message| async move { request.payload.iter().rev().copied().collect::<Vec<_>>() })
        .on_raw(|bytes| async move { [bytes, vec![0xff]].concat() })
        .on_shadow(move |wanted| tell(of_shadow.clone(), wanted.desired.unwrap().as_str().into()))
        .on_topic("/a1X/SN1/user/tariff/+", QoS::AtLeastOnce, move |message| tell(messages.clone(), message.payload))
        .build(Tracker)
        .unwrap();
    let (link, messages) = (device.link(), device.messages());
    tokio::spawn(device.run());

    let properties = Properties { battery_level: Some(80), ..Properties::default() };
    assert_eq!(link.call(properties.at(NOON)).await, Ok(PropertyPostResponse::new()));
    assert_eq!(link.call(BatteryLowOutput::new(7).at(NOON)).await, Ok(BatteryLowResponse::new()));
    assert!(messages.clock().await.unwrap().now() >= NOON);
    let Err(RequestFailure::Refused(why)) = messages.shadow().get().await else { panic!("there is none") };
    assert_eq!(why.code, ShadowRefused::EMPTY);
    messages.shadow().report(&RawJson::new(r#"{"Power":1}"#).unwrap()).await.unwrap();
    assert_eq!(messages.send_raw([1, 0xff]).await, Ok(vec![0xff, 1]));
    for asked in [
        "/sys/a1X/SN1/thing/event/property/post",
        "/sys/a1X/SN1/thing/event/BatteryLow/post",
        "/ext/ntp/a1X/SN1/request",
        "/shadow/update/a1X/SN1",
        // The version is asked for, as it is not known.
        "/shadow/update/a1X/SN1",
        "/shadow/update/a1X/SN1",
        "/sys/a1X/SN1/thing/model/up_raw",
    ] {
        assert_eq!(platform.expect("asked").await["topic"], asked);
    }
    messages.publish("/a1X/SN1/user/update", "ready", QoS::AtLeastOnce).await.unwrap();
    for _ in 0..11 {
        platform.expect("answered").await;
    }
    platform.expect("done").await;
    platform.succeeds().await;
    link.stop();
}
