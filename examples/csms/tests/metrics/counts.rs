//! Metrics.

use async_tungstenite::tokio::connect_async;
use futures_util::StreamExt;
use serde_json::json;

use crate::support::{PATIENCE, csms};
use crate::{metrics, value};

#[tokio::test]
async fn calls_are_counted_by_action_and_outcome_and_timed() {
    let (csms, _data) = csms(&[]).await;
    let mut station = csms.booted("CP1").await;
    for _ in 0..3 {
        station.call("Heartbeat", json!({})).await;
    }
    station.try_call("Heartbeat", json!([])).await.unwrap_err();
    station.try_call("MakeCoffee", json!({})).await.unwrap_err();
    station.try_call("MakeTea", json!({})).await.unwrap_err();
    let metrics = metrics(&csms).await;
    let value = |name: &str| value(&metrics, name).unwrap_or_else(|| panic!("{name} is missing in {metrics}"));
    let heartbeat = r#"{direction="received",action="Heartbeat"}"#;
    assert_eq!(value(&format!("csms_ocpp_calls_begun_total{heartbeat}")), 4.0);
    let call = |action, outcome| {
        value(&format!(r#"csms_ocpp_calls_total{{direction="received",action="{action}",outcome="{outcome}"}}"#))
    };
    assert_eq!(call("Heartbeat", "result"), 3.0);
    assert_eq!(call("Heartbeat", "FormationViolation"), 1.0);
    assert_eq!(call("other", "NotImplemented"), 2.0);
    assert_eq!(value(&format!("csms_ocpp_call_duration_seconds_count{heartbeat}")), 4.0);
    assert_eq!(value("csms_connections"), 1.0);
    assert_eq!(value("csms_meter_values_lost_total"), 0.0);
    assert_eq!(value("csms_message_log_dropped_total"), 0.0);
    assert!(value("csms_store_commits_total") >= 1.0);
    assert!(value("csms_process_start_time_seconds") > 1.0e9);
    assert!(!metrics.contains("MakeCoffee"), "a peer cannot make labels");
    assert!(metrics.ends_with("# EOF\n"));
}

#[tokio::test]
async fn refused_handshakes_are_counted_by_reason() {
    let (csms, _data) = csms(&[]).await;
    let refused = reqwest::get(format!("{}/ocpp/CP1", csms.http)).await.unwrap();
    assert_eq!(refused.status(), 426);
    // Closed at once, because it offers no subprotocol.
    let (mut socket, _) = connect_async(format!("{}CP1", csms.url)).await.unwrap();
    let closed = tokio::time::timeout(PATIENCE, async { while matches!(socket.next().await, Some(Ok(_))) {} });
    closed.await.expect("it is closed at once");
    let metrics = metrics(&csms).await;
    let refused = |reason: &str| value(&metrics, &format!(r#"csms_handshakes_refused_total{{reason="{reason}"}}"#));
    assert_eq!((refused("notAWebSocket"), refused("noSubprotocol")), (Some(1.0), Some(1.0)), "{metrics}");
}

#[tokio::test]
async fn http_requests_are_counted_by_route_and_not_by_path() {
    let (csms, _data) = csms(&[]).await;
    metrics(&csms).await;
    for path in ["/no/such/page", "/nor/this/one"] {
        assert_eq!(reqwest::get(format!("{}{path}", csms.http)).await.unwrap().status(), 404);
    }
    let metrics = metrics(&csms).await;
    let requests = |route: &str, status| {
        let name = format!(r#"csms_http_requests_total{{method="GET",route="{route}",status="{status}"}}"#);
        value(&metrics, &name)
    };
    assert_eq!((requests("/metrics", 200), requests("other", 404)), (Some(1.0), Some(2.0)), "{metrics}");
    assert!(!metrics.contains("such"), "nobody can make labels");
}
