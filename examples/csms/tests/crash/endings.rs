//! Connections end in every way behind messages that nobody has answered yet, and the program is asked to end under load:
//! what it received whole is there afterwards, once.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use tokio::sync::Notify;

use crate::field::{ALONE, Chance, Field, rounds};
use crate::point::Ending;
use crate::records::{all_there, lost_values, none_doubled, values_once};
use crate::support::Csms;

#[tokio::test(flavor = "multi_thread")]
async fn however_connections_end_what_was_received_is_there_once() {
    let _alone = ALONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let csms = Csms::start_in(data.path(), &[]).await;
    let mut chance = Chance::new();
    let mut field = Field::new();
    let mut ended = [0; Ending::ALL.len()];
    for _ in 0..rounds(10) {
        let endings = field.points.iter_mut().map(|point| {
            let kind = chance.one_of(Ending::ALL.len());
            ended[kind] += 1;
            point.leave(&csms.url, Ending::ALL[kind])
        });
        join_all(endings).await;
    }
    field.complete(&csms.url).await;
    csms.stop().await;
    all_there(data.path(), &field, "in the end").await;
    none_doubled(data.path(), &field).await;
    values_once(data.path(), &field).await;
    let transactions: usize = field.points.iter().map(|point| point.charged.len()).sum();
    println!("{transactions} transactions; endings {:?}", Ending::ALL.iter().zip(ended).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_again_and_again_under_load_it_loses_nothing_that_was_answered() {
    let _alone = ALONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let mut chance = Chance::new();
    let mut field = Field::new();
    for round in 0..rounds(2) {
        let csms = Csms::start_in(data.path(), &[]).await;
        let began = Instant::now();
        let (url, enough) = (csms.url.clone(), Notify::new());
        let (answers, pause) = (1 + chance.below(300), Duration::from_micros(chance.below(20_000)));
        let end = async {
            enough.notified().await;
            // Not just after an answer, but anywhere between two.
            tokio::time::sleep(pause).await;
            csms.stop().await;
            Instant::now()
        };
        let (end, ()) = join(end, field.charge(&url, answers, &enough)).await;
        all_there(data.path(), &field, &format!("after round {round}")).await;
        let lost = lost_values(data.path(), &field, began..end).await;
        assert_eq!(lost, None, "values that were answered before an orderly end");
    }
    let csms = Csms::start_in(data.path(), &[]).await;
    field.complete(&csms.url).await;
    csms.stop().await;
    all_there(data.path(), &field, "in the end").await;
    none_doubled(data.path(), &field).await;
    values_once(data.path(), &field).await;
    let transactions: usize = field.points.iter().map(|point| point.charged.len()).sum();
    println!("{transactions} transactions");
}
