//! What committing together brings. `cargo test --release -p csms --test store -- --ignored --nocapture` prints it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use csms::store::transactions::{self, ConcurrentTx, Start};
use csms::store::{Sample, Store, StoreError};
use futures_util::future::join_all;
use onwire::net::Peers;

use super::batches::values;
use super::{set, settings, store};

/// Writes at a time.
const CALLERS: usize = 256;

/// Does `write` for `CALLERS` callers at once.
async fn together<W: Future<Output = Result<(), StoreError>> + Send + 'static>(
    store: &Arc<Store>,
    write: impl Fn(Arc<Store>, usize) -> W,
) {
    let writes = (0..CALLERS).map(|caller| tokio::spawn(write(Arc::clone(store), caller)));
    for written in join_all(writes).await {
        written.unwrap().unwrap();
    }
}

async fn begin(store: Arc<Store>, charge_point: String, at: i64) -> Result<(), StoreError> {
    let start = Start {
        charge_point,
        connector: 1,
        id_tag: "TAG".to_owned(),
        meter: at,
        at,
        clock_lead: None,
        reservation: None,
        accepts_unknown: true,
        concurrent_tx: ConcurrentTx::default(),
        peers: Peers::default(),
        gone_before: None,
        now: at,
    };
    let started = store.write(|db| Box::pin(transactions::start(db, start))).await?;
    assert!(started.is_new);
    Ok(())
}

fn per_second(number: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(number).unwrap()) / took.as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, on a quiet machine"]
async fn how_many_transactions_begin_in_a_second() {
    const ROUNDS: usize = 20;
    let (store, _data) = store().await;
    let store = Arc::new(store);
    let began = Instant::now();
    for number in 0..CALLERS {
        begin(Arc::clone(&store), format!("alone-{number}"), 1).await.unwrap();
    }
    let alone = per_second(CALLERS, began.elapsed());
    let commits = store.numbers().commits.get();
    assert_eq!(commits, u64::try_from(CALLERS).unwrap(), "one commit each");
    let began = Instant::now();
    for round in 0..ROUNDS {
        let at = i64::try_from(round).unwrap();
        together(&store, |store, caller| begin(store, format!("together-{caller}"), at)).await;
    }
    let each = per_second(ROUNDS * CALLERS, began.elapsed());
    let commits = store.numbers().commits.get() - commits;
    println!("one after the other, a commit each: {alone:.0} StartTransactions/s");
    println!("{CALLERS} at a time: {each:.0} StartTransactions/s, in {commits} commits for {}", ROUNDS * CALLERS);
    println!("ratio: {:.1}", each / alone);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, on a quiet machine"]
async fn how_many_meter_values_are_kept_in_a_second() {
    const MESSAGES: i64 = 1000;
    const VALUES: usize = 30;
    let (store, _data) = store().await;
    let began = Instant::now();
    for at in 0..MESSAGES {
        let values = values(at..at + 1).cycle().take(VALUES);
        store.meter_values().push(Sample::of_message(values)).await.unwrap();
    }
    store.meter_values().flush().await.unwrap();
    let rate = per_second(usize::try_from(MESSAGES).unwrap() * VALUES, began.elapsed());
    println!("meter values, {VALUES} in a message: {rate:.0}/s");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_share_commits() {
    let (store, _data) = store().await;
    let store = Arc::new(store);
    let before = store.numbers().commits.get();
    together(&store, |store, caller| async move { set(&store, &caller.to_string()).await }).await;
    assert_eq!(settings(&store).await.len(), CALLERS);
    let commits = store.numbers().commits.get() - before;
    assert!(commits < 64, "{commits} commits for {CALLERS} writes");
}
