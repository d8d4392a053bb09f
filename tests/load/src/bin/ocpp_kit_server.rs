//! A minimal central system on the crate ocpp-kit.

use ocpp_kit::engine::IncomingRequest;
use ocpp_kit::rpc::CallError;
use ocpp_kit::transport::{AcceptEveryStation, BoxFuture, Csms, Ctx, Handler};
use ocpp_kit::types::DateTime;
use ocpp_kit::v1_6::{
    Action, BootNotificationResponse, CsRequest, HeartbeatResponse, MeterValuesResponse, RegistrationStatus,
    StatusNotificationResponse,
};
use ocpp_kit::{RawValue, Version};
use onwire_load::serving::{Outcome, announce, run};
use tokio::net::TcpListener;

struct CentralSystem;

impl Handler for CentralSystem {
    fn on_request(&self, context: Ctx, request: IncomingRequest) -> BoxFuture<'_, Result<Box<RawValue>, CallError>> {
        Box::pin(async move {
            let action =
                Action::from_wire(&request.action).ok_or_else(|| CallError::not_implemented(&request.action))?;
            match CsRequest::decode(action, &request.payload, context.decode_options())? {
                CsRequest::BootNotification(_) => {
                    context.reply(&BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::now(), 300))
                }
                CsRequest::Heartbeat(_) => context.reply(&HeartbeatResponse::new(DateTime::now())),
                CsRequest::MeterValues(_) => context.reply(&MeterValuesResponse::new()),
                CsRequest::StatusNotification(_) => context.reply(&StatusNotificationResponse::new()),
                other => Err(CallError::not_supported(other.action().as_str())),
            }
        })
    }
}

fn main() -> Outcome {
    run(async |listen| {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let server = Csms::builder()
            .bind(address)
            .versions([Version::V1_6])
            .authenticate(AcceptEveryStation)
            .handler(CentralSystem)
            // The others have no such limit, and do not ping.
            .max_connections(usize::MAX)
            .ping_interval(None)
            .build()?;
        announce("ws", address);
        Ok(server.serve_on(listener).await?)
    })
}
