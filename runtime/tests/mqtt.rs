//! A client and a server of MQTT 3.1.1 against each other in memory, and against bytes of nobody.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Duration;

use onwire::Instant;
use onwire::mqtt::{Client, Connect, Fault, Limits, Link, NotPublished, Packet, QoS, Refused, Role, Server};

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Hands over what one side has to send, byte by byte.
fn pass<A: Role, B: Role>(from: &mut Link<A>, to: &mut Link<B>, now: Instant) -> Vec<Packet> {
    for byte in from.poll_transmit().unwrap_or_default() {
        to.receive(&[byte], now).unwrap();
    }
    std::iter::from_fn(|| to.poll_packet()).collect()
}

fn connect() -> Connect {
    let mut connect = Connect::new("SN1|securemode=3|");
    connect.username = Some("SN1&a1".into());
    connect.password = Some(b"f00d".to_vec());
    connect.keep_alive = Duration::from_secs(60);
    connect
}

fn connected() -> (Link<Client>, Link<Server>) {
    let (mut client, mut server) = (Link::client(Limits::default()), Link::server(Limits::default(), at(0)));
    client.connect(&connect(), at(0)).unwrap();
    assert_eq!(pass(&mut client, &mut server, at(0)), [Packet::Connect(Box::new(connect()))]);
    server.accept(at(0));
    assert_eq!(pass(&mut server, &mut client, at(0)), [Packet::Accepted { session_present: false }]);
    (client, server)
}

#[test]
fn messages_pass_and_are_acknowledged() {
    let (mut client, mut server) = connected();
    let id = client.publish("/sys/a1/SN1/up", b"{}", QoS::AtLeastOnce, at(1)).unwrap();
    client.publish("/sys/a1/SN1/once", b"", QoS::AtMostOnce, at(1)).unwrap();
    let message = |topic: &str, payload: &[u8], id| Packet::Message {
        topic: topic.into(),
        payload: payload.into(),
        id,
        is_duplicate: false,
        is_retained: false,
    };
    assert_eq!(
        pass(&mut client, &mut server, at(1)),
        [message("/sys/a1/SN1/up", b"{}", id), message("/sys/a1/SN1/once", b"", None)]
    );
    assert_eq!(pass(&mut server, &mut client, at(1)), [], "nobody has handled it");
    server.acknowledge(id.unwrap());
    assert_eq!(pass(&mut server, &mut client, at(1)), [Packet::Acknowledged { id: id.unwrap() }]);
    server.publish("/down", b"x", QoS::AtMostOnce, at(1)).unwrap();
    assert_eq!(pass(&mut server, &mut client, at(1)), [message("/down", b"x", None)]);
}

#[test]
fn acknowledgements_leave_in_the_order_of_the_messages() {
    let (mut client, mut server) = connected();
    let ids = [(); 3].map(|()| client.publish("a", b"", QoS::AtLeastOnce, at(1)).unwrap().unwrap());
    pass(&mut client, &mut server, at(1));
    server.acknowledge(ids[2]);
    server.acknowledge(ids[1]);
    server.acknowledge(9999);
    assert_eq!((server.poll_transmit(), server.unacknowledged()), (None, 3), "the first one is not done with");
    server.acknowledge(ids[0]);
    let acknowledged = ids.map(|id| Packet::Acknowledged { id });
    assert_eq!(pass(&mut server, &mut client, at(1)), acknowledged);
    assert_eq!(server.unacknowledged(), 0);
}

#[test]
fn a_message_that_comes_again_says_so_and_is_acknowledged_for_itself() {
    let (_, mut server) = connected();
    for first in [0x32, 0x3a] {
        server.receive(&[first, 7, 0, 1, b'a', 0, 9, b'x', b'y'], at(1)).unwrap();
        let Some(Packet::Message { id, is_duplicate, .. }) = server.poll_packet() else { panic!("a message") };
        assert_eq!((id, is_duplicate), (Some(9), first == 0x3a));
    }
    server.acknowledge(9);
    server.acknowledge(9);
    assert_eq!(server.poll_transmit().unwrap(), [0x40, 2, 0, 9, 0x40, 2, 0, 9]);
}

#[test]
fn a_client_sees_that_a_broker_has_kept_a_message_and_a_server_is_only_asked_to() {
    let (mut client, mut server) = connected();
    let message = [0x31, 3, 0, 1, b'a'];
    client.receive(&message, at(1)).unwrap();
    server.receive(&message, at(1)).unwrap();
    assert!(matches!(client.poll_packet(), Some(Packet::Message { is_retained: true, .. })));
    assert!(matches!(server.poll_packet(), Some(Packet::Message { is_retained: false, .. })));
}

#[test]
fn after_a_goodbye_nothing_is_acknowledged() {
    let (mut client, mut server) = connected();
    let id = client.publish("a", b"", QoS::AtLeastOnce, at(1)).unwrap().unwrap();
    client.disconnect();
    pass(&mut client, &mut server, at(1));
    server.acknowledge(id);
    assert_eq!((server.poll_transmit(), server.unacknowledged()), (None, 0));
}

#[test]
fn subscriptions_are_granted_one_by_one() {
    let (mut client, mut server) = connected();
    let id = client.subscribe(&[("/sys/a1/SN1/#", QoS::AtLeastOnce), ("/others/#", QoS::AtMostOnce)], at(1)).unwrap();
    let filters = vec![("/sys/a1/SN1/#".into(), QoS::AtLeastOnce), ("/others/#".into(), QoS::AtMostOnce)];
    assert_eq!(pass(&mut client, &mut server, at(1)), [Packet::Subscribe { id, filters }]);
    server.subscribed(id, &[Some(QoS::AtLeastOnce), None]);
    let granted = vec![Some(QoS::AtLeastOnce), None];
    assert_eq!(pass(&mut server, &mut client, at(1)), [Packet::Subscribed { id, granted }]);
}

#[test]
fn whoever_is_refused_is_told_why() {
    let (mut client, mut server) = (Link::client(Limits::default()), Link::server(Limits::default(), at(0)));
    client.connect(&connect(), at(0)).unwrap();
    pass(&mut client, &mut server, at(0));
    server.refuse(Refused::BadCredentials);
    assert_eq!(pass(&mut server, &mut client, at(0)), [Packet::Refused(Refused::BadCredentials)]);
    assert_eq!(client.publish("a", b"", QoS::AtMostOnce, at(0)), Err(NotPublished::NotConnected));
}

#[test]
fn what_waits_for_acknowledgement_is_bounded() {
    let (mut client, mut server) =
        (Link::client(limits(|limits| limits.in_flight = 2)), Link::server(Limits::default(), at(0)));
    client.connect(&connect(), at(0)).unwrap();
    pass(&mut client, &mut server, at(0));
    server.accept(at(0));
    pass(&mut server, &mut client, at(0));
    for _ in 0..2 {
        client.publish("a", b"", QoS::AtLeastOnce, at(1)).unwrap();
    }
    assert_eq!(client.publish("a", b"", QoS::AtLeastOnce, at(1)), Err(NotPublished::InFlight));
    for packet in pass(&mut client, &mut server, at(1)) {
        let Packet::Message { id: Some(id), .. } = packet else { panic!("{packet:?}") };
        server.acknowledge(id);
    }
    pass(&mut server, &mut client, at(1));
    assert!(client.publish("a", b"", QoS::AtLeastOnce, at(1)).is_ok());
    for topic in ["", "a/+", "#"] {
        assert_eq!(client.publish(topic, b"", QoS::AtMostOnce, at(1)), Err(NotPublished::Topic));
    }
}

#[test]
fn silence_is_found_out_on_both_sides() {
    let (mut client, mut server) = connected();
    let ping = client.poll_deadline().unwrap();
    assert!(ping <= at(60), "{ping:?}");
    client.handle_timeout(ping).unwrap();
    assert_eq!(pass(&mut client, &mut server, ping), [Packet::Ping]);
    let patience = client.poll_deadline().unwrap();
    assert_eq!(client.handle_timeout(patience), Err(Fault::Silent), "no answer to the ping");
    assert_eq!(server.poll_deadline(), Some(ping + Duration::from_secs(90)), "one and a half keep-alives");
    assert_eq!(server.handle_timeout(ping + Duration::from_secs(90)), Err(Fault::Silent));

    let mut nobody = Link::server(Limits::default(), at(0));
    assert_eq!(nobody.handle_timeout(at(29)), Ok(()));
    assert_eq!(nobody.handle_timeout(at(30)), Err(Fault::Silent), "a client that never says who it is");
}

#[test]
fn a_client_that_does_not_wait_is_heard_once_it_is_let_in() {
    let (mut client, _) = connected();
    client.publish("a", b"1", QoS::AtLeastOnce, at(0)).unwrap();
    let early = client.poll_transmit().unwrap();
    let mut client = Link::client(Limits::default());
    client.connect(&connect(), at(0)).unwrap();
    let mut hasty = client.poll_transmit().unwrap();
    hasty.extend(&early);
    let mut server = Link::server(limits(|limits| limits.max_packet = 200), at(0));
    server.receive(&hasty, at(0)).unwrap();
    server.receive(&early, at(0)).unwrap();
    assert!(matches!(server.poll_packet(), Some(Packet::Connect(_))));
    assert_eq!(server.poll_packet(), None);
    server.accept(at(0));
    let message = Packet::Message {
        topic: "a".into(),
        payload: b"1".into(),
        id: Some(1),
        is_duplicate: false,
        is_retained: false,
    };
    assert_eq!([server.poll_packet(), server.poll_packet()], [Some(message.clone()), Some(message)]);
    let mut chatty = Link::server(limits(|limits| limits.max_packet = 200), at(0));
    chatty.receive(&hasty, at(0)).unwrap();
    assert_eq!(chatty.receive(&[0; 200], at(0)), Err(Fault::TooLarge));
}

#[test]
fn a_message_of_quality_2_is_taken_once() {
    let (_, mut server) = connected();
    let message = [0x34, 7, 0, 1, b'a', 0, 9, b'x', b'y'];
    server.receive(&message, at(1)).unwrap();
    server.receive(&message, at(1)).unwrap();
    assert!(matches!(server.poll_packet(), Some(Packet::Message { .. })));
    assert_eq!(server.poll_packet(), None);
    assert_eq!(server.poll_transmit(), None, "nobody has handled it");
    server.acknowledge(9);
    server.receive(&message, at(1)).unwrap();
    assert_eq!(server.poll_packet(), None, "its PUBREC was lost");
    server.receive(&[0x62, 2, 0, 9], at(1)).unwrap();
    assert_eq!(server.poll_transmit().unwrap(), [0x50, 2, 0, 9, 0x50, 2, 0, 9, 0x70, 2, 0, 9]);
    server.receive(&message, at(1)).unwrap();
    assert!(server.poll_packet().is_some(), "another message with that number");
}

#[test]
fn a_goodbye_is_no_fault() {
    let (mut client, mut server) = connected();
    client.disconnect();
    assert_eq!(pass(&mut client, &mut server, at(1)), [Packet::Disconnect]);
    assert_eq!(server.ended(), None);
}

#[test]
fn what_is_no_mqtt_ends_the_connection() {
    let server = || Link::server(limits(|limits| limits.max_packet = 1024), at(0));
    assert_eq!(server().receive(b"GET", at(0)), Err(Fault::Malformed), "the rest is not waited for");
    assert_eq!(server().receive(&[0x10, 0xff, 0xff, 0xff, 0xff, 0xff], at(0)), Err(Fault::Malformed));
    let vast = |first| [first, 0xff, 0xff, 0xff, 0x7f];
    assert_eq!(server().receive(&vast(0x10), at(0)), Err(Fault::TooLarge), "no room is made for it");
    assert_eq!(connected().1.receive(&vast(0x30), at(0)), Err(Fault::TooLarge));
    assert_eq!(server().receive(&[0xc0, 0], at(0)), Err(Fault::Protocol), "a ping of a stranger");
    let mut version_5 = server();
    let connect = [0x10, 0x0f, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 2, b'i', b'd'];
    assert_eq!(version_5.receive(&connect, at(0)), Err(Fault::Version));
    assert_eq!(version_5.poll_transmit().unwrap()[..2], [0x20, 2], "it is told so");
}

/// Chance that is the same each time.
fn chance() -> impl FnMut() -> u64 {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    }
}

#[test]
fn another_implementation_writes_and_reads_the_same() {
    use mqtt_protocol_core::mqtt::packet::{Qos, SubEntry, SubOpts, v3_1_1};

    let mut random = chance();
    let mut text = |most: u64| -> String {
        (0..random() % most).map(|_| ['a', '/', 'é', '充'][(random() % 4) as usize]).collect()
    };
    for round in 0..500_u64 {
        let (mut client, mut server) = (Link::client(Limits::default()), Link::server(Limits::default(), at(0)));
        let mut connect = Connect::new(text(200));
        connect.clean_session = round % 2 == 0;
        connect.keep_alive = Duration::from_secs(round * 7);
        connect.username = (round % 3 > 0).then(|| text(300));
        connect.password = (round % 3 > 1).then(|| text(300).into_bytes());
        let mut theirs = v3_1_1::Connect::builder().client_id(connect.client_id.as_str()).unwrap();
        theirs = theirs.clean_session(connect.clean_session).keep_alive((round * 7) as u16);
        if let Some(username) = &connect.username {
            theirs = theirs.user_name(username.as_str()).unwrap();
        }
        if let Some(password) = &connect.password {
            theirs = theirs.password(password.clone()).unwrap();
        }
        let theirs = theirs.build().unwrap().to_continuous_buffer();
        client.connect(&connect, at(0)).unwrap();
        assert_eq!(client.poll_transmit().unwrap(), theirs);
        server.receive(&theirs, at(0)).unwrap();
        assert_eq!(server.poll_packet(), Some(Packet::Connect(Box::new(connect))));
        server.accept(at(0));
        pass(&mut server, &mut client, at(0));

        let (topic, payload) = (format!("t{}", text(300)), text(40_000).into_bytes());
        let theirs = v3_1_1::Publish::builder().topic_name(topic.as_str()).unwrap().payload(payload.clone());
        let theirs = theirs.qos(Qos::AtLeastOnce).packet_id(1_u16).build().unwrap().to_continuous_buffer();
        client.publish(&topic, &payload, QoS::AtLeastOnce, at(0)).unwrap();
        assert_eq!(client.poll_transmit().unwrap(), theirs);
        server.receive(&theirs, at(0)).unwrap();
        let (is_duplicate, is_retained) = (false, false);
        let received = Packet::Message { topic, payload, id: Some(1), is_duplicate, is_retained };
        assert_eq!(server.poll_packet(), Some(received));

        let filters: Vec<String> = (0..=round % 5).map(|_| format!("f{}", text(60))).collect();
        let ours: Vec<_> = filters.iter().map(|filter| (filter.as_str(), QoS::AtLeastOnce)).collect();
        let id = client.subscribe(&ours, at(0)).unwrap();
        let entry = |filter: &String| SubEntry::new(filter.as_str(), SubOpts::new().set_qos(Qos::AtLeastOnce)).unwrap();
        let entries: Vec<_> = filters.iter().map(entry).collect();
        let theirs =
            v3_1_1::Subscribe::builder().packet_id(id).entries(entries).build().unwrap().to_continuous_buffer();
        assert_eq!(client.poll_transmit().unwrap(), theirs);
        server.receive(&theirs, at(0)).unwrap();
        let filters = filters.into_iter().map(|filter| (filter, QoS::AtLeastOnce)).collect();
        assert_eq!(server.poll_packet(), Some(Packet::Subscribe { id, filters }));
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut random = chance();
    for _ in 0..2_000 {
        let (mut client, mut server) = connected();
        for _ in 0..8 {
            let kind = (random() % 16) as u8;
            let length = (random() % 24) as u8;
            let mut bytes = vec![kind << 4 | (random() % 16) as u8, length];
            bytes.extend((0..length).map(|_| (random() % 5) as u8));
            let _ = (client.receive(&bytes, at(1)), server.receive(&bytes, at(1)));
        }
    }
}
