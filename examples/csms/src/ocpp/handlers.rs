//! What the central system answers: one method for each action.

use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use onwire::{CallError, ErrorCode, Peer, RawPayload};
use serde_json::json;

use super::patience::until_kept;
use super::vendors::{Echo, Vendors};
use super::{authorization, boot, certificates, metering, status, transactions};
use crate::app::SharedApp;
use crate::store::StoreError;
use crate::store::charge_points::{self, Progress};
use crate::store::security_events::{self, SecurityEvent};
use crate::time;

/// The handlers.
#[derive(Debug)]
pub struct CentralSystem {
    app: SharedApp,
    vendors: Vendors,
}

impl CentralSystem {
    /// Handlers that keep what they are told in `app`.
    pub fn new(app: SharedApp) -> Self {
        Self { app, vendors: Vendors::default().with(Echo) }
    }

    async fn progress(
        &self,
        peer: &Peer,
        progress: Progress,
        status: &str,
        request_id: Option<i64>,
    ) -> Result<(), CallError> {
        let (identity, word, now) = (peer.identity(), status.to_owned(), time::now());
        let id = identity.to_owned();
        let keep = self.app.store.write(move |db| Box::pin(charge_points::keep_progress(db, id, progress, word, now)));
        keep.await.map_err(failed)?;
        let kind = match progress {
            Progress::Firmware => "firmwareStatus",
            Progress::Diagnostics => "diagnosticsStatus",
            Progress::Log => "logStatus",
        };
        self.app.events.tell(
            kind,
            identity,
            || json!({"chargePoint": identity, "status": status, "requestId": request_id, "at": time::text(now)}),
        );
        Ok(())
    }
}

/// A charge point whose call could not be kept is told so, and tries again; not with transaction messages
/// ([`until_kept`]).
pub(super) fn failed(error: StoreError) -> CallError {
    tracing::error!(%error, "a charge point's call was not kept");
    CallError::new(ErrorCode::InternalError, "the database failed")
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl CentralSystem {
    #[on(BootNotification)]
    async fn boot_notification(
        &self,
        peer: &Peer,
        req: BootNotificationRequest,
        payload: RawPayload<'_>,
    ) -> Result<BootNotificationResponse, CallError> {
        let question = self.app.admitted.ask(peer.identity());
        let response = boot::answer(&self.app, peer, req, payload.as_str()).await.map_err(failed)?;
        if response.status == RegistrationStatus::Accepted {
            question.accepted();
        }
        Ok(response)
    }

    #[after(BootNotification)]
    async fn booted(&self, peer: &Peer, res: BootNotificationResponse) {
        if res.status == RegistrationStatus::Accepted {
            boot::ask(&self.app, peer).await;
        }
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }

    #[on(Authorize)]
    async fn authorize(&self, req: AuthorizeRequest) -> Result<AuthorizeResponse, CallError> {
        authorization::authorize(&self.app, &req.id_tag).await.map(AuthorizeResponse::new).map_err(failed)
    }

    #[on(StatusNotification)]
    async fn status_notification(
        &self,
        peer: &Peer,
        req: StatusNotificationRequest,
    ) -> Result<StatusNotificationResponse, CallError> {
        status::keep(&self.app, peer, req).await.map_err(failed)?;
        Ok(StatusNotificationResponse::new())
    }

    #[on(StartTransaction)]
    async fn start_transaction(
        &self,
        peer: &Peer,
        req: StartTransactionRequest,
    ) -> Result<StartTransactionResponse, CallError> {
        let now = time::now();
        until_kept(peer, || transactions::start(&self.app, peer, &req, now)).await
    }

    #[on(MeterValues)]
    async fn meter_values(&self, peer: &Peer, req: MeterValuesRequest) -> Result<MeterValuesResponse, CallError> {
        let now = time::now();
        until_kept(peer, || metering::keep(&self.app, peer, &req, now)).await?;
        Ok(MeterValuesResponse::new())
    }

    #[on(StopTransaction)]
    async fn stop_transaction(
        &self,
        peer: &Peer,
        req: StopTransactionRequest,
    ) -> Result<StopTransactionResponse, CallError> {
        let now = time::now();
        until_kept(peer, || transactions::stop(&self.app, peer, &req, now)).await
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
    async fn data_transfer(&self, peer: &Peer, req: DataTransferRequest) -> DataTransferResponse {
        self.vendors.answer(peer, &req.vendor_id, req.message_id.as_deref(), req.data.as_deref()).await
    }

    #[on(FirmwareStatusNotification)]
    async fn firmware_status(
        &self,
        peer: &Peer,
        req: FirmwareStatusNotificationRequest,
    ) -> Result<FirmwareStatusNotificationResponse, CallError> {
        self.progress(peer, Progress::Firmware, req.status.as_str(), None).await?;
        Ok(FirmwareStatusNotificationResponse::new())
    }

    #[on(SignedFirmwareStatusNotification)]
    async fn signed_firmware_status(
        &self,
        peer: &Peer,
        req: SignedFirmwareStatusNotificationRequest,
    ) -> Result<SignedFirmwareStatusNotificationResponse, CallError> {
        self.progress(peer, Progress::Firmware, req.status.as_str(), req.request_id).await?;
        Ok(SignedFirmwareStatusNotificationResponse::new())
    }

    #[on(DiagnosticsStatusNotification)]
    async fn diagnostics_status(
        &self,
        peer: &Peer,
        req: DiagnosticsStatusNotificationRequest,
    ) -> Result<DiagnosticsStatusNotificationResponse, CallError> {
        self.progress(peer, Progress::Diagnostics, req.status.as_str(), None).await?;
        Ok(DiagnosticsStatusNotificationResponse::new())
    }

    #[on(LogStatusNotification)]
    async fn log_status(
        &self,
        peer: &Peer,
        req: LogStatusNotificationRequest,
    ) -> Result<LogStatusNotificationResponse, CallError> {
        self.progress(peer, Progress::Log, req.status.as_str(), req.request_id).await?;
        Ok(LogStatusNotificationResponse::new())
    }

    #[on(SecurityEventNotification)]
    async fn security_event(
        &self,
        peer: &Peer,
        req: SecurityEventNotificationRequest,
    ) -> Result<SecurityEventNotificationResponse, CallError> {
        let event = SecurityEvent {
            charge_point: peer.identity().to_owned(),
            happened_at: req.timestamp.unix_millis(),
            kind: req.r#type.to_string(),
            tech_info: req.tech_info.as_deref().map(str::to_owned),
            received_at: time::now(),
        };
        let kept = event.clone();
        self.app.store.write(|db| Box::pin(security_events::keep_event(db, kept))).await.map_err(failed)?;
        self.app.events.tell("securityEvent", peer.identity(), || {
            json!({"chargePoint": event.charge_point, "type": event.kind, "techInfo": event.tech_info,
                "at": time::text(event.happened_at)})
        });
        Ok(SecurityEventNotificationResponse::new())
    }
}
