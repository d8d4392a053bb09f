//! Firmware and diagnostics.

use serde_json::json;

use crate::{lab, now};

/// The statuses that come after UpdateFirmware; each is shown to the operator.
async fn firmware(statuses: &[&str]) {
    let mut lab = lab().await;
    let request = json!({"location": "http://127.0.0.1/firmware.bin", "retrieveDate": now()});
    lab.command("UpdateFirmware", request, json!({})).await;
    for status in statuses {
        let answer = lab.station.call("FirmwareStatusNotification", json!({"status": status})).await;
        assert_eq!(answer, json!({}));
        assert_eq!(lab.csms.get("/api/v1/charge-points/CP1").await["firmwareStatus"], *status);
    }
}

#[tokio::test]
async fn tc_044_1_firmware_update() {
    firmware(&["Downloading", "Downloaded", "Installing", "Installed"]).await;
}

#[tokio::test]
async fn tc_044_2_firmware_download_failed() {
    firmware(&["Downloading", "DownloadFailed"]).await;
}

#[tokio::test]
async fn tc_044_3_firmware_installation_failed() {
    firmware(&["Downloading", "Downloaded", "Installing", "InstallationFailed"]).await;
}

async fn diagnostics(statuses: &[&str]) {
    let mut lab = lab().await;
    let request = json!({"location": "http://127.0.0.1/diagnostics/"});
    lab.command("GetDiagnostics", request, json!({"fileName": "diagnostics.zip"})).await;
    for status in statuses {
        let answer = lab.station.call("DiagnosticsStatusNotification", json!({"status": status})).await;
        assert_eq!(answer, json!({}));
        assert_eq!(lab.csms.get("/api/v1/charge-points/CP1").await["diagnosticsStatus"], *status);
    }
}

#[tokio::test]
async fn tc_045_1_diagnostics() {
    diagnostics(&["Uploading", "Uploaded"]).await;
}

#[tokio::test]
async fn tc_045_2_diagnostics_upload_failed() {
    diagnostics(&["Uploading", "UploadFailed"]).await;
}
