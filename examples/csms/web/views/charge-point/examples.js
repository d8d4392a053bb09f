// A request for each action that a central system may send, to begin from.

const PERIODS = [{ startPeriod: 0, limit: 16 }];

/** Made when asked, because some have times. */
export function exampleRequests() {
  const later = new Date(Date.now() + 3600000).toISOString();
  const profile = {
    chargingProfileId: 1,
    stackLevel: 0,
    chargingProfilePurpose: 'TxDefaultProfile',
    chargingProfileKind: 'Relative',
    chargingSchedule: { chargingRateUnit: 'A', chargingSchedulePeriod: PERIODS },
  };
  const certificate = { hashAlgorithm: 'SHA256', issuerNameHash: '', issuerKeyHash: '', serialNumber: '' };
  return {
    CancelReservation: { reservationId: 1 },
    CertificateSigned: { certificateChain: '' },
    ChangeAvailability: { connectorId: 0, type: 'Operative' },
    ChangeConfiguration: { key: 'MeterValueSampleInterval', value: '60' },
    ClearCache: {},
    ClearChargingProfile: {},
    DataTransfer: { vendorId: '' },
    DeleteCertificate: { certificateHashData: certificate },
    ExtendedTriggerMessage: { requestedMessage: 'StatusNotification' },
    GetCompositeSchedule: { connectorId: 1, duration: 86400 },
    GetConfiguration: {},
    GetDiagnostics: { location: '' },
    GetInstalledCertificateIds: { certificateType: 'CentralSystemRootCertificate' },
    GetLocalListVersion: {},
    GetLog: { logType: 'SecurityLog', requestId: 1, log: { remoteLocation: '' } },
    InstallCertificate: { certificateType: 'CentralSystemRootCertificate', certificate: '' },
    RemoteStartTransaction: { idTag: '', connectorId: 1 },
    RemoteStopTransaction: { transactionId: 1 },
    ReserveNow: { connectorId: 1, expiryDate: later, idTag: '', reservationId: 1 },
    Reset: { type: 'Soft' },
    SendLocalList: { listVersion: 1, updateType: 'Full', localAuthorizationList: [] },
    SetChargingProfile: { connectorId: 1, csChargingProfiles: profile },
    SignedUpdateFirmware: { requestId: 1, firmware: { location: '', retrieveDateTime: later, signingCertificate: '', signature: '' } },
    TriggerMessage: { requestedMessage: 'StatusNotification' },
    UnlockConnector: { connectorId: 1 },
    UpdateFirmware: { location: '', retrieveDate: later },
  };
}
