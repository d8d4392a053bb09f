//! PostgreSQL ends the program's connections while it works, also in the middle of a commit.

use sqlx::{Connection, Executor};
use tokio::sync::Notify;

use crate::field::{Chance, Field};
use crate::records::{all_there, none_doubled};
use crate::support::{Csms, is_sqlite, look_into};

#[tokio::test(flavor = "multi_thread")]
async fn cut_off_from_its_database_again_and_again_it_loses_and_doubles_nothing() {
    if is_sqlite() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let environment = [("RUST_LOG", "off")];
    let csms = Csms::start_with(data.path(), &[], &environment).await;
    let (url, enough) = (csms.url.clone(), Notify::new());
    let mut chance = Chance::new();
    let mut field = Field::new();
    let trouble = async {
        enough.notified().await;
        for _ in 0..40 {
            let mut other = look_into(data.path()).await;
            let all = "SELECT pg_terminate_backend(pid)::TEXT FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            other.execute(all).await.unwrap();
            other.close().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(chance.below(50))).await;
        }
        csms.kill().await;
    };
    futures_util::future::join(trouble, field.charge(&url, 100, &enough)).await;
    all_there(data.path(), &field, "after the cuts").await;
    let csms = Csms::start_in(data.path(), &[]).await;
    field.complete(&csms.url).await;
    csms.stop().await;
    all_there(data.path(), &field, "in the end").await;
    none_doubled(data.path(), &field).await;
    let refused: u64 = field.points.iter().map(|point| point.refused).sum();
    let transactions: usize = field.points.iter().map(|point| point.charged.len()).sum();
    let slowest = field.points.iter().map(|point| point.slowest).max().unwrap();
    println!("{transactions} transactions, the longest wait for an answer took {slowest:?}");
    assert_eq!(refused, 0, "what is refused is discarded in the end");
    assert!(slowest >= std::time::Duration::from_millis(500), "somebody waited for the second attempt");
}
