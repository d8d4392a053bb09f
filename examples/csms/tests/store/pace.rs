//! What committing together brings. `cargo test --release -p csms --test store -- --ignored --nocapture` prints it.

use std::sync::Arc;
use std::time::Instant;

use csms::store::Store;
use futures_util::future::join_all;

use super::{set, settings, store};

/// Writes at a time.
const CALLERS: usize = 256;

async fn together(store: &Arc<Store>, round: usize) {
    let writes = (0..CALLERS).map(|caller| {
        let store = Arc::clone(store);
        tokio::spawn(async move { set(&store, &format!("together-{round}-{caller}")).await })
    });
    for written in join_all(writes).await {
        written.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, on a quiet machine"]
async fn writes_that_wait_together_cost_one_commit() {
    let (store, _data) = store().await;
    let store = Arc::new(store);
    let began = Instant::now();
    for number in 0..CALLERS {
        set(&store, &format!("alone-{number}")).await.unwrap();
    }
    let alone = began.elapsed() / u32::try_from(CALLERS).unwrap();
    let commits = store.numbers().commits.get();
    let rounds = 20;
    let began = Instant::now();
    for round in 0..rounds {
        together(&store, round).await;
    }
    let each = began.elapsed() / u32::try_from(rounds * CALLERS).unwrap();
    let commits = store.numbers().commits.get() - commits;
    println!("one after the other: {:.0} writes/s", 1.0 / alone.as_secs_f64());
    println!("{CALLERS} at a time: {:.0} writes/s in {commits} commits", 1.0 / each.as_secs_f64());
    println!("ratio: {:.1}", alone.as_secs_f64() / each.as_secs_f64());
    assert_eq!(settings(&store).await.len(), CALLERS * (rounds + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_share_commits() {
    let (store, _data) = store().await;
    let store = Arc::new(store);
    let before = store.numbers().commits.get();
    together(&store, 0).await;
    assert_eq!(settings(&store).await.len(), CALLERS);
    let commits = store.numbers().commits.get() - before;
    assert!(commits < 64, "{commits} commits for {CALLERS} writes");
}
