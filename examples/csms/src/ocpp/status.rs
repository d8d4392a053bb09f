//! StatusNotification, and what it shows of transactions and reservations.

use onwire::Peer;
use onwire::ocpp::v16::*;
use onwire::types::DateTime;
use serde_json::json;

use crate::app::SharedApp;
use crate::store::connectors::{self, ConnectorStatus};
use crate::store::reservations::OutOfOrder;
use crate::store::transactions::{self, Over};
use crate::store::{StoreError, reservations};
use crate::time;

/// Keeps it. A connector that is Available has no transaction: one that runs here has lost its stop, and is ended. A status
/// from before the transaction's start (charge points send them late, too) shows nothing of it
/// ([`order`](crate::store::transactions::order)).
///
/// # Errors
/// Those of the database.
pub async fn keep(app: &SharedApp, peer: &Peer, req: StatusNotificationRequest) -> Result<(), StoreError> {
    let now = time::now();
    let identity = peer.identity();
    let at = req.timestamp.map_or(now, DateTime::unix_millis);
    if req.timestamp.is_some() {
        app.clocks.note(identity, at, now);
    }
    let status = ConnectorStatus {
        charge_point: identity.to_owned(),
        connector: req.connector_id,
        status: req.status.as_str().to_owned(),
        error_code: req.error_code.as_str().to_owned(),
        info: req.info.as_deref().filter(|info| !info.is_empty()).map(str::to_owned),
        vendor_id: req.vendor_id.as_deref().map(str::to_owned),
        vendor_error_code: req.vendor_error_code.as_deref().map(str::to_owned),
        reported_at: at,
    };
    let event = status.clone();
    let write = app.store.write(move |db| {
        Box::pin(async move {
            let (charge_point, connector, word) =
                (status.charge_point.clone(), status.connector, status.status.clone());
            let before = connectors::keep_status(db, status).await?;
            let was_reserved = before.as_deref() == Some("Reserved");
            match word.as_str() {
                "Faulted" | "Unavailable" => {
                    let out = OutOfOrder { charge_point, connector, status: word, was_reserved, at };
                    reservations::end_by_fault(db, out).await?;
                    return Ok(Vec::new());
                }
                "Reserved" if connector > 0 => {
                    reservations::connector_is_reserved(db, charge_point, connector, now).await?;
                    return Ok(Vec::new());
                }
                "Available" if connector > 0 => {}
                _ => return Ok(Vec::new()),
            }
            if was_reserved {
                reservations::connector_is_free(db, charge_point.clone(), connector, now).await?;
            }
            transactions::end_estimated(db, &charge_point, connector, Over { at, now, all: false }).await
        })
    });
    let ended = write.await?;
    app.events.tell("status", identity, || {
        json!({"chargePoint": identity, "connector": event.connector, "status": event.status,
            "errorCode": event.error_code, "info": event.info, "vendorId": event.vendor_id,
            "vendorErrorCode": event.vendor_error_code, "at": time::text(at)})
    });
    super::transactions::tell_ended(app, &ended);
    Ok(())
}
