//! A central system: an asynchronous handler, a synchronous one, and one that calls its peer after the answer.

use onwire::net::{Client, Server};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{CallError, CallFailure, CallId, ErrorCode, Peer, RawPayload};
use tokio::sync::mpsc;

struct Csms {
    seen: mpsc::UnboundedSender<String>,
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(BootNotification)]
    async fn boot(&self, peer: &Peer, req: BootNotificationRequest) -> BootNotificationResponse {
        let _ = self.seen.send(format!("boot {} {}", peer.identity(), req.charge_point_model));
        BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::UNIX_EPOCH, 300)
    }

    #[after(BootNotification)]
    async fn booted(&self, peer: &Peer, req: BootNotificationRequest, res: BootNotificationResponse) {
        let keys = peer.call(GetConfigurationRequest::default()).await;
        let keys = keys.unwrap().configuration_key.unwrap();
        let _ = self.seen.send(format!("booted {} {} {}", req.charge_point_vendor, res.status, keys[0].key));
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::UNIX_EPOCH)
    }

    #[on(Authorize)]
    async fn authorize(&self, id: CallId<'_>, raw: RawPayload<'_>) -> Result<AuthorizeResponse, CallError> {
        let _ = self.seen.send(format!("authorize {} {}", id.is_empty(), raw.as_str()));
        Err(CallError::new(ErrorCode::InternalError, "the tag store is away"))
    }
}

struct Charger;

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl Charger {
    #[on(GetConfiguration)]
    fn configuration(&self) -> GetConfigurationResponse {
        let key = KeyValue { value: Some("1".into()), ..KeyValue::new("NumberOfConnectors", true) };
        GetConfigurationResponse { configuration_key: Some(vec![key]), ..Default::default() }
    }
}

#[tokio::test]
async fn boot_is_answered_before_the_configuration_is_asked_for() {
    let (seen, mut events) = mpsc::unbounded_channel();
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp/RDAM%20123", server.local_addr().unwrap());
    tokio::spawn(server.serve(Csms { seen }));

    let client = Client::connect(&url, Charger).await.unwrap();
    let peer = client.peer();
    let work = async {
        let boot = peer.call(BootNotificationRequest::new("Example", "Model 1")).await.unwrap();
        assert_eq!((boot.status, boot.interval), (RegistrationStatus::Accepted, 300));
        // A call of ours and one of the server's cross on the wire.
        peer.call(HeartbeatRequest::new()).await.unwrap();
        assert_eq!(events.recv().await.unwrap(), "boot RDAM 123 Model 1");
        assert_eq!(events.recv().await.unwrap(), "booted Example Accepted NumberOfConnectors");

        let refused = peer.call(AuthorizeRequest::new("TAG1")).await.unwrap_err();
        let CallFailure::Refused(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error, CallError::new(ErrorCode::InternalError, "the tag store is away"));
        assert_eq!(events.recv().await.unwrap(), r#"authorize false {"idTag":"TAG1"}"#);

        // Known to the protocol, handled by nobody.
        let refused = peer.call(DataTransferRequest::new("com.example")).await.unwrap_err();
        assert_eq!(refused, CallFailure::Refused(ErrorCode::NotSupported.into()));
        // What may not be sent is not sent, and the error names it.
        let unsendable = peer.call(AuthorizeRequest::new("123456789012345678901")).await.unwrap_err();
        assert_eq!(unsendable.to_string(), "the request cannot be sent: /idTag: longer than 20 characters");
    };
    client.run_until(work).await.unwrap();
}
