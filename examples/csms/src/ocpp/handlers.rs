//! What the central system answers.

use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{CallError, ErrorCode, Peer};
use tracing::info;

use super::certificates;
use crate::app::SharedApp;
use crate::store::{StoreError, next_number};

/// The handlers.
#[derive(Debug)]
pub struct CentralSystem {
    app: SharedApp,
}

impl CentralSystem {
    /// Handlers that keep what they are told in `app`.
    pub fn new(app: SharedApp) -> Self {
        Self { app }
    }
}

/// A charge point whose call could not be kept is told so, and tries again.
fn failed(error: StoreError) -> CallError {
    CallError::new(ErrorCode::InternalError, error.to_string())
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl CentralSystem {
    #[on(BootNotification)]
    fn boot_notification(&self, peer: &Peer, req: BootNotificationRequest) -> BootNotificationResponse {
        let (vendor, model, firmware) = (&req.charge_point_vendor, &req.charge_point_model, &req.firmware_version);
        info!(identity = peer.identity(), %vendor, %model, ?firmware, "boot");
        let interval = i64::from(self.app.config.heartbeat_interval);
        BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::now(), interval)
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }

    #[on(Authorize)]
    fn authorize(&self) -> AuthorizeResponse {
        AuthorizeResponse::new(IdTagInfo::new(AuthorizationStatus::Accepted))
    }

    #[on(StatusNotification)]
    fn status_notification(&self) -> StatusNotificationResponse {
        StatusNotificationResponse::new()
    }

    #[on(StartTransaction)]
    async fn start_transaction(&self) -> Result<StartTransactionResponse, CallError> {
        let id = self.app.store.write(|db| Box::pin(next_number(db, "transaction"))).await.map_err(failed)?;
        Ok(StartTransactionResponse::new(IdTagInfo::new(AuthorizationStatus::Accepted), id))
    }

    #[on(MeterValues)]
    fn meter_values(&self) -> MeterValuesResponse {
        MeterValuesResponse::new()
    }

    #[on(StopTransaction)]
    fn stop_transaction(&self) -> StopTransactionResponse {
        StopTransactionResponse::new()
    }

    #[on(SignCertificate)]
    fn sign_certificate(&self, peer: &Peer, req: SignCertificateRequest) -> SignCertificateResponse {
        certificates::judge(&self.app, peer, &req)
    }

    #[after(SignCertificate)]
    async fn certificate_to_be_signed(&self, peer: &Peer, req: SignCertificateRequest) {
        certificates::sign(&self.app, peer, &req).await;
    }

    #[on(DataTransfer)]
    fn data_transfer(&self) -> DataTransferResponse {
        DataTransferResponse::new(DataTransferStatus::UnknownVendorId)
    }
}
