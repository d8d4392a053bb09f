use serde_json::json;

use crate::{AT, LATER, Served, report, served, start, start_of};

const FUTURE: i64 = 7_000_000_000_000;

async fn reserve(served: &mut Served, id: i64, connector: i64, id_tag: &str, status: &str, expiry: i64) {
    served
        .execute(&format!(
            "INSERT INTO reservations (id, charge_point, connector, id_tag, parent_id_tag, expiry_at, status, created_at)
                VALUES ({id}, 'CP1', {connector}, '{id_tag}', 'Family', {expiry}, '{status}', 0)"
        ))
        .await;
}

async fn state(served: &mut Served, id: i64) -> (String, Option<i64>) {
    served.row(&format!("SELECT status, transaction_id FROM reservations WHERE id = {id}")).await
}

#[tokio::test]
async fn a_start_uses_the_reservation_that_it_names() {
    let mut served = served(&[]).await;
    reserve(&mut served, 5, 1, "A", "Accepted", FUTURE).await;
    reserve(&mut served, 6, 2, "A", "Accepted", FUTURE).await;
    let mut station = served.csms.booted("CP1").await;
    let mut request = start_of(1, "A", 0, AT);
    request["reservationId"] = json!(5);
    let id = station.call("StartTransaction", request).await["transactionId"].as_i64().unwrap();
    assert_eq!(state(&mut served, 5).await, ("Used".into(), Some(id)));
    assert_eq!(state(&mut served, 6).await, ("Accepted".into(), None));
    assert_eq!(served.count(&format!("transactions WHERE id = {id} AND reservation = 5")).await, 1);
}

#[tokio::test]
async fn a_start_that_names_none_uses_that_of_its_connector_and_its_tag_or_group() {
    let mut served = served(&[]).await;
    served.enter("Kid", "Accepted", None, Some("family")).await;
    reserve(&mut served, 5, 1, "Dad", "Accepted", FUTURE).await;
    reserve(&mut served, 6, 0, "Mum", "Accepted", FUTURE).await;
    let mut station = served.csms.booted("CP1").await;
    start(&mut station, 1, "Stranger", 0, AT).await;
    assert_eq!(state(&mut served, 5).await, ("Accepted".into(), None));
    let (_, id) = start(&mut station, 1, "Kid", 0, LATER).await;
    assert_eq!(state(&mut served, 5).await, ("Used".into(), Some(id)));
    assert_eq!(state(&mut served, 6).await, ("Accepted".into(), None));
    let (_, id) = start(&mut station, 2, "MUM", 0, LATER).await;
    assert_eq!(state(&mut served, 6).await, ("Used".into(), Some(id)));
}

#[tokio::test]
async fn a_connector_s_status_shows_what_became_of_its_reservation() {
    let mut served = served(&[]).await;
    reserve(&mut served, 5, 1, "A", "Pending", FUTURE).await;
    let mut station = served.csms.booted("CP1").await;
    report(&mut station, 1, "Reserved", AT).await;
    assert_eq!(state(&mut served, 5).await.0, "Accepted");
    report(&mut station, 1, "Available", LATER).await;
    assert_eq!(state(&mut served, 5).await.0, "Cancelled");
    // Not by a status from before the charge point reserved it.
    reserve(&mut served, 6, 1, "A", "Accepted", FUTURE).await;
    report(&mut station, 1, "Available", LATER).await;
    assert_eq!(state(&mut served, 6).await.0, "Accepted");
}

#[tokio::test]
async fn reservations_expire() {
    let mut served = served(&[]).await;
    let mut events = served.csms.listen(Some("CP1")).await;
    reserve(&mut served, 6, 1, "A", "Used", 1).await;
    reserve(&mut served, 5, 1, "A", "Accepted", 1).await;
    assert_eq!(events.wait("reservationExpired").await, json!({"chargePoint": "CP1", "reservationId": 5}));
    assert_eq!(state(&mut served, 5).await.0, "Expired");
    assert_eq!(state(&mut served, 6).await.0, "Used");
}

/// OCPP 1.6 §4.8: the number is required, and yet some send none that there is.
#[tokio::test]
async fn a_start_with_a_number_that_is_none_uses_the_reservation_of_its_tag() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    for (connector, number) in [(1, -1), (2, 0)] {
        reserve(&mut served, 10 + connector, connector, "A", "Accepted", FUTURE).await;
        let mut request = start_of(connector, "A", 0, AT);
        request["reservationId"] = json!(number);
        let id = station.call("StartTransaction", request).await["transactionId"].as_i64().unwrap();
        assert_eq!(state(&mut served, 10 + connector).await, ("Used".into(), Some(id)), "{number}");
        // As it was sent.
        assert_eq!(served.count(&format!("transactions WHERE id = {id} AND reservation = {number}")).await, 1);
    }
}

/// OCPP 1.6 §5.13.
#[tokio::test]
async fn a_fault_ends_reservations_and_what_is_shown_as_reserved_again_holds_again() {
    let mut served = served(&[]).await;
    let mut station = served.csms.booted("CP1").await;
    let shown = async |served: &Served, id: i64| {
        let found = served.csms.get(&format!("/api/v1/reservations/{id}")).await;
        (found["status"].as_str().unwrap().to_owned(), found["endReason"].clone())
    };
    reserve(&mut served, 5, 1, "A", "Accepted", FUTURE).await;
    reserve(&mut served, 6, 2, "A", "Accepted", FUTURE).await;
    reserve(&mut served, 7, 0, "A", "Accepted", FUTURE).await;
    let holds = || ("Accepted".to_owned(), json!(null));
    for status in ["Faulted", "Unavailable"] {
        report(&mut station, 1, "Reserved", AT).await;
        report(&mut station, 1, status, LATER).await;
        assert_eq!(shown(&served, 5).await, ("Terminated".into(), json!(status)));
        assert_eq!((shown(&served, 6).await, shown(&served, 7).await), (holds(), holds()), "{status}");
        report(&mut station, 1, "Reserved", LATER).await;
        assert_eq!((shown(&served, 5).await, shown(&served, 7).await), (holds(), holds()), "{status}");
    }
    // The charge point itself.
    report(&mut station, 0, "Faulted", LATER).await;
    for id in [5, 6, 7] {
        assert_eq!(shown(&served, id).await, ("Terminated".into(), json!("Faulted")), "{id}");
    }
    report(&mut station, 2, "Reserved", LATER).await;
    assert_eq!(shown(&served, 6).await, holds());
    // One from before the reservation was made ends nothing.
    served.execute("UPDATE reservations SET created_at = 1772362800001 WHERE id = 6").await;
    report(&mut station, 2, "Preparing", LATER).await;
    report(&mut station, 2, "Faulted", LATER).await;
    assert_eq!(shown(&served, 6).await, holds());
}
