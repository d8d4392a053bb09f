//! Protocol facts as data: JSON Schemas and action indexes, embedded so that a published crate carries them.
//!
//! Read by `onwire-codegen` while a crate is built; nothing at run time depends on it. The keywords that are ours are
//! described in the crate's README.

/// A file of a protocol's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Name within the folder.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! folder {
    ($folder:literal: $($name:literal)+) => {
        &[$(File {
            name: concat!($name, ".json"),
            text: include_str!(concat!("../", $folder, "/", $name, ".json")),
        }),+]
    };
}

/// OCPP 1.6 with the messages of its security extension.
pub static OCPP_1_6: &[File] = folder! { "ocpp1.6":
    "Authorize"
    "AuthorizeResponse"
    "BootNotification"
    "BootNotificationResponse"
    "CancelReservation"
    "CancelReservationResponse"
    "CertificateSigned"
    "CertificateSignedResponse"
    "ChangeAvailability"
    "ChangeAvailabilityResponse"
    "ChangeConfiguration"
    "ChangeConfigurationResponse"
    "ClearCache"
    "ClearCacheResponse"
    "ClearChargingProfile"
    "ClearChargingProfileResponse"
    "DataTransfer"
    "DataTransferResponse"
    "DeleteCertificate"
    "DeleteCertificateResponse"
    "DiagnosticsStatusNotification"
    "DiagnosticsStatusNotificationResponse"
    "ExtendedTriggerMessage"
    "ExtendedTriggerMessageResponse"
    "FirmwareStatusNotification"
    "FirmwareStatusNotificationResponse"
    "GetCompositeSchedule"
    "GetCompositeScheduleResponse"
    "GetConfiguration"
    "GetConfigurationResponse"
    "GetDiagnostics"
    "GetDiagnosticsResponse"
    "GetInstalledCertificateIds"
    "GetInstalledCertificateIdsResponse"
    "GetLocalListVersion"
    "GetLocalListVersionResponse"
    "GetLog"
    "GetLogResponse"
    "Heartbeat"
    "HeartbeatResponse"
    "InstallCertificate"
    "InstallCertificateResponse"
    "LogStatusNotification"
    "LogStatusNotificationResponse"
    "MeterValues"
    "MeterValuesResponse"
    "RemoteStartTransaction"
    "RemoteStartTransactionResponse"
    "RemoteStopTransaction"
    "RemoteStopTransactionResponse"
    "ReserveNow"
    "ReserveNowResponse"
    "Reset"
    "ResetResponse"
    "SecurityEventNotification"
    "SecurityEventNotificationResponse"
    "SendLocalList"
    "SendLocalListResponse"
    "SetChargingProfile"
    "SetChargingProfileResponse"
    "SignCertificate"
    "SignCertificateResponse"
    "SignedFirmwareStatusNotification"
    "SignedFirmwareStatusNotificationResponse"
    "SignedUpdateFirmware"
    "SignedUpdateFirmwareResponse"
    "StartTransaction"
    "StartTransactionResponse"
    "StatusNotification"
    "StatusNotificationResponse"
    "StopTransaction"
    "StopTransactionResponse"
    "TriggerMessage"
    "TriggerMessageResponse"
    "UnlockConnector"
    "UnlockConnectorResponse"
    "UpdateFirmware"
    "UpdateFirmwareResponse"
    "index"
    "types"
};

/// Who may start which action of OCPP 2.0.1; the schemas are the Open Charge Alliance's, whose licence does not let
/// them be changed, and are not carried here.
pub static OCPP_2_0_1_INDEX: File = File { name: "index.json", text: include_str!("../ocpp2.0.1/index.json") };

/// Who may start which action of OCPP 2.1; see [`OCPP_2_0_1_INDEX`].
pub static OCPP_2_1_INDEX: File = File { name: "index.json", text: include_str!("../ocpp2.1/index.json") };

/// System messages of Alink, the thing-model protocol of Aliyun IoT: desired properties, tags, configuration, log, updates,
/// file uploads, sub-devices.
pub static ALINK: &[File] = folder! { "alink":
    "BatchPost"
    "BatchPostResponse"
    "CombineBatchLogin"
    "CombineBatchLoginResponse"
    "CombineBatchLogout"
    "CombineBatchLogoutResponse"
    "CombineLogin"
    "CombineLoginResponse"
    "CombineLogout"
    "CombineLogoutResponse"
    "ConfigGet"
    "ConfigGetResponse"
    "ConfigPush"
    "ConfigPushResponse"
    "Delete"
    "DeleteResponse"
    "DesiredDelete"
    "DesiredDeleteResponse"
    "DesiredGet"
    "DesiredGetResponse"
    "Disable"
    "DisableResponse"
    "DslTemplateGet"
    "DslTemplateGetResponse"
    "Enable"
    "EnableResponse"
    "FileDownload"
    "FileDownloadResponse"
    "FileUploadCancel"
    "FileUploadCancelResponse"
    "FileUploadInit"
    "FileUploadInitResponse"
    "FileUploadSend"
    "FileUploadSendResponse"
    "HistoryPost"
    "HistoryPostResponse"
    "ListFound"
    "ListFoundResponse"
    "LogConfigGet"
    "LogConfigGetResponse"
    "LogConfigPush"
    "LogConfigPushResponse"
    "LogPost"
    "LogPostResponse"
    "OtaFirmwareGet"
    "OtaFirmwareGetResponse"
    "OtaInform"
    "OtaProgress"
    "OtaUpgrade"
    "PackPost"
    "PackPostResponse"
    "SubRegister"
    "SubRegisterResponse"
    "SubUnregister"
    "SubUnregisterResponse"
    "TagsDelete"
    "TagsDeleteResponse"
    "TagsGet"
    "TagsGetResponse"
    "TagsUpdate"
    "TagsUpdateResponse"
    "TopoAdd"
    "TopoAddNotify"
    "TopoAddNotifyResponse"
    "TopoAddResponse"
    "TopoChange"
    "TopoChangeResponse"
    "TopoDelete"
    "TopoDeleteResponse"
    "TopoGet"
    "TopoGetResponse"
    "index"
    "types"
};

/// Thing models (TSL) of Aliyun IoT, written for this project: a charging pile, a smart socket, a tracker.
pub static THING: &[File] = folder! { "thing": "pile" "socket" "tracker" };

/// The topics of Alink: who publishes on them, who listens, and where answers belong.
pub static ALINK_TOPICS: File = File { name: "alink.json", text: include_str!("../topics/alink.json") };

#[cfg(test)]
mod tests {
    use super::{ALINK, ALINK_TOPICS, File, OCPP_1_6, THING};

    fn assert_carried(folder: &str, files: &[File]) {
        let mut found: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        let carried: Vec<&str> = files.iter().map(|file| file.name).collect();
        assert_eq!(found, carried);
    }

    #[test]
    fn every_file_of_the_folders_is_carried() {
        assert_carried(concat!(env!("CARGO_MANIFEST_DIR"), "/ocpp1.6"), OCPP_1_6);
        assert_carried(concat!(env!("CARGO_MANIFEST_DIR"), "/alink"), ALINK);
        assert_carried(concat!(env!("CARGO_MANIFEST_DIR"), "/thing"), THING);
        assert_carried(concat!(env!("CARGO_MANIFEST_DIR"), "/topics"), &[ALINK_TOPICS]);
    }
}
