//! Writes that fail.

use csms::store::{Kind, Store, StoreError};
use futures_util::future::{join, join3, join4};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use tokio::sync::oneshot;

use super::{set, settings, store};

async fn pragma(db: &mut AnyConnection, name: &str) -> String {
    let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(db).await.unwrap()
}

/// The write-ahead log is flushed to the disk at each commit.
async fn is_durable(db: &mut AnyConnection) -> bool {
    (pragma(db, "journal_mode").await, pragma(db, "synchronous").await) == ("wal".into(), "2".into())
}

#[tokio::test]
async fn every_connection_to_sqlite_commits_to_the_disk_also_a_new_one_after_a_failure() {
    let (store, _data) = store().await;
    if store.kind() != Kind::Sqlite {
        return;
    }
    let writer_is_durable = async || store.write(|db| Box::pin(async move { Ok(is_durable(db).await) })).await;
    assert!(writer_is_durable().await.unwrap());
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(store.readers().acquire().await.unwrap());
    }
    for reader in &mut readers {
        assert!(is_durable(reader).await);
    }
    drop(readers);
    // Ends the transaction that the write is in, so that the connection is given up.
    let broken = store.write(|db| Box::pin(async move { Ok(db.execute("ROLLBACK").await.map(drop)?) })).await;
    assert!(matches!(broken, Err(StoreError::Database(_))), "{broken:?}");
    assert!(writer_is_durable().await.unwrap());
}

#[tokio::test]
async fn a_write_that_fails_or_panics_is_its_caller_s_trouble_alone() {
    let (store, _data) = store().await;
    let fails = store.write(|db| {
        Box::pin(async move {
            db.execute("INSERT INTO settings (name, value) VALUES ('half', '')").await?;
            db.execute("INSERT INTO no_such_table VALUES (1)").await?;
            Ok(())
        })
    });
    let panics = store.write(|db| {
        Box::pin(async move {
            db.execute("INSERT INTO settings (name, value) VALUES ('panic', '')").await?;
            let mistake: fn() = || panic!("a mistake");
            mistake();
            Ok(())
        })
    });
    let (failed, panicked, good) = join3(fails, panics, set(&store, "good")).await;
    assert!(matches!(failed, Err(StoreError::Database(_))), "{failed:?}");
    assert!(matches!(panicked, Err(StoreError::Panicked)), "{panicked:?}");
    good.unwrap();
    set(&store, "later").await.unwrap();
    assert_eq!(settings(&store).await, ["good", "later"]);
    store.close().await;
    assert!(matches!(set(&store, "closed").await, Err(StoreError::Closed)));
}

/// As if the disk were full: SQLite says so itself.
#[tokio::test]
async fn a_full_disk_fails_those_who_write_and_the_next_write_works() {
    let (store, _data) = store().await;
    if store.kind() != Kind::Sqlite {
        return;
    }
    let full = store.write(|db| {
        Box::pin(async move {
            db.execute("PRAGMA max_page_count = 1").await?;
            db.execute("INSERT INTO settings (name, value) VALUES ('big', hex(randomblob(1000000)))").await?;
            Ok(())
        })
    });
    let error = full.await.unwrap_err();
    assert!(matches!(&error, StoreError::Database(text) if text.contains("full")), "{error}");
    // SQLite has taken back the whole transaction by itself; the connection with the limit is given up.
    set(&store, "later").await.unwrap();
    set(&store, "latest").await.unwrap();
    assert_eq!(settings(&store).await, ["later", "latest"]);
}

#[tokio::test]
async fn a_lost_connection_to_postgresql_fails_those_who_write_and_is_made_anew() {
    let (store, _data) = store().await;
    if store.kind() != Kind::Postgres {
        return;
    }
    let cut = store.write(|db| {
        Box::pin(async move {
            db.execute("INSERT INTO settings (name, value) VALUES ('cut', '')").await?;
            db.execute("SELECT pg_terminate_backend(pg_backend_pid())").await?;
            Ok(())
        })
    });
    let error = cut.await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error}");
    set(&store, "later").await.unwrap();
    // All others are cut off while nobody looks.
    let all = "SELECT pg_terminate_backend(pid)::TEXT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    store.write(move |db| Box::pin(async move { Ok(db.execute(all).await.map(drop)?) })).await.unwrap();
    assert_eq!(settings(&store).await, ["later"]);
}

#[tokio::test]
async fn postgresql_commits_to_the_disk_although_it_is_set_not_to() {
    let data = tempfile::tempdir().unwrap();
    let url = crate::support::database(data.path()).await;
    let store = Store::open(&url).await.unwrap();
    if store.kind() != Kind::Postgres {
        return;
    }
    let lax =
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";
    store.write(move |db| Box::pin(async move { Ok(db.execute(lax).await.map(drop)?) })).await.unwrap();
    store.close().await;
    let setting = async |db: &mut AnyConnection| -> String {
        sqlx::query_scalar("SELECT current_setting('synchronous_commit')").fetch_one(db).await.unwrap()
    };
    let mut other = crate::support::look_into(data.path()).await;
    assert_eq!(setting(&mut other).await, "off");
    let store = Store::open(&url).await.unwrap();
    let ours = store.write(|db| {
        Box::pin(async move {
            let sql = "SELECT current_setting('synchronous_commit')";
            Ok(sqlx::query_scalar::<_, String>(sql).fetch_one(&mut *db).await?)
        })
    });
    assert_eq!(ours.await.unwrap(), "on");
}

#[tokio::test]
async fn a_commit_that_never_ends_is_given_up_and_the_next_write_works() {
    let (store, _data) = store().await;
    let (begun, begins) = oneshot::channel();
    let hangs = store.write(|_| {
        let _ = begun.send(());
        Box::pin(std::future::pending::<Result<(), StoreError>>())
    });
    let time_passes = async {
        begins.await.unwrap();
        // From here on it goes as fast as nothing happens.
        tokio::time::pause();
    };
    let (hung, ()) = join(hangs, time_passes).await;
    tokio::time::resume();
    assert!(matches!(hung, Err(StoreError::Busy)), "{hung:?}");
    set(&store, "later").await.unwrap();
    assert_eq!(settings(&store).await, ["later"]);
}

/// Two writes share a commit. The second loses the connection, and tries to go on with a savepoint of its own, after which
/// sqlx believes that there is no transaction, and commits nothing with success.
#[tokio::test]
async fn nobody_is_told_that_a_write_is_kept_whose_commit_the_database_has_not_seen() {
    let (store, _data) = store().await;
    if store.kind() != Kind::Postgres {
        return;
    }
    let (go_on, waits) = oneshot::channel::<()>();
    let blocks = store.write(|_| Box::pin(async move { Ok(waits.await.is_ok()) }));
    let cuts = store.write(|db| {
        Box::pin(async move {
            db.execute("SELECT pg_terminate_backend(pg_backend_pid())").await.unwrap_err();
            Ok(db.begin().await.map(drop)?)
        })
    });
    let both_wait = async {
        while store.waiting_writes() < 2 {
            tokio::task::yield_now().await;
        }
        go_on.send(()).unwrap();
    };
    let (_, good, cut, ()) = join4(blocks, set(&store, "good"), cuts, both_wait).await;
    assert!(matches!(good, Err(StoreError::Database(_))), "{good:?}");
    assert!(matches!(cut, Err(StoreError::Database(_))), "{cut:?}");
    assert!(settings(&store).await.is_empty());
}
