//! The charge point: boot, heartbeats, sessions, and the central system's commands.

use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::convert::Infallible;
use core::future::Future;
use core::pin::pin;
use core::time::Duration;

use futures_util::future::{Either, select, try_join_all};
use onwire::ocpp::v16::*;
use onwire::types::CiString;
use onwire::{CallFailure, Peer};

use crate::configuration::Configuration;
use crate::connector::Connector;
use crate::hardware::{Hardware, Reading};

/// The wait before another BootNotification where the central system leaves it to the charge point (OCPP 1.6 §4.2).
const BOOT_RETRY: Duration = Duration::from_secs(60);

/// Who the charge point is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// `chargePointVendor`.
    pub vendor: CiString<20>,
    /// `chargePointModel`.
    pub model: CiString<20>,
    /// `firmwareVersion`.
    pub firmware_version: Option<CiString<50>>,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charged {
    /// It ran, and was stopped.
    Stopped {
        /// The central system's number for it.
        transaction_id: i64,
        /// What was taken, in Wh.
        energy_wh: i64,
        /// Why it stopped.
        reason: Reason,
    },
    /// The central system does not let this tag charge.
    NotAuthorized(AuthorizationStatus),
    /// The connector does not exist, or has a session already.
    Occupied,
    /// The hardware could not start.
    Refused,
}

/// A charge point on some hardware.
pub struct ChargePoint<H> {
    hardware: H,
    model: Model,
    configuration: Configuration,
    heartbeat_interval: Cell<Duration>,
    connectors: Vec<Connector>,
}

#[onwire::handlers(ocpp::v16, role = ChargePoint, local)]
impl<H: Hardware> ChargePoint<H> {
    /// Accepted if the connector is free; without one, the first free connector is taken (OCPP 1.6 §5.11).
    #[on(RemoteStartTransaction)]
    fn remote_start(&self, req: RemoteStartTransactionRequest) -> RemoteStartTransactionResponse {
        let offered = |connector: &Connector| connector.offer_remote_start(req.id_tag.clone());
        let taken = match req.connector_id {
            Some(number) => self.connector(number).is_some_and(offered),
            None => self.connectors.iter().any(offered),
        };
        RemoteStartTransactionResponse::new(accepted(taken))
    }

    #[on(RemoteStopTransaction)]
    fn remote_stop(&self, req: RemoteStopTransactionRequest) -> RemoteStopTransactionResponse {
        let stopping = self.connectors.iter().any(|connector| connector.offer_remote_stop(req.transaction_id));
        RemoteStopTransactionResponse::new(accepted(stopping))
    }

    #[on(GetConfiguration)]
    fn get_configuration(&self, req: GetConfigurationRequest) -> GetConfigurationResponse {
        self.configuration.answer(&req, self.connectors.len(), self.heartbeat_interval.get())
    }

    /// No vendor extension is known here (OCPP 1.6 §4.3).
    #[on(DataTransfer)]
    fn data_transfer(&self) -> DataTransferResponse {
        DataTransferResponse::new(DataTransferStatus::UnknownVendorId)
    }
}

impl<H: Hardware> ChargePoint<H> {
    /// A charge point with `connectors` connectors.
    pub fn new(hardware: H, model: Model, configuration: Configuration, connectors: usize) -> Self {
        let heartbeat_interval = Cell::new(configuration.heartbeat_interval);
        let connectors = (0..connectors).map(|_| Connector::default()).collect();
        Self { hardware, model, configuration, heartbeat_interval, connectors }
    }

    /// The hardware.
    pub fn hardware(&self) -> &H {
        &self.hardware
    }

    fn connector(&self, number: i64) -> Option<&Connector> {
        self.connectors.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Sends BootNotification until it is accepted, sets the clock, and reports every connector as Available.
    ///
    /// # Errors
    /// That of the call that failed.
    pub async fn boot(&self, peer: &Peer) -> Result<(), CallFailure> {
        loop {
            let Model { vendor, model, firmware_version } = self.model.clone();
            let request = BootNotificationRequest { firmware_version, ..BootNotificationRequest::new(vendor, model) };
            let response = peer.call(request).await?;
            let interval =
                u64::try_from(response.interval).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
            self.hardware.set_clock(response.current_time);
            if response.status == RegistrationStatus::Accepted {
                if let Some(interval) = interval {
                    self.heartbeat_interval.set(interval);
                }
                break;
            }
            self.hardware.sleep(interval.unwrap_or(BOOT_RETRY)).await;
        }
        self.report(peer, 0, ChargePointStatus::Available).await?;
        for number in (1..).take(self.connectors.len()) {
            self.report(peer, number, ChargePointStatus::Available).await?;
        }
        Ok(())
    }

    /// Sends a Heartbeat at every interval and sets the clock by its answer, until a call fails.
    ///
    /// # Errors
    /// That of the call that failed.
    pub async fn heartbeats(&self, peer: &Peer) -> Result<Infallible, CallFailure> {
        loop {
            self.hardware.sleep(self.heartbeat_interval.get()).await;
            self.hardware.set_clock(peer.call(HeartbeatRequest::new()).await?.current_time);
        }
    }

    /// Runs a session that starts here: `id_tag` was shown, and `stop` ends it.
    ///
    /// # Errors
    /// That of the call that failed; the hardware has stopped then.
    pub async fn charge(
        &self,
        peer: &Peer,
        connector: i64,
        id_tag: IdToken,
        stop: impl Future<Output = Reason>,
    ) -> Result<Charged, CallFailure> {
        match self.connector(connector).filter(|connector| connector.occupy()) {
            Some(_) => self.session(peer, connector, id_tag, true, stop).await,
            None => Ok(Charged::Occupied),
        }
    }

    /// Runs the sessions that the central system starts, on all connectors, until a call fails. Only while this runs is a
    /// RemoteStartTransaction accepted.
    ///
    /// # Errors
    /// That of the call that failed; the sessions of all connectors have been cut off then.
    pub async fn obey(&self, peer: &Peer) -> Result<Infallible, CallFailure> {
        let each = self.connectors.iter().zip(1..).map(async |(connector, number)| {
            loop {
                let id_tag = connector.remote_start().await;
                let authorize = self.configuration.authorize_remote_tx_requests;
                self.session(peer, number, id_tag, authorize, core::future::pending()).await?;
            }
        });
        let never: Vec<Infallible> = try_join_all(each).await?;
        match never.into_iter().next() {
            Some(never) => match never {},
            // Without connectors there is nothing to obey.
            None => core::future::pending().await,
        }
    }

    /// A session on a connector that is occupied for it.
    async fn session(
        &self,
        peer: &Peer,
        number: i64,
        id_tag: IdToken,
        authorize: bool,
        stop: impl Future<Output = Reason>,
    ) -> Result<Charged, CallFailure> {
        let Some(connector) = self.connector(number) else { return Ok(Charged::Occupied) };
        let mut occupied = Occupied { connector, hardware: &self.hardware, charging: None };
        if authorize {
            let status = peer.call(AuthorizeRequest::new(id_tag.clone())).await?.id_tag_info.status;
            if status != AuthorizationStatus::Accepted {
                return Ok(Charged::NotAuthorized(status));
            }
        }
        self.report(peer, number, ChargePointStatus::Preparing).await?;
        // From here on, as the hardware may be at it when the future is dropped.
        occupied.charging = Some(number);
        if !self.hardware.start_charging(number).await {
            occupied.charging = None;
            self.report(peer, number, ChargePointStatus::Available).await?;
            return Ok(Charged::Refused);
        }
        let session = self.transaction(peer, connector, number, &id_tag, stop).await;
        self.hardware.stop_charging(number).await;
        occupied.charging = None;
        let (transaction_id, begin, reason) = session?;
        let end = self.hardware.read_meter(number).await;
        let stop = StopTransactionRequest {
            id_tag: (reason == Reason::Local).then_some(id_tag),
            reason: Some(reason.clone()),
            ..StopTransactionRequest::new(transaction_id, self.hardware.now(), end.energy_wh)
        };
        peer.call(stop).await?;
        self.report(peer, number, ChargePointStatus::Finishing).await?;
        self.report(peer, number, ChargePointStatus::Available).await?;
        Ok(Charged::Stopped { transaction_id, energy_wh: end.energy_wh - begin.energy_wh, reason })
    }

    /// From StartTransaction until something stops it.
    async fn transaction(
        &self,
        peer: &Peer,
        connector: &Connector,
        number: i64,
        id_tag: &IdToken,
        stop: impl Future<Output = Reason>,
    ) -> Result<(i64, Reading, Reason), CallFailure> {
        let begin = self.hardware.read_meter(number).await;
        let start = StartTransactionRequest::new(number, id_tag.clone(), begin.energy_wh, self.hardware.now());
        let started = peer.call(start).await?;
        let transaction = started.transaction_id;
        if started.id_tag_info.status != AuthorizationStatus::Accepted {
            // StopTransactionOnInvalidId, which is on here (OCPP 1.6 §4.8).
            return Ok((transaction, begin, Reason::DeAuthorized));
        }
        connector.started(transaction);
        self.report(peer, number, ChargePointStatus::Charging).await?;
        let (stop, remote_stop, metering) =
            (pin!(stop), pin!(connector.remote_stop()), pin!(self.metering(peer, number, transaction)));
        match select(select(stop, remote_stop), metering).await {
            Either::Left((Either::Left((reason, _)), _)) => Ok((transaction, begin, reason)),
            Either::Left((Either::Right(((), _)), _)) => Ok((transaction, begin, Reason::Remote)),
            Either::Right((failed, _)) => match failed? {},
        }
    }

    /// Sends MeterValues at every sample interval (OCPP 1.6 §3.16).
    async fn metering(&self, peer: &Peer, number: i64, transaction: i64) -> Result<Infallible, CallFailure> {
        let interval = self.configuration.meter_value_sample_interval;
        if interval.is_zero() {
            core::future::pending::<()>().await;
        }
        loop {
            self.hardware.sleep(interval).await;
            let values = sampled(self.hardware.read_meter(number).await);
            let meter_value = vec![MeterValue::new(self.hardware.now(), values)];
            let request = MeterValuesRequest {
                transaction_id: Some(transaction),
                ..MeterValuesRequest::new(number, meter_value)
            };
            peer.call(request).await?;
        }
    }

    async fn report(&self, peer: &Peer, connector: i64, status: ChargePointStatus) -> Result<(), CallFailure> {
        let report = StatusNotificationRequest::new(connector, ChargePointErrorCode::NoError, status);
        let report = StatusNotificationRequest { timestamp: Some(self.hardware.now()), ..report };
        peer.call(report).await.map(drop)
    }
}

/// A connector with a session. However the session ends, also when its future is dropped, the contactor is open and the
/// connector free afterwards.
struct Occupied<'c, H: Hardware> {
    connector: &'c Connector,
    hardware: &'c H,
    /// The connector's number while its contactor may be closed.
    charging: Option<i64>,
}

impl<H: Hardware> Drop for Occupied<'_, H> {
    fn drop(&mut self) {
        if let Some(number) = self.charging {
            self.hardware.cut_off(number);
        }
        self.connector.release();
    }
}

fn accepted(yes: bool) -> RemoteStartStopStatus {
    if yes { RemoteStartStopStatus::Accepted } else { RemoteStartStopStatus::Rejected }
}

fn sampled(reading: Reading) -> Vec<SampledValue> {
    use alloc::string::ToString;
    let energy = SampledValue {
        measurand: Some(Measurand::EnergyActiveImportRegister),
        unit: Some(UnitOfMeasure::Wh),
        ..SampledValue::new(reading.energy_wh.to_string())
    };
    let power = reading.power_w.map(|power| SampledValue {
        measurand: Some(Measurand::PowerActiveImport),
        unit: Some(UnitOfMeasure::W),
        ..SampledValue::new(power.to_string())
    });
    [Some(energy), power].into_iter().flatten().collect()
}
