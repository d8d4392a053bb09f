//! Reservations.

use serde_json::{Value, json};

use crate::{Lab, lab};

const PATH: &str = "/api/v1/reservations";

/// Reserves; the reservation as the operator sees it.
async fn reserve(lab: &mut Lab, connector: i64, more: Value, answer: &str) -> Value {
    let mut wanted = json!({"chargePoint": "CP1", "connector": connector, "idTag": "TAG",
        "expiryDate": "2199-01-01T00:00:00Z"});
    wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (seen, (status, made)) = tokio::join!(
        lab.station.obey("ReserveNow", json!({"status": answer})),
        lab.csms.http("POST", PATH, Some(wanted.clone()))
    );
    assert_eq!(status, 201, "{made}");
    assert_eq!((&seen["reservationId"], &seen["connectorId"]), (&made["id"], &json!(connector)));
    assert_eq!((&seen["idTag"], &seen.get("parentIdTag")), (&json!("TAG"), &wanted.get("parentIdTag")));
    assert_eq!(made["answer"], answer);
    made
}

async fn status(lab: &Lab, reservation: &Value) -> Value {
    lab.csms.get(&format!("{PATH}/{}", reservation["id"])).await["status"].clone()
}

async fn uses(lab: &mut Lab, reservation: &Value, connector: i64, id_tag: &str) {
    assert_eq!(lab.authorize(id_tag).await, "Accepted");
    let named = json!({"reservationId": reservation["id"]});
    let (worth, id) = lab.start(connector, id_tag, named).await;
    assert_eq!(worth, "Accepted");
    let used = lab.csms.get(&format!("{PATH}/{}", reservation["id"])).await;
    assert_eq!((&used["status"], &used["transactionId"]), (&json!("Used"), &json!(id)));
    assert_eq!(lab.transaction(id).await["reservationId"], reservation["id"]);
}

#[tokio::test]
async fn tc_046_reservation_of_a_connector_used() {
    let mut lab = lab().await;
    let reservation = reserve(&mut lab, 1, json!({}), "Accepted").await;
    assert_eq!(reservation["status"], "Accepted");
    lab.report(1, "Reserved").await;
    lab.report(1, "Preparing").await;
    uses(&mut lab, &reservation, 1, "TAG").await;
    lab.report(1, "Charging").await;
}

#[tokio::test]
async fn tc_047_reservation_expires() {
    let mut lab = lab().await;
    let mut events = lab.csms.listen(Some("CP1")).await;
    let soon = onwire::types::DateTime::from_unix_millis(onwire::types::DateTime::now().unix_millis() + 1000);
    let reservation = reserve(&mut lab, 1, json!({"expiryDate": soon.to_string()}), "Accepted").await;
    lab.report(1, "Reserved").await;
    let expired = events.wait("reservationExpired").await;
    assert_eq!(expired["reservationId"], reservation["id"]);
    assert_eq!(status(&lab, &reservation).await, "Expired");
    lab.report(1, "Available").await;
    assert_eq!(status(&lab, &reservation).await, "Expired");
}

async fn refused(answer: &str) {
    let mut lab = lab().await;
    let reservation = reserve(&mut lab, 1, json!({}), answer).await;
    assert_eq!(reservation["status"], "Refused");
}

#[tokio::test]
async fn tc_048_1_reservation_refused_faulted() {
    refused("Faulted").await;
}

#[tokio::test]
async fn tc_048_2_reservation_refused_occupied() {
    refused("Occupied").await;
}

#[tokio::test]
async fn tc_048_3_reservation_refused_unavailable() {
    refused("Unavailable").await;
}

#[tokio::test]
async fn tc_048_4_reservation_refused_rejected() {
    refused("Rejected").await;
}

#[tokio::test]
async fn tc_049_reservation_of_the_charge_point() {
    let mut lab = lab().await;
    let reservation = reserve(&mut lab, 0, json!({}), "Accepted").await;
    lab.report(1, "Preparing").await;
    uses(&mut lab, &reservation, 1, "TAG").await;
}

#[tokio::test]
async fn tc_051_cancel_reservation() {
    let mut lab = lab().await;
    let reservation = reserve(&mut lab, 1, json!({}), "Accepted").await;
    lab.report(1, "Reserved").await;
    let path = format!("{PATH}/{}", reservation["id"]);
    let (seen, (code, cancelled)) = tokio::join!(
        lab.station.obey("CancelReservation", json!({"status": "Accepted"})),
        lab.csms.http("DELETE", &path, None)
    );
    assert_eq!(seen, json!({"reservationId": reservation["id"]}));
    assert_eq!((code, &cancelled["status"]), (200, &json!("Cancelled")), "{cancelled}");
    lab.report(1, "Available").await;
}

#[tokio::test]
async fn tc_052_cancel_reservation_refused() {
    let mut lab = lab().await;
    let reservation = reserve(&mut lab, 1, json!({}), "Accepted").await;
    let path = format!("{PATH}/{}", reservation["id"]);
    let (_, (code, _)) = tokio::join!(
        lab.station.obey("CancelReservation", json!({"status": "Rejected"})),
        lab.csms.http("DELETE", &path, None)
    );
    assert_eq!(code, 409);
}

#[tokio::test]
async fn tc_053_reserved_connector_used_through_the_parent_id_tag() {
    let mut lab = lab().await;
    lab.enter(json!({"idTag": "CHILD", "parentIdTag": "FAMILY"})).await;
    let reservation = reserve(&mut lab, 1, json!({"parentIdTag": "FAMILY"}), "Accepted").await;
    lab.report(1, "Reserved").await;
    let answer = lab.station.call("Authorize", json!({"idTag": "CHILD"})).await;
    assert_eq!(answer["idTagInfo"]["parentIdTag"], "FAMILY");
    uses(&mut lab, &reservation, 1, "CHILD").await;
}
