//! Packets of MQTT, at both sides of a connection.

use std::time::Duration;

use onwire::Instant;
use onwire::mqtt::{Client, Connect, Fault, Limits, Link, Packet, QoS, Refused, Role, Server};

const NOW: Instant = Instant::from_millis(0);

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_packet = 512;
    limits.in_flight = 4;
    limits
}

/// What has been seen of a connection.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    packets: Vec<Packet>,
    sent: Vec<u8>,
    ended: Option<Fault>,
}

/// Plays a connection to its end, its bytes in parts of that size.
fn play<R: Role>(mut link: Link<R>, bytes: &[u8], size: usize, react: React<R>) -> Seen {
    let mut seen = Seen::default();
    for part in bytes.chunks(size) {
        let result = link.receive(part, NOW);
        assert_eq!(result.err(), link.ended(), "what is said has happened");
        while let Some(packet) = link.poll_packet() {
            react(&mut link, &packet);
            seen.packets.push(packet);
        }
        seen.sent.extend(link.poll_transmit().unwrap_or_default());
        assert!(link.poll_transmit().is_none() && link.waiting() == 0);
    }
    seen.ended = link.ended();
    // However it stands, time passes for it.
    while let Some(deadline) = link.poll_deadline() {
        let result = link.handle_timeout(deadline);
        assert_eq!(result.err(), link.ended());
        link.poll_transmit();
    }
    seen
}

type React<R> = fn(&mut Link<R>, &Packet);

/// Bytes mean the same in whatever parts they come. What is answered to them must not change that, so that only who `admits`
/// is heard for it; who `speaks` as well only must not make anything break.
fn in_any_parts<R: Role>(data: &[u8], link: impl Fn() -> Link<R>, admits: React<R>, speaks: React<R>) {
    let Some((size, bytes)) = data.split_first() else { return };
    let (one_by_one, parts) = (play(link(), bytes, 1, admits), play(link(), bytes, usize::from(*size).max(1), admits));
    assert!(parts.packets.len() <= bytes.len() / 2, "a packet takes two bytes at least");
    // What a client says before it is let in has a limit, and comes later.
    if parts.ended.is_none() && one_by_one.ended.is_none() {
        assert_eq!(parts.packets, one_by_one.packets);
    }
    play(link(), bytes, usize::from(*size).max(1), speaks);
    play(link(), bytes, usize::MAX, |_, _| ());
}

/// What a broker says.
pub fn mqtt_client(data: &[u8]) {
    let link = || {
        let mut link = Link::<Client>::client(limits());
        let mut connect = Connect::new("c");
        connect.keep_alive = Duration::from_secs(60);
        link.connect(&connect, NOW).unwrap();
        link
    };
    let speaks: React<Client> = |link, _| {
        let _ = link.subscribe(&[("a/#", QoS::AtLeastOnce)], NOW);
        let _ = link.publish("a/b", b"x", QoS::AtLeastOnce, NOW);
    };
    in_any_parts(data, link, |_, _| (), speaks);
}

/// What a device says.
pub fn mqtt_server(data: &[u8]) {
    let admits: React<Server> = |link, packet| match packet {
        Packet::Connect(connect) if connect.client_id.is_empty() => link.refuse(Refused::Identifier),
        Packet::Connect(_) => link.accept(NOW),
        Packet::Subscribe { id, filters } => {
            let granted: Vec<_> = filters.iter().map(|(filter, qos)| (!filter.is_empty()).then_some(*qos)).collect();
            link.subscribed(*id, &granted);
        }
        _ => {}
    };
    let speaks: React<Server> = |link, packet| match packet {
        Packet::Connect(_) => link.accept(NOW),
        Packet::Message { topic, payload, id, .. } => {
            id.iter().for_each(|id| link.acknowledge(*id));
            let _ = link.publish(topic, payload, QoS::AtLeastOnce, NOW);
        }
        _ => link.subscribed(1, &[Some(QoS::AtMostOnce), None]),
    };
    in_any_parts(data, || Link::<Server>::server(limits(), NOW), admits, speaks);
}

/// Each of them after a byte for the size of parts.
fn seeds(openings: &[&[u8]], others: &[&[u8]]) -> Vec<Vec<u8>> {
    let opening = openings.first().copied().unwrap_or_default();
    let all = [&[opening], others].concat().concat();
    let alone = openings.iter().map(|bytes| bytes.to_vec()).chain(others.iter().map(|other| [opening, other].concat()));
    alone.chain([all]).map(|bytes| [&[7][..], &bytes].concat()).collect()
}

pub(crate) fn client_seeds() -> Vec<Vec<u8>> {
    seeds(
        &[b"\x20\x02\x00\x00", b"\x20\x02\x00\x05"],
        &[
            b"\x30\x05\x00\x01ahi",
            b"\x32\x06\x00\x01a\x00\x01h",
            b"\x34\x06\x00\x01a\x00\x02h\x62\x02\x00\x02",
            b"\x40\x02\x00\x02",
            b"\x90\x03\x00\x01\x01",
            b"\xb0\x02\x00\x01",
            b"\xd0\x00",
        ],
    )
}

pub(crate) fn server_seeds() -> Vec<Vec<u8>> {
    seeds(
        &[
            b"\x10\x13\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01c\x00\x01u\x00\x01p",
            b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c",
            b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01c",
            b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x01c",
        ],
        &[
            b"\x30\x05\x00\x01ahi",
            b"\x32\x06\x00\x01a\x00\x01h",
            b"\x34\x06\x00\x01a\x00\x02h\x62\x02\x00\x02",
            b"\x82\x0b\x00\x01\x00\x01a\x00\x00\x02b/\x01",
            b"\xa2\x05\x00\x02\x00\x01a",
            b"\xc0\x00",
            b"\xe0\x00",
        ],
    )
}
