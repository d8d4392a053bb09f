//! Golden traces: the bytes, topics and order of messages that the library sends today. They keep changes to the inside from
//! changing the wire unnoticed.
//!
//! The files are `tests/golden/*.trace`, one event per line:
//!
//! | line | meaning |
//! |---|---|
//! | `> ..` | the peer sends this |
//! | `>> ..` | the same, in one write with the next `>` |
//! | `! ..` | the user of the library does this, for example a call |
//! | `@ ..` | the clock shows this many milliseconds (session traces only) |
//! | `< ..` | the library sends this |
//! | `= ..` | a handler or caller receives this |
//! | `# ..` | a comment; `#: ..` is a setting of the trace |
//!
//! A test feeds the input lines (`>`, `!`, `@`) and compares the output with the `<` and `=` lines that follow them, in order.
//! Packets and WebSocket frames are written readably. The readable form is lossless: the test encodes it again and compares
//! the bytes, and shows a packet as `BYTES` in hexadecimal if they differ.
//!
//! Random values and wall-clock times are replaced by names: `$1`, `$2` and so on are the library's own message ids in order
//! of appearance, and JSON members listed by `#: volatile` are replaced by `$` and their name.
//!
//! # Settings
//! - `#: volatile NAME..`: JSON members whose values differ from run to run.
//! - `#: by kind`: the packets of one step are compared per kind of packet, not in their overall order. The traces with QoS 1
//!   use it: MQTT does not define whether a PUBACK precedes the answer to the message, and a platform may hold it back until
//!   the message is stored. The traces with QoS 0 have no acknowledgements and fix the order.
//!
//! # Recording
//! `GOLDEN=record cargo test -p onwire-tests --test golden` rewrites the `<` and `=` lines and keeps all others. Record only
//! after an intended change of the wire, review the diff, and name the change in the commit message. The tests refuse to
//! record if `CI` is set.

mod bytes;
mod device;
mod mqtt;
mod ocpp;
mod platform;
mod trace;
mod websocket;

use onwire::mqtt::QoS;

use self::device::DeviceWorld;
use self::ocpp::SessionWorld;
use self::platform::PlatformWorld;
use self::trace::replay;
use self::websocket::WebSocketWorld;

#[tokio::test]
async fn ocpp_1_6_at_the_central_system() {
    replay("ocpp16-central-system", SessionWorld::central_system()).await;
}

#[tokio::test]
async fn ocpp_1_6_at_the_charge_point() {
    replay("ocpp16-charge-point", SessionWorld::charge_point()).await;
}

#[tokio::test]
async fn messages_that_are_never_answered_at_their_source() {
    replay("ocpp21-source", SessionWorld::source()).await;
}

#[tokio::test]
async fn messages_that_are_never_answered_at_their_sink() {
    replay("ocpp21-sink", SessionWorld::sink()).await;
}

#[tokio::test]
async fn ocpp_1_6_over_a_websocket() {
    replay("ocpp16-websocket", WebSocketWorld::new().await).await;
}

#[tokio::test]
async fn a_charge_point_of_others_over_a_websocket() {
    replay("ocpp16-websocket-pypi-ocpp", WebSocketWorld::new().await).await;
}

#[tokio::test]
async fn alink_at_the_platform() {
    replay("alink-platform", PlatformWorld::trackers(QoS::AtMostOnce).await).await;
}

#[tokio::test]
async fn alink_at_the_platform_with_acknowledgements() {
    replay("alink-platform-qos1", PlatformWorld::trackers(QoS::AtLeastOnce).await).await;
}

#[tokio::test]
async fn alink_at_the_platform_of_a_gateway() {
    replay("alink-platform-gateway", PlatformWorld::trackers(QoS::AtMostOnce).await).await;
}

#[tokio::test]
async fn a_device_of_others_at_the_platform() {
    replay("alink-platform-aliyun-sdk", PlatformWorld::sockets().await).await;
}

#[tokio::test]
async fn alink_at_the_device() {
    replay("alink-device", DeviceWorld::tracker(QoS::AtMostOnce).await).await;
}

#[tokio::test]
async fn alink_at_the_device_with_acknowledgements() {
    replay("alink-device-qos1", DeviceWorld::tracker(QoS::AtLeastOnce).await).await;
}

#[tokio::test]
async fn alink_at_the_gateway() {
    replay("alink-device-gateway", DeviceWorld::gateway().await).await;
}
