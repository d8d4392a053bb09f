//! A central system that tells the test what it has seen.

use std::time::Duration;

use onwire::net::{Peers, Server};
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The test's end of a server that serves until the test ends.
pub(crate) struct CentralSystem {
    pub(crate) peers: Peers,
    seen: UnboundedReceiver<String>,
}

impl CentralSystem {
    /// One that gives this answer to every tag, and its address.
    pub(crate) async fn serve(tags: AuthorizationStatus) -> (Self, String) {
        let server = Server::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ocpp/CP1", server.local_addr().unwrap());
        let peers = server.peers();
        let (handlers, seen) = Handlers::new(tags);
        tokio::spawn(server.serve(handlers));
        (Self { peers, seen }, url)
    }

    /// What it sees next.
    pub(crate) async fn next(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(60), self.seen.recv()).await.expect("in time").unwrap()
    }
}

pub(crate) struct Handlers {
    tags: AuthorizationStatus,
    seen: UnboundedSender<String>,
}

impl Handlers {
    pub(crate) fn new(tags: AuthorizationStatus) -> (Self, UnboundedReceiver<String>) {
        let (sender, seen) = unbounded_channel();
        (Self { tags, seen: sender }, seen)
    }

    fn note(&self, what: String) {
        // A test that has failed no longer listens.
        let _ = self.seen.send(what);
    }
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Handlers {
    #[on(BootNotification)]
    fn boot(&self, req: BootNotificationRequest) -> BootNotificationResponse {
        self.note(format!("boot {} {}", req.charge_point_vendor, req.charge_point_model));
        BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::now(), 300)
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }

    // What the test waits for before it sends a command has been answered then.
    #[after(Heartbeat)]
    fn beaten(&self) {
        self.note("heartbeat".into());
    }

    #[on(Authorize)]
    fn authorize(&self, req: AuthorizeRequest) -> AuthorizeResponse {
        self.note(format!("authorize {}", req.id_tag));
        AuthorizeResponse::new(IdTagInfo::new(self.tags.clone()))
    }

    #[on(StartTransaction)]
    fn start(&self, req: StartTransactionRequest) -> StartTransactionResponse {
        self.note(format!("start {} {}", req.connector_id, req.id_tag));
        StartTransactionResponse::new(IdTagInfo::new(self.tags.clone()), 4711)
    }

    #[on(MeterValues)]
    fn meter_values(&self, req: MeterValuesRequest) -> MeterValuesResponse {
        let units =
            req.meter_value.iter().flat_map(|value| &value.sampled_value).filter_map(|value| value.unit.clone());
        let units: Vec<_> = units.map(|unit| unit.to_string()).collect();
        self.note(format!("meter values of {:?}: {}", req.transaction_id, units.join(" ")));
        MeterValuesResponse::new()
    }

    #[on(StopTransaction)]
    fn stop(&self, req: StopTransactionRequest) -> StopTransactionResponse {
        self.note(format!("stop {} {:?}", req.transaction_id, req.reason));
        StopTransactionResponse::new()
    }

    #[on(StatusNotification)]
    fn status(&self) -> StatusNotificationResponse {
        StatusNotificationResponse::new()
    }

    #[after(StatusNotification)]
    fn reported(&self, req: StatusNotificationRequest) {
        self.note(format!("status {} {}", req.connector_id, req.status));
    }
}
