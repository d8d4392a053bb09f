//! The database, through the library: what is durable, what fails, and whom a failure concerns. With
//! `ONWIRE_TEST_DATABASE`, on a PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod pace;
mod text;
mod tls;
mod trouble;
mod upgrade;

use csms::store::{Store, sql};
use tempfile::TempDir;

async fn store() -> (Store, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(&support::database(data.path()).await).await.unwrap();
    (store, data)
}

/// Writes a setting.
async fn set(store: &Store, name: &str) -> Result<(), csms::store::StoreError> {
    let name = name.to_owned();
    store
        .write(|db| {
            Box::pin(async move {
                let sql = "INSERT INTO settings (name, value) VALUES ($1, '')";
                sql::query(sql).bind(name).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// The settings that are there.
async fn settings(store: &Store) -> Vec<String> {
    sqlx::query_scalar("SELECT name FROM settings ORDER BY name").fetch_all(store.readers()).await.unwrap()
}
