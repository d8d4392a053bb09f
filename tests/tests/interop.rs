//! Against programs that nobody here wrote: PyPI `ocpp`, with its schema validation on, in both roles.
//!
//! `cargo xtask test` installs the peers, builds the programs of `examples/` and runs this.

use std::sync::Mutex;

use onwire::net::Server;
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire_tests::program::Program;
use serde_json::{Value, json};

#[derive(Default)]
struct Csms {
    seen: Mutex<Vec<String>>,
}

impl Csms {
    fn note(&self, what: impl Into<String>) {
        self.seen.lock().unwrap().push(what.into());
    }
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(BootNotification)]
    fn boot(&self, req: BootNotificationRequest) -> BootNotificationResponse {
        self.note(format!("boot {}", req.charge_point_vendor.is_empty()));
        BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::now(), 300)
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }

    #[on(Authorize)]
    fn authorize(&self) -> AuthorizeResponse {
        AuthorizeResponse::new(IdTagInfo::new(AuthorizationStatus::Accepted))
    }

    #[on(StartTransaction)]
    fn start(&self, req: StartTransactionRequest) -> StartTransactionResponse {
        self.note(format!("start {}", req.id_tag));
        StartTransactionResponse::new(IdTagInfo::new(AuthorizationStatus::Accepted), 4711)
    }

    #[on(MeterValues)]
    fn meter_values(&self, req: MeterValuesRequest) -> MeterValuesResponse {
        let values = req.meter_value.iter().map(|meter_value| meter_value.sampled_value.len()).sum::<usize>();
        self.note(format!("meter values of {:?}: {}", req.transaction_id, values > 1));
        MeterValuesResponse::new()
    }

    #[on(StopTransaction)]
    fn stop(&self, req: StopTransactionRequest) -> StopTransactionResponse {
        self.note(format!("stop {} {:?}", req.transaction_id, req.reason));
        StopTransactionResponse::new()
    }

    #[on(StatusNotification)]
    fn status(&self, req: StatusNotificationRequest) -> StatusNotificationResponse {
        self.note(format!("status {} {}", req.connector_id, req.status));
        StatusNotificationResponse::new()
    }

    #[on(DataTransfer)]
    fn data_transfer(&self) -> DataTransferResponse {
        DataTransferResponse::new(DataTransferStatus::UnknownVendorId)
    }
}

#[tokio::test]
async fn pypi_ocpp_as_charge_point_charges_and_obeys() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/CP-PY", server.local_addr().unwrap());
    let peers = server.peers();
    let csms = std::sync::Arc::new(Csms::default());
    tokio::spawn(server.serve(csms.clone()));
    let mut peer = Program::python("charge_point.py", &[&url]);

    assert_eq!(peer.expect("boot").await["status"], "Accepted");
    assert_eq!(peer.expect("authorize").await["status"], "Accepted");
    assert_eq!(peer.expect("start").await["transactionId"], 4711);
    assert_eq!(peer.expect("data_transfer").await["status"], "UnknownVendorId");
    peer.expect("stop").await;
    peer.expect("ready").await;

    let charge_point = peers.get("CP-PY").expect("it is connected");
    let request = GetConfigurationRequest { key: Some(vec!["HeartbeatInterval".into(), "Colour".into()]) };
    let configuration = charge_point.call(request).await.unwrap();
    assert_eq!(configuration.configuration_key.unwrap()[0].value.as_deref(), Some("300"));
    assert_eq!(configuration.unknown_key.unwrap(), ["Colour"]);
    assert_eq!(peer.expect("get_configuration").await["key"], json!(["HeartbeatInterval", "Colour"]));

    let start = RemoteStartTransactionRequest { connector_id: Some(1), ..RemoteStartTransactionRequest::new("OURS") };
    let started = charge_point.call(start).await.unwrap();
    assert_eq!(started.status, RemoteStartStopStatus::Accepted);
    assert_eq!(peer.expect("remote_start").await["idTag"], "OURS");
    assert_eq!(peer.expect("remote_started").await["transactionId"], 4711);

    let stopped = charge_point.call(RemoteStopTransactionRequest::new(4711)).await.unwrap();
    assert_eq!(stopped.status, RemoteStartStopStatus::Accepted);
    peer.expect("remote_stop").await;
    peer.expect("remote_stopped").await;
    peer.expect("done").await;
    peer.succeeds().await;

    let seen = csms.seen.lock().unwrap();
    let count = |what: &str| seen.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(seen[0], "boot false");
    assert_eq!((count("start PYTAG1"), count("start OURS"), count("stop 4711")), (1, 1, 2), "{seen:?}");
    assert_eq!(count("meter values of Some(4711): true"), 2, "{seen:?}");
    assert!(count("status 1 Charging") >= 1, "{seen:?}");
}

#[tokio::test]
async fn our_charge_point_charges_and_obeys_at_pypi_ocpp_as_central_system() {
    let mut central_system = Program::python("central_system.py", &["--remote"]);
    let port = central_system.expect("listening").await["port"].as_u64().unwrap();
    let url = format!("ws://127.0.0.1:{port}/ocpp/CP1");
    let mut charge_point = Program::example("charge-point", &[&url, "--charge", "2", "--stay"]);

    let connected = central_system.expect("connected").await;
    assert_eq!((&connected["path"], &connected["subprotocol"]), (&json!("/ocpp/CP1"), &json!("ocpp1.6")));
    let mut actions = Vec::new();
    let mut last_stop = Value::Null;
    loop {
        let event = central_system.event().await;
        match event["event"].as_str().unwrap() {
            "call" => {
                actions.push(event["action"].as_str().unwrap().to_owned());
                if event["action"] == "StopTransaction" {
                    last_stop = event["payload"].clone();
                }
            }
            "configuration" => assert!(event["configuration_key"].to_string().contains("NumberOfConnectors")),
            "remote_start" | "remote_stop" => assert_eq!(event["status"], "Accepted"),
            "done" => break,
            other => panic!("{other}"),
        }
    }
    central_system.succeeds().await;
    let count = |action: &str| actions.iter().filter(|name| *name == action).count();
    assert_eq!(actions[0], "BootNotification");
    assert_eq!((count("StartTransaction"), count("StopTransaction")), (2, 2), "{actions:?}");
    assert!(count("MeterValues") >= 2, "{actions:?}");
    assert_eq!(last_stop["reason"], "Remote");
    // It says what it did, and ends with an error once the central system has gone.
    let mut said = Vec::new();
    while let Some(line) = charge_point.line().await {
        said.push(line);
    }
    assert!(
        said.iter().any(|line| line.starts_with("transaction 1: ") && line.ends_with("stopped (Local)")),
        "{said:?}"
    );
}

#[tokio::test]
async fn our_programs_play_a_session_with_each_other() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let mut csms = Program::example("csms", &["--listen", "127.0.0.1:0", "--data", folder, "--id-tag", "tag1"]);
    let line = csms.line().await.unwrap();
    let url = line.strip_prefix("charge points connect to ").unwrap().replace("{identity}", "CP1");
    let mut charge_point = Program::example("charge-point", &[&url, "--charge", "1"]);
    let mut said = Vec::new();
    while let Some(line) = charge_point.line().await {
        said.push(line);
    }
    assert!(said.last().unwrap().starts_with("transaction 1: "), "{said:?}");
    charge_point.succeeds().await;

    let mut stranger = Program::example("charge-point", &[&url, "--id-tag", "nobody"]);
    while stranger.line().await.is_some() {}
    assert!(!stranger.ends().await.success(), "a tag that is not listed has charged");
}
