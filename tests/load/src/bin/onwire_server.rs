//! A minimal central system on onwire. A third argument, `rustls` or `openssl`, asks for TLS.

use std::env;

use onwire::net::{Certificates, Rustls, Server};
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
    let layer = env::args().nth(3);
    run(async move |listen| {
        let server = Server::bind(listen).await?;
        let scheme = if layer.is_some() { "wss" } else { "ws" };
        announce(scheme, server.local_addr()?);
        match layer.as_deref() {
            None => server.serve(CentralSystem).await?,
            Some("rustls") => server.transport(Rustls::new(&certificates()?)?).serve(CentralSystem).await?,
            #[cfg(feature = "openssl")]
            Some("openssl") => {
                let tls = onwire::net::OpenSsl::new(&certificates()?)?;
                server.transport(tls).serve(CentralSystem).await?;
            }
            Some(other) => return Err(format!("TLS by {other} is not built in").into()),
        }
        Ok(())
    })
}

/// A new one, signed by its own key: ECDSA over P-256, as the security whitepaper's cipher suites want it.
fn certificates() -> Result<Certificates, rcgen::Error> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    Ok(Certificates::from_pem(made.cert.pem(), made.signing_key.serialize_pem()))
}
