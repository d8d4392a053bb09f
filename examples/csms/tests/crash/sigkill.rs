//! SIGKILL at moments that nobody has chosen. What the system took of the program's writes stays; see `power.rs` for when
//! that is gone too.

use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::field::{Chance, Field, rounds};
use crate::records::{all_there, lost_values, none_doubled, values_once};
use crate::support::Csms;

/// How long meter values are collected; their commit comes on top.
const WAIT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load_it_loses_nothing_that_was_answered() {
    let data = tempfile::tempdir().unwrap();
    let mut chance = Chance::new();
    let mut field = Field::new();
    let mut longest = Duration::ZERO;
    for round in 0..rounds(20) {
        let csms = Csms::start_in(data.path(), &[]).await;
        let began = Instant::now();
        let (url, enough) = (csms.url.clone(), Notify::new());
        let (answers, pause) = (1 + chance.below(300), Duration::from_micros(chance.below(20_000)));
        let kill = async {
            enough.notified().await;
            // Not just after an answer, but anywhere between two.
            tokio::time::sleep(pause).await;
            let end = Instant::now();
            csms.kill().await;
            end
        };
        let (end, ()) = futures_util::future::join(kill, field.charge(&url, answers, &enough)).await;
        all_there(data.path(), &field, &format!("after round {round}")).await;
        let lost = lost_values(data.path(), &field, began..end).await.unwrap_or_default();
        let commit = field.points.iter().map(|point| point.slowest).max().unwrap_or_default();
        assert!(lost <= WAIT + commit, "lost what was answered {lost:?} before; answers took {commit:?}");
        longest = longest.max(lost);
        field.points.iter_mut().for_each(|point| point.slowest = Duration::ZERO);
    }
    let csms = Csms::start_in(data.path(), &[]).await;
    field.complete(&csms.url).await;
    csms.stop().await;
    all_there(data.path(), &field, "in the end").await;
    none_doubled(data.path(), &field).await;
    values_once(data.path(), &field).await;
    let transactions: usize = field.points.iter().map(|point| point.charged.len()).sum();
    println!("{transactions} transactions; the oldest lost meter value was {longest:?} old");
}
