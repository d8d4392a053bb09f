//! Handlers of every action, which answer with what they were told to.

use std::collections::BTreeMap;

use onwire::codec::{Message, Quirks, decode};
use onwire::ocpp::v16::*;
use serde_json::Value;

/// Both roles; answers by action.
pub struct Everything {
    answers: BTreeMap<String, Value>,
}

impl Everything {
    pub fn new(answers: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self { answers: answers.into_iter().collect() }
    }

    fn answer<T: Message>(&self, action: &str) -> T {
        decode(&self.answers[action].to_string(), Quirks::NONE).unwrap()
    }
}

/// The central system's side.
pub struct CentralSystem(pub Everything);

#[onwire::handlers(ocpp::v16, role = CentralSystem)]
impl CentralSystem {
    #[on(Authorize)]
    fn authorize(&self, _request: AuthorizeRequest) -> AuthorizeResponse {
        self.0.answer("Authorize")
    }

    #[on(BootNotification)]
    fn boot_notification(&self, _request: BootNotificationRequest) -> BootNotificationResponse {
        self.0.answer("BootNotification")
    }

    #[on(DataTransfer)]
    fn data_transfer(&self, _request: DataTransferRequest) -> DataTransferResponse {
        self.0.answer("DataTransfer")
    }

    #[on(DiagnosticsStatusNotification)]
    fn diagnostics_status_notification(
        &self,
        _request: DiagnosticsStatusNotificationRequest,
    ) -> DiagnosticsStatusNotificationResponse {
        self.0.answer("DiagnosticsStatusNotification")
    }

    #[on(FirmwareStatusNotification)]
    fn firmware_status_notification(
        &self,
        _request: FirmwareStatusNotificationRequest,
    ) -> FirmwareStatusNotificationResponse {
        self.0.answer("FirmwareStatusNotification")
    }

    #[on(Heartbeat)]
    fn heartbeat(&self, _request: HeartbeatRequest) -> HeartbeatResponse {
        self.0.answer("Heartbeat")
    }

    #[on(LogStatusNotification)]
    fn log_status_notification(&self, _request: LogStatusNotificationRequest) -> LogStatusNotificationResponse {
        self.0.answer("LogStatusNotification")
    }

    #[on(MeterValues)]
    fn meter_values(&self, _request: MeterValuesRequest) -> MeterValuesResponse {
        self.0.answer("MeterValues")
    }

    #[on(SecurityEventNotification)]
    fn security_event_notification(
        &self,
        _request: SecurityEventNotificationRequest,
    ) -> SecurityEventNotificationResponse {
        self.0.answer("SecurityEventNotification")
    }

    #[on(SignCertificate)]
    fn sign_certificate(&self, _request: SignCertificateRequest) -> SignCertificateResponse {
        self.0.answer("SignCertificate")
    }

    #[on(SignedFirmwareStatusNotification)]
    fn signed_firmware_status_notification(
        &self,
        _request: SignedFirmwareStatusNotificationRequest,
    ) -> SignedFirmwareStatusNotificationResponse {
        self.0.answer("SignedFirmwareStatusNotification")
    }

    #[on(StartTransaction)]
    fn start_transaction(&self, _request: StartTransactionRequest) -> StartTransactionResponse {
        self.0.answer("StartTransaction")
    }

    #[on(StatusNotification)]
    fn status_notification(&self, _request: StatusNotificationRequest) -> StatusNotificationResponse {
        self.0.answer("StatusNotification")
    }

    #[on(StopTransaction)]
    fn stop_transaction(&self, _request: StopTransactionRequest) -> StopTransactionResponse {
        self.0.answer("StopTransaction")
    }
}

/// The charge point's side.
pub struct ChargePoint(pub Everything);

#[onwire::handlers(ocpp::v16, role = ChargePoint)]
impl ChargePoint {
    #[on(CancelReservation)]
    fn cancel_reservation(&self, _request: CancelReservationRequest) -> CancelReservationResponse {
        self.0.answer("CancelReservation")
    }

    #[on(CertificateSigned)]
    fn certificate_signed(&self, _request: CertificateSignedRequest) -> CertificateSignedResponse {
        self.0.answer("CertificateSigned")
    }

    #[on(ChangeAvailability)]
    fn change_availability(&self, _request: ChangeAvailabilityRequest) -> ChangeAvailabilityResponse {
        self.0.answer("ChangeAvailability")
    }

    #[on(ChangeConfiguration)]
    fn change_configuration(&self, _request: ChangeConfigurationRequest) -> ChangeConfigurationResponse {
        self.0.answer("ChangeConfiguration")
    }

    #[on(ClearCache)]
    fn clear_cache(&self, _request: ClearCacheRequest) -> ClearCacheResponse {
        self.0.answer("ClearCache")
    }

    #[on(ClearChargingProfile)]
    fn clear_charging_profile(&self, _request: ClearChargingProfileRequest) -> ClearChargingProfileResponse {
        self.0.answer("ClearChargingProfile")
    }

    #[on(DataTransfer)]
    fn data_transfer(&self, _request: DataTransferRequest) -> DataTransferResponse {
        self.0.answer("DataTransfer")
    }

    #[on(DeleteCertificate)]
    fn delete_certificate(&self, _request: DeleteCertificateRequest) -> DeleteCertificateResponse {
        self.0.answer("DeleteCertificate")
    }

    #[on(ExtendedTriggerMessage)]
    fn extended_trigger_message(&self, _request: ExtendedTriggerMessageRequest) -> ExtendedTriggerMessageResponse {
        self.0.answer("ExtendedTriggerMessage")
    }

    #[on(GetCompositeSchedule)]
    fn get_composite_schedule(&self, _request: GetCompositeScheduleRequest) -> GetCompositeScheduleResponse {
        self.0.answer("GetCompositeSchedule")
    }

    #[on(GetConfiguration)]
    fn get_configuration(&self, _request: GetConfigurationRequest) -> GetConfigurationResponse {
        self.0.answer("GetConfiguration")
    }

    #[on(GetDiagnostics)]
    fn get_diagnostics(&self, _request: GetDiagnosticsRequest) -> GetDiagnosticsResponse {
        self.0.answer("GetDiagnostics")
    }

    #[on(GetInstalledCertificateIds)]
    fn get_installed_certificate_ids(
        &self,
        _request: GetInstalledCertificateIdsRequest,
    ) -> GetInstalledCertificateIdsResponse {
        self.0.answer("GetInstalledCertificateIds")
    }

    #[on(GetLocalListVersion)]
    fn get_local_list_version(&self, _request: GetLocalListVersionRequest) -> GetLocalListVersionResponse {
        self.0.answer("GetLocalListVersion")
    }

    #[on(GetLog)]
    fn get_log(&self, _request: GetLogRequest) -> GetLogResponse {
        self.0.answer("GetLog")
    }

    #[on(InstallCertificate)]
    fn install_certificate(&self, _request: InstallCertificateRequest) -> InstallCertificateResponse {
        self.0.answer("InstallCertificate")
    }

    #[on(RemoteStartTransaction)]
    fn remote_start_transaction(&self, _request: RemoteStartTransactionRequest) -> RemoteStartTransactionResponse {
        self.0.answer("RemoteStartTransaction")
    }

    #[on(RemoteStopTransaction)]
    fn remote_stop_transaction(&self, _request: RemoteStopTransactionRequest) -> RemoteStopTransactionResponse {
        self.0.answer("RemoteStopTransaction")
    }

    #[on(ReserveNow)]
    fn reserve_now(&self, _request: ReserveNowRequest) -> ReserveNowResponse {
        self.0.answer("ReserveNow")
    }

    #[on(Reset)]
    fn reset(&self, _request: ResetRequest) -> ResetResponse {
        self.0.answer("Reset")
    }

    #[on(SendLocalList)]
    fn send_local_list(&self, _request: SendLocalListRequest) -> SendLocalListResponse {
        self.0.answer("SendLocalList")
    }

    #[on(SetChargingProfile)]
    fn set_charging_profile(&self, _request: SetChargingProfileRequest) -> SetChargingProfileResponse {
        self.0.answer("SetChargingProfile")
    }

    #[on(SignedUpdateFirmware)]
    fn signed_update_firmware(&self, _request: SignedUpdateFirmwareRequest) -> SignedUpdateFirmwareResponse {
        self.0.answer("SignedUpdateFirmware")
    }

    #[on(TriggerMessage)]
    fn trigger_message(&self, _request: TriggerMessageRequest) -> TriggerMessageResponse {
        self.0.answer("TriggerMessage")
    }

    #[on(UnlockConnector)]
    fn unlock_connector(&self, _request: UnlockConnectorRequest) -> UnlockConnectorResponse {
        self.0.answer("UnlockConnector")
    }

    #[on(UpdateFirmware)]
    fn update_firmware(&self, _request: UpdateFirmwareRequest) -> UpdateFirmwareResponse {
        self.0.answer("UpdateFirmware")
    }
}
