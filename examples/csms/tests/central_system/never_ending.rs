//! Transactions whose stop never comes, or names another number.

use serde_json::{Value, json};

use crate::energy::{register, shown, wh};
use crate::support::{Csms, Station};
use crate::{AT, LATER, Served, report, served, start};

fn stop_of(id: i64, id_tag: &str, meter: i64) -> Value {
    json!({"transactionId": id, "meterStop": meter, "timestamp": LATER, "idTag": id_tag})
}

async fn stop(station: &mut Station, stop: Value) {
    assert_eq!(station.call("StopTransaction", stop).await["idTagInfo"]["status"], "Accepted");
}

/// The stops that are kept apart: their number, and whose they are taken for.
async fn apart(csms: &Csms, charge_point: &str) -> Vec<(Value, Value)> {
    let page = csms.get(&format!("/api/v1/unknown-stops?chargePoint={charge_point}")).await;
    let items = page["items"].as_array().unwrap().clone();
    items.iter().map(|item| (item["transactionId"].clone(), item["attributedTo"].clone())).collect()
}

/// OCPP 1.6 errata §3.18: the answer to the start was lost.
#[tokio::test]
async fn a_stop_without_our_number_ends_the_only_transaction_that_it_can_mean() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    for (charge_point, number) in [("CP1", -1), ("CP2", 0), ("CP3", 77_777), ("CP4", -1_234_567)] {
        let mut station = csms.booted(charge_point).await;
        let (_, id) = start(&mut station, 1, "A", 100, AT).await;
        register(&mut station, Some(number.min(0)), "2026-03-01T10:30:00Z", wh(500)).await;
        // Again, too: the answer was lost once more.
        for _ in 0..2 {
            stop(&mut station, stop_of(number, "a", 900)).await;
            let found = shown(&csms, id).await;
            assert_eq!((&found["active"], &found["attributed"]), (&json!(false), &json!(true)), "{found}");
            assert_eq!((&found["energyWh"], &found["energyOrigin"]), (&json!(800), &json!("reported")), "{found}");
            assert_eq!((&found["estimated"], &found["marks"]), (&json!(false), &json!(["attributed"])), "{found}");
            assert_eq!(apart(&csms, charge_point).await, [(json!(number), json!(id))]);
        }
    }
}

#[tokio::test]
async fn a_later_stop_with_the_number_puts_an_attributed_one_right() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    stop(&mut station, stop_of(-1, "A", 900)).await;
    stop(&mut station, stop_of(id, "A", 1200)).await;
    let found = shown(&csms, id).await;
    assert_eq!((&found["energyWh"], &found["attributed"], &found["marks"]), (&json!(1100), &json!(false), &json!([])));
    assert_eq!(apart(&csms, "CP1").await, [(json!(-1), json!(null))]);
    // And that is the last word.
    stop(&mut station, stop_of(-1, "A", 900)).await;
    stop(&mut station, stop_of(-1, "A", 901)).await;
    stop(&mut station, stop_of(id, "A", 1300)).await;
    assert_eq!(shown(&csms, id).await["energyWh"], 1100);
}

#[tokio::test]
async fn an_estimate_is_put_right_by_a_stop_without_our_number() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    report(&mut station, 1, "Available", LATER).await;
    assert_eq!(shown(&csms, id).await["estimated"], true);
    stop(&mut station, stop_of(-1, "A", 900)).await;
    let found = shown(&csms, id).await;
    assert_eq!(
        (&found["energyWh"], &found["estimated"], &found["attributed"]),
        (&json!(800), &json!(false), &json!(true))
    );
}

#[tokio::test]
async fn what_may_be_another_transaction_s_stop_is_kept_apart() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let goes_on = async |id: i64| assert_eq!(shown(&csms, id).await["active"], true, "{id}");
    // Its number is known: a stop without it comes from connector 2, whose start was never delivered.
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    register(&mut station, Some(id), AT, json!({"value": "31", "measurand": "Temperature"})).await;
    stop(&mut station, stop_of(-1, "A", 900)).await;
    goes_on(id).await;
    // It has named none, but another connector charges without a transaction.
    let mut station = csms.booted("CP2").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    report(&mut station, 2, "Charging", LATER).await;
    stop(&mut station, stop_of(-1, "A", 900)).await;
    goes_on(id).await;
    // Two of that tag; another tag; none; ended before it began, by the time or by the meter; at another charge point.
    let mut station = csms.booted("CP3").await;
    let (_, one) = start(&mut station, 1, "A", 100, AT).await;
    let (_, two) = start(&mut station, 2, "A", 100, AT).await;
    stop(&mut station, stop_of(-1, "A", 900)).await;
    let mut station = csms.booted("CP4").await;
    let (_, three) = start(&mut station, 1, "A", 1000, AT).await;
    stop(&mut station, stop_of(-1, "B", 2000)).await;
    stop(&mut station, stop_of(-1, "A", 900)).await;
    let mut early = stop_of(-1, "A", 2000);
    early["timestamp"] = json!("2026-03-01T09:59:59Z");
    stop(&mut station, early).await;
    station.call("StopTransaction", json!({"transactionId": -1, "meterStop": 2000, "timestamp": LATER})).await;
    stop(&mut csms.booted("CP5").await, stop_of(three, "A", 2000)).await;
    for id in [one, two, three] {
        goes_on(id).await;
    }
    for (charge_point, count) in [("CP1", 1), ("CP2", 1), ("CP3", 1), ("CP4", 4), ("CP5", 1)] {
        let apart = apart(&csms, charge_point).await;
        assert_eq!(apart.len(), count, "{charge_point}");
        assert!(apart.iter().all(|(_, whose)| whose.is_null()), "{apart:?}");
    }
}

/// OCPP 1.6 §6.49.
#[tokio::test]
async fn who_stops_without_a_reason_stops_locally_and_what_the_server_ends_has_none() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    report(&mut station, 1, "Available", LATER).await;
    assert_eq!(shown(&csms, id).await["stopReason"], json!(null));
    stop(&mut station, stop_of(id, "A", 900)).await;
    assert_eq!(shown(&csms, id).await["stopReason"], "Local");
    stop(&mut station, stop_of(-1, "B", 900)).await;
    assert_eq!(csms.get("/api/v1/unknown-stops").await["items"][0]["stopReason"], "Local");
}

#[tokio::test]
async fn a_transaction_of_a_charge_point_that_is_gone_holds_nobody_up() {
    let mut served = served(&["--concurrent-tx-hours", "5"]).await;
    served.enter("A", "Accepted", None, None).await;
    let mut gone = served.csms.booted("CP1").await;
    start(&mut gone, 1, "A", 0, AT).await;
    let mut other = served.csms.booted("CP2").await;
    assert_eq!(start(&mut other, 1, "A", 0, AT).await.0, "ConcurrentTx");
    let long_ago = "UPDATE charge_points SET last_seen_at = last_seen_at - 18001000 WHERE id = 'CP1'";
    // It says nothing, but it is there.
    served.execute(long_ago).await;
    assert_eq!(start(&mut other, 2, "A", 0, AT).await.0, "ConcurrentTx");
    let mut events = served.csms.listen(Some("CP1")).await;
    gone.close().await.unwrap();
    events.wait("disconnected").await;
    assert_eq!(start(&mut other, 3, "A", 0, AT).await.0, "ConcurrentTx", "it may be back soon");
    served.execute(long_ago).await;
    assert_eq!(start(&mut other, 4, "A", 0, AT).await.0, "Accepted");
}

#[tokio::test]
async fn what_runs_at_a_charge_point_that_is_taken_out_is_closed_and_kept() {
    let Served { csms, data: _data, .. } = served(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (_, id) = start(&mut station, 1, "A", 100, AT).await;
    register(&mut station, Some(id), "2026-03-01T10:30:00Z", wh(700)).await;
    let (_, ended) = start(&mut station, 2, "A", 0, AT).await;
    stop(&mut station, stop_of(ended, "A", 50)).await;
    let before = shown(&csms, ended).await;
    let mut events = csms.listen(Some("CP1")).await;
    assert_eq!(csms.http("DELETE", "/api/v1/charge-points/CP1", None).await.0, 204);
    assert_eq!(events.wait("transactionStopped").await["id"], id);
    let found = shown(&csms, id).await;
    assert_eq!(
        (&found["active"], &found["stopReason"], &found["closedBy"]),
        (&json!(false), &json!(null), &json!("open"))
    );
    assert_eq!((&found["energyWh"], &found["energyOrigin"]), (&json!(600), &json!("estimated")), "{found}");
    assert_eq!(
        (&found["marks"], &found["stoppedAt"]),
        (&json!(["chargePointDeleted"]), &found["lastMeterAt"]),
        "{found}"
    );
    assert_eq!(shown(&csms, ended).await, before);
    // It comes back, and knows more.
    let mut station = csms.booted("CP1").await;
    stop(&mut station, stop_of(id, "A", 900)).await;
    let found = shown(&csms, id).await;
    assert_eq!(
        (&found["energyWh"], &found["stopReason"], &found["closedBy"]),
        (&json!(800), &json!("Local"), &json!("open"))
    );
}

#[tokio::test]
async fn the_time_it_was_last_seen_does_not_go_back_with_a_restart() {
    let Served { csms, data, db } = served(&[]).await;
    drop(db);
    let mut station = csms.booted("CP1").await;
    let last_seen = async |csms: &Csms| {
        let found = csms.get("/api/v1/charge-points/CP1").await;
        crate::millis(found["lastSeenAt"].as_str().unwrap())
    };
    let before = last_seen(&csms).await;
    // Until its clock has gone on.
    while last_seen(&csms).await == before {
        station.call("Heartbeat", json!({})).await;
    }
    let shown = last_seen(&csms).await;
    csms.stop().await;
    let csms = Csms::start_in(data.path(), &[]).await;
    assert!(last_seen(&csms).await >= shown);
}
