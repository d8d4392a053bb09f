//! Ten charge points of PyPI `ocpp` at once at the program `csms`, each through a whole session, while an operator drives
//! it by REST.

use onwire_tests::program::Program;
use serde_json::{Value, json};

/// The program's REST interface.
#[derive(Clone)]
struct Operator {
    base: String,
    client: reqwest::Client,
}

impl Operator {
    async fn get(&self, path: &str) -> Value {
        let response = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    async fn command(&self, charge_point: &str, action: &str, request: Value) -> Value {
        let url = format!("{}/api/v1/charge-points/{charge_point}/commands/{action}", self.base);
        let response = self.client.post(url).json(&request).send().await.unwrap();
        let status = response.status();
        let body: Value = response.json().await.unwrap();
        assert_eq!(status, 200, "{action}: {body}");
        body
    }
}

/// One of them: its own session, then one that the operator starts and stops.
async fn session(url: String, operator: Operator, number: usize) -> [i64; 2] {
    let (identity, tag) = (format!("PY-{number}"), format!("TAG-{number}"));
    let mut peer = Program::python("charge_point.py", &[&format!("{url}{identity}"), &tag]);
    let mut transactions = Vec::new();
    let mut is_stopping = false;
    loop {
        let event = peer.event().await;
        match event["event"].as_str().unwrap() {
            "start" | "remote_started" => transactions.push(event["transactionId"].as_i64().unwrap()),
            "ready" => {
                let keys = json!({"key": ["HeartbeatInterval", "Colour"]});
                let configuration = operator.command(&identity, "GetConfiguration", keys).await;
                assert_eq!(configuration["configurationKey"][0]["value"], "300");
                assert_eq!(configuration["unknownKey"], json!(["Colour"]));
                let start = json!({"connectorId": 1, "idTag": format!("REMOTE-{number}")});
                assert_eq!(operator.command(&identity, "RemoteStartTransaction", start).await["status"], "Accepted");
            }
            "done" => break,
            _ => {}
        }
        // Once it has said that it charges, and once only.
        if transactions.len() == 2 && !is_stopping {
            is_stopping = true;
            let stop = json!({"transactionId": transactions[1]});
            assert_eq!(operator.command(&identity, "RemoteStopTransaction", stop).await["status"], "Accepted");
        }
    }
    peer.succeeds().await;
    transactions.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_charge_points_of_pypi_ocpp_charge_at_once_while_the_api_is_driven() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let mut csms = Program::example("csms", &["--listen", "127.0.0.1:0", "--data", folder]);
    let url = csms.line().await.unwrap().strip_prefix("charge points connect to ").unwrap().replace("{identity}", "");
    let page = csms.line().await.unwrap();
    let base = page.strip_prefix("the page is at ").unwrap().trim_end_matches("/web/").to_owned();
    let operator = Operator { base, client: reqwest::Client::new() };

    let sessions: Vec<_> = (0..10).map(|number| tokio::spawn(session(url.clone(), operator.clone(), number))).collect();
    let mut transactions = Vec::new();
    for (number, session) in sessions.into_iter().enumerate() {
        transactions.push((number, session.await.unwrap()));
    }

    let mut numbers: Vec<i64> = transactions.iter().flat_map(|(_, numbers)| *numbers).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 20, "each transaction has a number of its own");
    for (number, [own, remote]) in transactions {
        let own = operator.get(&format!("/api/v1/transactions/{own}")).await;
        assert_eq!(
            (&own["chargePoint"], &own["idTag"]),
            (&json!(format!("PY-{number}")), &json!(format!("TAG-{number}")))
        );
        assert_eq!((&own["energyWh"], &own["active"], &own["estimated"]), (&json!(1000), &json!(false), &json!(false)));
        let remote = operator.get(&format!("/api/v1/transactions/{remote}")).await;
        assert_eq!((&remote["stopReason"], &remote["energyWh"]), (&json!("Remote"), &json!(100)));
    }
    let values = operator.get(&format!("/api/v1/transactions/{}/meter-values?limit=500", numbers[0])).await;
    assert!(values["items"].as_array().unwrap().len() >= 9, "{values}");
}
