//! A minimal central system on onwire.

use onwire::net::Server;
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire_load::serving::{Outcome, announce, run};

struct CentralSystem;

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl CentralSystem {
    #[on(BootNotification)]
    fn boot(&self, _request: BootNotificationRequest) -> BootNotificationResponse {
        BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::now(), 300)
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }

    #[on(MeterValues)]
    fn meter_values(&self, _request: MeterValuesRequest) -> MeterValuesResponse {
        MeterValuesResponse::default()
    }

    #[on(StatusNotification)]
    fn status(&self, _request: StatusNotificationRequest) -> StatusNotificationResponse {
        StatusNotificationResponse::default()
    }
}

fn main() -> Outcome {
    run(async |listen| {
        let server = Server::bind(listen).await?;
        announce(server.local_addr()?);
        Ok(server.serve(CentralSystem).await?)
    })
}
