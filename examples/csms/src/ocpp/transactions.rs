//! StartTransaction and StopTransaction. They are answered whatever sanity checks say: a charge point that is refused only
//! sends them again (OCPP 1.6 §4.8, §4.10).

use onwire::Peer;
use onwire::ocpp::v16::*;
use tracing::{info, warn};

use super::{authorization, metering};
use crate::app::SharedApp;
use crate::store::StoreError;
use crate::store::text::{storable, storable_option};
use crate::store::transactions::{self, Start, Stop, Transaction};

/// Begins a transaction. It is durable when this returns.
///
/// # Errors
/// Those of the database.
pub async fn start(
    app: &SharedApp,
    peer: &Peer,
    req: &StartTransactionRequest,
    now: i64,
) -> Result<StartTransactionResponse, StoreError> {
    let at = req.timestamp.unix_millis();
    app.clocks.note(peer.identity(), at, now);
    let gone_after = i64::from(app.config.concurrent_tx_hours).saturating_mul(3_600_000);
    let start = Start {
        charge_point: peer.identity().to_owned(),
        connector: req.connector_id,
        id_tag: storable(&req.id_tag),
        meter: req.meter_start,
        at,
        clock_lead: app.clocks.lead(peer.identity()),
        reservation: req.reservation_id,
        accepts_unknown: app.policy.accepts_unknown_id_tags(),
        concurrent_tx: app.config.concurrent_tx,
        peers: app.peers.clone(),
        gone_before: (gone_after > 0).then(|| now.saturating_sub(gone_after)),
        now,
    };
    let started = app.store.write(|db| Box::pin(transactions::start(db, start))).await?;
    tell_ended(app, &started.ended);
    let transaction = &started.transaction;
    if started.is_new {
        let (connector, status) = (transaction.connector, &transaction.id_tag_status);
        info!(identity = peer.identity(), transaction = transaction.id, connector, %status, "a transaction started");
        app.events.tell("transactionStarted", peer.identity(), || transaction);
    }
    Ok(StartTransactionResponse::new(authorization::info(&started.verdict), transaction.id))
}

/// Ends a transaction, with its `transactionData`; all of it is durable when this returns.
///
/// # Errors
/// Those of the database.
pub async fn stop(
    app: &SharedApp,
    peer: &Peer,
    req: &StopTransactionRequest,
    now: i64,
) -> Result<StopTransactionResponse, StoreError> {
    let charge_point = peer.identity();
    let (at, data) = (req.timestamp.unix_millis(), req.transaction_data.as_deref().unwrap_or_default());
    app.clocks.note(charge_point, at, now);
    let stop = Stop {
        charge_point: charge_point.to_owned(),
        transaction: req.transaction_id,
        meter: req.meter_stop,
        at,
        clock_lead: app.clocks.lead(charge_point),
        reason: storable_option(req.reason.as_ref().map(Reason::as_str)),
        id_tag: storable_option(req.id_tag.as_deref()),
        samples: metering::rows(charge_point, 0, None, data),
        readings: metering::readings(data),
        accepts_unknown: app.policy.accepts_unknown_id_tags(),
        now,
    };
    let stopped = app.store.write(|db| Box::pin(transactions::stop(db, stop))).await?;
    match &stopped.transaction {
        Some(transaction) if stopped.is_new => {
            let (id, reason) = (transaction.id, &transaction.stop_reason);
            info!(identity = charge_point, transaction = id, ?reason, "a transaction stopped");
            if transaction.attributed.0 != 0 {
                let number = req.transaction_id;
                warn!(
                    identity = charge_point,
                    transaction = id,
                    number,
                    "its stop named another number: taken for its"
                );
            }
            app.events.tell("transactionStopped", charge_point, || transaction);
        }
        None if stopped.is_new => {
            warn!(identity = charge_point, transaction = req.transaction_id, "a stop of no known transaction");
        }
        _ => {}
    }
    let mut response = StopTransactionResponse::new();
    response.id_tag_info = stopped.verdict.as_ref().map(authorization::info);
    Ok(response)
}

/// Tells of transactions that the server has ended.
pub(super) fn tell_ended(app: &SharedApp, ended: &[Transaction]) {
    for transaction in ended {
        let (identity, id) = (transaction.charge_point.as_str(), transaction.id);
        warn!(identity, transaction = id, "its stop was lost: ended with the last register that is known");
        app.events.tell("transactionStopped", identity, || transaction);
    }
}
