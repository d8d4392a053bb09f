//! `/server`.

use serde_json::json;

use crate::support::{Csms, csms, look_into};
use crate::{expect, refused};

const SERVER: &str = "/api/v1/server";

#[tokio::test]
async fn it_says_what_it_is() {
    let (csms, _data) = csms(&[]).await;
    let _station = csms.booted("CP1").await;
    let server = csms.get(SERVER).await;
    let database = if crate::support::is_sqlite() { "sqlite" } else { "postgres" };
    assert_eq!((&server["name"], &server["database"]), (&json!("csms"), &json!(database)), "{server}");
    assert_eq!((&server["open"], &server["connected"]), (&json!(true), &json!(1)), "{server}");
    assert_eq!((&server["authentication"], &server["user"]), (&json!(false), &json!(null)), "{server}");
    assert!(csms.url.starts_with(server["urls"]["ocpp"][0].as_str().unwrap()), "{server}");
}

#[tokio::test]
async fn one_switch_closes_it_also_for_its_next_start() {
    let (csms, data) = csms(&[]).await;
    let closed = expect(&csms, 200, "PATCH", SERVER, Some(json!({"open": false}))).await;
    assert_eq!((&closed["open"], &closed["unknownChargePoints"]), (&json!(false), &json!(false)), "{closed}");
    let half = expect(&csms, 200, "PATCH", SERVER, Some(json!({"unknownIdTags": true}))).await;
    assert_eq!((&half["open"], &half["unknownIdTags"]), (&json!(false), &json!(true)), "{half}");
    refused(&csms, 422, "invalidPayload", "PATCH", SERVER, Some(json!({"opened": true}))).await;
    csms.stop().await;
    let csms = Csms::start_in(data.path(), &[]).await;
    let server = csms.get(SERVER).await;
    assert_eq!((&server["unknownChargePoints"], &server["unknownIdTags"]), (&json!(false), &json!(true)), "{server}");
}

#[tokio::test]
async fn of_two_who_switch_at_once_the_server_and_its_next_start_obey_the_same() {
    let (csms, data) = csms(&[]).await;
    let mut db = look_into(data.path()).await;
    for _ in 0..100 {
        let switch = |open: bool| csms.http("PATCH", SERVER, Some(json!({"unknownChargePoints": open})));
        let (a, b, c, d) = tokio::join!(switch(true), switch(false), switch(true), switch(false));
        assert_eq!([a.0, b.0, c.0, d.0], [200; 4]);
        let sql = "SELECT value FROM settings WHERE name = 'unknownChargePoints'";
        let kept: String = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
        assert_eq!(csms.get(SERVER).await["unknownChargePoints"].to_string(), kept);
    }
}
