//! `/reservations`.

use serde_json::{Value, json};

use crate::support::{Csms, Station, csms};
use crate::{expect, refused};

const LIST: &str = "/api/v1/reservations";

async fn reserve(csms: &Csms, station: &mut Station, answer: &str) -> (Value, Value) {
    let new = json!({"chargePoint": "CP1", "connector": 1, "idTag": "A", "expiryDate": "2099-01-01T00:00:00Z"});
    tokio::join!(station.obey("ReserveNow", json!({"status": answer})), expect(csms, 201, "POST", LIST, Some(new)))
}

#[tokio::test]
async fn the_server_gives_the_number_and_keeps_the_answer() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let (sent, made) = reserve(&csms, &mut station, "Accepted").await;
    let asked = json!({"connectorId": 1, "expiryDate": sent["expiryDate"], "idTag": "A", "reservationId": made["id"]});
    assert_eq!(sent, asked);
    assert_eq!((&made["status"], &made["answer"]), (&json!("Accepted"), &json!("Accepted")), "{made}");
    let (_, second) = reserve(&csms, &mut station, "Occupied").await;
    assert_eq!((&second["status"], &second["answer"]), (&json!("Refused"), &json!("Occupied")), "{second}");
    assert!(second["id"].as_i64() > made["id"].as_i64());

    let one = format!("{LIST}/{}", made["id"]);
    let (sent, cancelled) = tokio::join!(
        station.obey("CancelReservation", json!({"status": "Accepted"})),
        expect(&csms, 200, "DELETE", &one, None),
    );
    assert_eq!((&sent["reservationId"], &cancelled["status"]), (&made["id"], &json!("Cancelled")));
    tokio::join!(
        station.obey("CancelReservation", json!({"status": "Rejected"})),
        refused(&csms, 409, "conflict", "DELETE", &one, None),
    );
    assert_eq!(csms.get(&format!("{LIST}?status=Cancelled")).await["items"][0]["id"], made["id"]);
    assert_eq!(csms.get(&format!("{LIST}?chargePoint=CP1&idTag=a")).await["total"], 2);
    assert_eq!(csms.get(&format!("{LIST}?chargePoint=CP2")).await["total"], 0);
}

#[tokio::test]
async fn a_number_that_a_command_has_chosen_is_not_given_again() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    let request = json!({"connectorId": 1, "expiryDate": "2099-01-01T00:00:00Z", "idTag": "A", "reservationId": 40});
    let command = "/api/v1/charge-points/CP1/commands/ReserveNow";
    tokio::join!(
        station.obey("ReserveNow", json!({"status": "Accepted"})),
        expect(&csms, 200, "POST", command, Some(request)),
    );
    assert_eq!(csms.get(&format!("{LIST}/40")).await["status"], "Accepted");
    let (_, made) = reserve(&csms, &mut station, "Accepted").await;
    assert_eq!(made["id"], 41);
}

#[tokio::test]
async fn without_an_answer_it_stays_open_and_without_a_charge_point_there_is_none() {
    let (csms, _data) = csms(&[]).await;
    let new = json!({"chargePoint": "CP1", "connector": 1, "idTag": "A", "expiryDate": "2099-01-01T00:00:00Z"});
    let unknown = refused(&csms, 422, "invalidPayload", "POST", LIST, Some(new.clone())).await;
    assert_eq!(unknown["pointer"], "/chargePoint");
    expect(&csms, 201, "POST", "/api/v1/charge-points", Some(json!({"id": "CP1"}))).await;
    refused(&csms, 409, "offline", "POST", LIST, Some(new.clone())).await;
    assert_eq!(csms.get(LIST).await["total"], 0);
    let mut station = csms.booted("CP1").await;
    let quickly = format!("{LIST}?timeoutSeconds=1");
    tokio::join!(station.expect("ReserveNow"), refused(&csms, 504, "timeout", "POST", &quickly, Some(new.clone())));
    assert_eq!(csms.get(LIST).await["items"][0]["status"], "Pending");
    let mut wrong = new;
    wrong["idTag"] = json!("123456789012345678901");
    let problem = refused(&csms, 422, "invalidPayload", "POST", LIST, Some(wrong)).await;
    assert_eq!(problem["pointer"], "/idTag");
    refused(&csms, 404, "notFound", "GET", &format!("{LIST}/99"), None).await;
    refused(&csms, 404, "notFound", "DELETE", &format!("{LIST}/99"), None).await;
}
