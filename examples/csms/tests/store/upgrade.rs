//! A database from before registers were kept.

use std::borrow::Cow;

use csms::store::transactions::{self, Start};
use csms::store::{Store, records};
use onwire::net::Peers;
use sqlx::{AnyConnection, Connection, Executor};

use crate::support;

/// The schema before registers were kept.
const BEFORE: i64 = 4;

async fn old(db: &mut AnyConnection) {
    let mut migrator = sqlx::migrate!("./migrations");
    let old = migrator.migrations.iter().filter(|migration| migration.version <= BEFORE).cloned();
    migrator.migrations = Cow::Owned(old.collect());
    migrator.run(&mut *db).await.unwrap();
    db.execute("INSERT INTO counters (name, value) VALUES ('transaction', 41)").await.unwrap();
    let transactions = [
        // id, start, last, stop, estimated
        "1, 1, 1000, 1600, 50, 1600, 0",
        "2, 2, 1000, 1600, 50, 1600, 1",
        "3, 3, 1001, -1, 50, -1, 0",
        "4, 4, 10000, 1200, 50, 1200, 0",
        "5, 5, -5, NULL, NULL, NULL, 0",
        "6, 6, 1000, 1300, NULL, NULL, 0",
        "7, 7, 1000, NULL, NULL, NULL, 0",
    ];
    for row in transactions {
        let sql = format!(
            "INSERT INTO transactions (id, connector, start_meter, last_meter, stopped_at, stop_meter, estimated, charge_point,
                id_tag, folded_id_tag, id_tag_status, started_at, start_received_at, last_meter_at)
            VALUES ({row}, 'CP1', 'A', 'a', 'Accepted', 10, 10, 20)"
        );
        db.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
}

#[tokio::test]
async fn transactions_from_before_have_energy_and_go_on() {
    let data = tempfile::tempdir().unwrap();
    let url = support::database(data.path()).await;
    if support::is_sqlite() {
        std::fs::File::create(data.path().join("csms.db")).unwrap();
    }
    let mut db = support::look_into(data.path()).await;
    old(&mut db).await;
    db.close().await.unwrap();
    let store = Store::open(&url).await.unwrap();
    let seen = async |id: i64| {
        let found = records::transactions::get(&store, id).await.unwrap().unwrap();
        (found.energy, found.energy_origin.unwrap_or_default(), found.marks.text())
    };
    for (id, energy, origin, marks) in [
        (1, Some(600), "reported", ""),
        (2, Some(600), "estimated", ""),
        (3, Some(0), "fromRegisters", "stopMeterIgnored"),
        (4, Some(0), "fromRegisters", "registerFell"),
        (5, None, "", "startMeterIgnored"),
        (6, Some(300), "fromRegisters", ""),
        (7, Some(0), "fromRegisters", ""),
    ] {
        assert_eq!(seen(id).await, (energy, origin.to_owned(), marks.to_owned()), "{id}");
    }
    // What runs goes on from what was known.
    let reading = csms::store::energy::Reading::whole(1500, 30);
    let registers = transactions::Registers {
        charge_point: "CP1".into(),
        transaction: 6,
        named: true,
        connector: 6,
        readings: vec![reading, csms::store::energy::Reading::whole(100, 40)],
    };
    store.write(|db| Box::pin(transactions::keep_registers(db, registers))).await.unwrap();
    assert_eq!(seen(6).await, (Some(500), "fromRegisters".into(), "registerFell".into()));
    // Numbers go on as well.
    let start = Start {
        charge_point: "CP2".into(),
        connector: 1,
        id_tag: "B".into(),
        meter: 0,
        at: 0,
        clock_lead: None,
        reservation: None,
        accepts_unknown: true,
        concurrent_tx: transactions::ConcurrentTx::default(),
        peers: Peers::default(),
        gone_before: None,
        now: 0,
    };
    let started = store.write(|db| Box::pin(transactions::start(db, start))).await.unwrap();
    assert_eq!(started.transaction.id, 42);
    store.close().await;
}
