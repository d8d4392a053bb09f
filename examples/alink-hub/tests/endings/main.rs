//! Connections end in every way behind messages, and the program is asked to end, or killed, under load: what it received
//! whole, and what it acknowledged, is there afterwards, once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod device;
#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use sqlx::Connection as _;
use tempfile::TempDir;

use self::device::{Chance, Device, Ending};
use self::support::{Hub, look_into};

const DEVICES: usize = 12;

/// How often a test repeats itself: `CRASH_ROUNDS`, or so often.
fn rounds(unless_told: u32) -> u32 {
    std::env::var("CRASH_ROUNDS").map_or(unless_told, |rounds| rounds.parse().expect("a number"))
}

async fn devices(hub: &Hub) -> Vec<Device> {
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        let name = format!("SN{number}");
        let secret = hub.add(&name).await;
        devices.push(Device::new(name, secret));
    }
    devices
}

/// Fails if the database lacks what it has to have, or has anything more than once.
async fn all_there_once(data: &TempDir, devices: &[Device]) {
    let mut db = look_into(data.path()).await;
    let sql = "SELECT d.device_name, h.identifier, h.data, COUNT(*) FROM history h JOIN devices d ON d.id = h.device_id
        WHERE h.kind = 'property' GROUP BY d.device_name, h.identifier, h.data";
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    let twice: Vec<_> = rows.iter().filter(|row| row.3 > 1).collect();
    assert!(twice.is_empty(), "{} values more than once: {:?}", twice.len(), twice.iter().take(3));
    let mut there = HashMap::new();
    for (device, identifier, data, _) in rows {
        let number: f64 = data.parse().unwrap();
        there.entry(device).or_insert_with(Vec::new).push((identifier, number.round()));
    }
    let (mut said, mut promised) = (0, 0);
    for device in devices {
        let kept = there.remove(&device.name).unwrap_or_default();
        said += device.said.len();
        let missing: Vec<_> = device.said.iter().filter(|said| said.is_promised).collect();
        promised += missing.len();
        let missing: Vec<_> = missing
            .into_iter()
            .filter(|said| {
                !kept.iter().any(|(name, number)| name == said.identifier() && *number == f64::from(said.number))
            })
            .collect();
        assert!(missing.is_empty(), "{} lacks {} of {promised}: {missing:?}", device.name, missing.len());
        assert!(kept.len() <= device.said.len(), "{} values of {}", kept.len(), device.said.len());
    }
    println!("{said} values said, {promised} of them acknowledged or received whole, all there, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn however_connections_end_what_was_received_is_there_once() {
    let hub = Hub::start(&[]).await;
    let mut devices = devices(&hub).await;
    let mut chance = Chance::new();
    let mut ended = [0; Ending::ALL.len()];
    for _ in 0..rounds(10) {
        let bursts = devices.iter_mut().map(|device| {
            let kind = chance.one_of(Ending::ALL.len());
            ended[kind] += 1;
            device.burst(&hub.mqtt, Ending::ALL[kind], Chance::from(chance.any()))
        });
        join_all(bursts).await;
    }
    let data = hub.end().await;
    all_there_once(&data, &devices).await;
    println!("endings {:?}", Ending::ALL.iter().zip(ended).collect::<Vec<_>>());
}

/// Every device says one thing after another until the program is gone.
async fn ended_under_load(kills: bool, rounds: u32) {
    let mut hub = Hub::start(&[]).await;
    let mut devices = devices(&hub).await;
    let mut chance = Chance::new();
    for _ in 0..rounds {
        let address = hub.mqtt.clone();
        let pause = Duration::from_micros(chance.below(300_000));
        let end = async {
            // No event of the program's, but anywhere in its work.
            tokio::time::sleep(pause).await;
            if kills {
                hub.crash().await;
            } else {
                hub.ask_to_end().await;
                hub.ended().await;
            }
        };
        join(end, join_all(devices.iter_mut().map(|device| device.say_on(&address)))).await;
        hub.start_again(&[]).await;
    }
    join_all(devices.iter_mut().map(|device| device.say_again(&hub.mqtt))).await;
    let data = hub.end().await;
    all_there_once(&data, &devices).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_again_and_again_under_load_it_has_what_it_acknowledged() {
    ended_under_load(false, rounds(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load_it_has_what_it_acknowledged() {
    ended_under_load(true, rounds(3)).await;
}
