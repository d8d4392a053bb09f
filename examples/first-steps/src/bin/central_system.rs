//! A central system in thirty lines: `cargo run -p first-steps --bin central_system`.
use onwire::Peer;
use onwire::ocpp::v16::*;
use onwire::types::DateTime;

struct Csms;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(BootNotification)]
    async fn boot(&self, req: BootNotificationRequest) -> BootNotificationResponse {
        println!("{} {} boots", req.charge_point_vendor, req.charge_point_model);
        BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::now(), 300)
    }

    #[after(BootNotification)]
    async fn booted(&self, peer: &Peer) {
        let configuration = peer.call(GetConfigurationRequest::default()).await;
        println!("{}: {configuration:?}", peer.identity());
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let server = onwire::net::Server::bind("127.0.0.1:8080").await?;
    println!("ws://{}/ocpp/{{identity}}", server.local_addr()?);
    server.serve(Csms).await
}
