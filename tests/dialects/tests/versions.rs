//! One server, several versions: PyPI `ocpp` as a 2.0.1 charging station, and a 1.6 charge point of ours beside it.

#[cfg(not(schemas))]
compile_error!("ONWIRE_OCPP_SCHEMAS names the schemas; `cargo xtask test --stage interop` sets it");

use onwire::net::{Client, Server};
use onwire::ocpp::v16;
use onwire::types::DateTime;
use onwire_dialects::v201::{self, *};
use onwire_tests::program::Program;
use serde_json::json;

struct Csms201;

#[onwire::handlers(v201, role = CSMS)]
impl Csms201 {
    #[on(BootNotification)]
    fn boot(&self, req: BootNotificationRequest) -> BootNotificationResponse {
        assert_eq!(req.reason, BootReasonEnumType::PowerUp);
        BootNotificationResponse::new(DateTime::now(), 300, RegistrationStatusEnumType::Accepted)
    }

    #[on(StatusNotification)]
    fn status(&self, req: StatusNotificationRequest) -> StatusNotificationResponse {
        assert_eq!((req.evse_id, req.connector_status), (1, ConnectorStatusEnumType::Available));
        StatusNotificationResponse::default()
    }

    #[on(TransactionEvent)]
    fn transaction_event(&self, req: TransactionEventRequest) -> TransactionEventResponse {
        assert_eq!(req.transaction_info.transaction_id, "TX-1");
        TransactionEventResponse {
            id_token_info: req.id_token.map(|_| IdTokenInfoType::new(AuthorizationStatusEnumType::Accepted)),
            ..Default::default()
        }
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }
}

struct Csms16;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms16 {
    #[on(Heartbeat)]
    fn heartbeat(&self) -> v16::HeartbeatResponse {
        v16::HeartbeatResponse::new(DateTime::now())
    }
}

struct Charger16;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger16 {
    #[on(ClearCache)]
    fn clear_cache(&self) -> v16::ClearCacheResponse {
        v16::ClearCacheResponse::new(v16::ClearCacheStatus::Rejected)
    }
}

#[tokio::test]
async fn a_2_0_1_station_and_a_1_6_charge_point_share_a_server() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let peers = server.peers();
    tokio::spawn(server.serve((Csms16, Csms201)));

    let client = Client::connect(&format!("ws://{address}/ocpp/OLD"), Charger16).await.unwrap();
    let old = client.peer();
    tokio::spawn(client.run());
    let url = format!("ws://{address}/ocpp/CS-PY");
    let mut station = Program::python("charging_station_201.py", &[&url]);
    assert_eq!(station.expect("boot").await["status"], "Accepted");
    assert_eq!(station.expect("started").await["status"], "Accepted");
    station.expect("ended").await;
    station.expect("ready").await;

    let peer = peers.get("CS-PY").expect("it is connected");
    assert_eq!((peer.dialect().name, old.dialect().name), ("OCPP 2.0.1", "OCPP 1.6"));
    let component = ComponentType::new("OCPPCommCtrlr");
    let wanted = GetVariableDataType::new(component, VariableType::new("HeartbeatInterval"));
    let variables = peer.call(GetVariablesRequest::new(vec![wanted])).await.unwrap();
    let result = &variables.get_variable_result[0];
    assert_eq!(result.attribute_status, GetVariableStatusEnumType::Accepted);
    assert_eq!(result.attribute_value.as_deref(), Some("300"));
    let event = station.expect("get_variables").await;
    assert_eq!(event["variables"], json!([["OCPPCommCtrlr", "HeartbeatInterval"]]));

    // The codes of that version, by their spelling there.
    assert_eq!(station.expect("refused").await["code"], "OccurrenceConstraintViolation");
    assert_eq!(station.expect("refused").await["code"], "FormatViolation");
    station.expect("done").await;
    station.succeeds().await;

    old.call(v16::HeartbeatRequest::new()).await.unwrap();
}

#[test]
fn all_three_folders_are_protocols() {
    let dialects = [&onwire_dialects::v16::DIALECT, &v201::DIALECT, &onwire_dialects::v21::DIALECT];
    assert_eq!(dialects.map(|dialect| dialect.actions.len()), [39, 64, 91]);
    assert_eq!(dialects.map(|dialect| dialect.name), ["", "OCPP 2.0.1", "OCPP 2.1"]);
}
