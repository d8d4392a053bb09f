//! What the central system answers.

use std::collections::HashSet;

use onwire::Peer;
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use tracing::{info, warn};

use crate::state::{Start, State};

/// Seconds between two heartbeats: the spare sign of life, as any message is one (OCPP 1.6 §9.1.10).
const HEARTBEAT_INTERVAL: i64 = 300;

pub(crate) struct Csms {
    /// Empty: every tag may charge.
    id_tags: HashSet<IdToken>,
    state: State,
}

impl Csms {
    pub(crate) fn new(id_tags: impl IntoIterator<Item = IdToken>) -> Self {
        Self { id_tags: id_tags.into_iter().collect(), state: State::default() }
    }

    fn verdict(&self, id_tag: &IdToken) -> IdTagInfo {
        let known = self.id_tags.is_empty() || self.id_tags.contains(id_tag);
        IdTagInfo::new(if known { AuthorizationStatus::Accepted } else { AuthorizationStatus::Invalid })
    }
}

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl Csms {
    #[on(BootNotification)]
    fn boot_notification(&self, peer: &Peer, req: BootNotificationRequest) -> BootNotificationResponse {
        let (vendor, model, firmware) = (&req.charge_point_vendor, &req.charge_point_model, &req.firmware_version);
        info!(identity = peer.identity(), %vendor, %model, ?firmware, "boot");
        BootNotificationResponse::new(RegistrationStatus::Accepted, DateTime::now(), HEARTBEAT_INTERVAL)
    }

    #[on(Heartbeat)]
    fn heartbeat(&self) -> HeartbeatResponse {
        HeartbeatResponse::new(DateTime::now())
    }

    #[on(Authorize)]
    fn authorize(&self, peer: &Peer, req: AuthorizeRequest) -> AuthorizeResponse {
        let verdict = self.verdict(&req.id_tag);
        info!(identity = peer.identity(), id_tag = %req.id_tag, status = %verdict.status, "authorize");
        AuthorizeResponse::new(verdict)
    }

    #[on(StatusNotification)]
    fn status_notification(&self, peer: &Peer, req: StatusNotificationRequest) -> StatusNotificationResponse {
        let (status, error) = (&req.status, &req.error_code);
        info!(identity = peer.identity(), connector = req.connector_id, %status, %error, "status");
        StatusNotificationResponse::new()
    }

    /// Answered whatever the verdict is, or the charge point would repeat it (OCPP 1.6 §4.8).
    #[on(StartTransaction)]
    fn start_transaction(&self, peer: &Peer, req: StartTransactionRequest) -> StartTransactionResponse {
        let verdict = self.verdict(&req.id_tag);
        let start = Start {
            identity: peer.identity().to_owned(),
            connector: req.connector_id,
            id_tag: req.id_tag,
            timestamp: req.timestamp,
            meter_wh: req.meter_start,
        };
        let (transaction, repeated) = self.state.start(start);
        info!(identity = peer.identity(), transaction, repeated, status = %verdict.status, "start");
        StartTransactionResponse::new(verdict, transaction)
    }

    #[on(MeterValues)]
    fn meter_values(&self, peer: &Peer, req: MeterValuesRequest) -> MeterValuesResponse {
        for value in req.meter_value.iter().flat_map(|meter_value| &meter_value.sampled_value) {
            let measurand = value.measurand.as_ref().unwrap_or(&Measurand::EnergyActiveImportRegister);
            let unit = value.unit.as_ref().map_or("", UnitOfMeasure::as_str);
            info!(
                identity = peer.identity(),
                transaction = req.transaction_id,
                connector = req.connector_id,
                "{measurand} {} {unit}",
                value.value
            );
        }
        MeterValuesResponse::new()
    }

    /// Answered also for a transaction that nobody knows (OCPP 1.6 §4.10).
    #[on(StopTransaction)]
    fn stop_transaction(&self, peer: &Peer, req: StopTransactionRequest) -> StopTransactionResponse {
        let reason = req.reason.as_ref().unwrap_or(&Reason::Local);
        match self.state.stop(peer.identity(), req.transaction_id, req.meter_stop) {
            Some(energy_wh) => info!(identity = peer.identity(), req.transaction_id, energy_wh, %reason, "stop"),
            None => warn!(identity = peer.identity(), req.transaction_id, %reason, "stop of an unknown transaction"),
        }
        StopTransactionResponse { id_tag_info: req.id_tag.as_ref().map(|id_tag| self.verdict(id_tag)) }
    }

    /// No vendor extension is known here (OCPP 1.6 §4.3).
    #[on(DataTransfer)]
    fn data_transfer(&self, peer: &Peer, req: DataTransferRequest) -> DataTransferResponse {
        info!(identity = peer.identity(), vendor = %req.vendor_id, "data transfer of an unknown vendor");
        DataTransferResponse::new(DataTransferStatus::UnknownVendorId)
    }
}
