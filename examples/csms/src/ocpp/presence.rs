//! Who comes and goes, and what only time changes.

use std::time::Duration;

use futures_util::FutureExt;
use onwire::Peer;
use onwire::net::{PeerEvent, PeerEvents};
use serde_json::json;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::app::SharedApp;
use crate::security::logins;
use crate::store::{StoreError, charge_points, reservations, sql};
use crate::time;

/// How late it is noticed at most that a reservation expires, or that a certificate was revoked by another process.
const SWEEP: Duration = Duration::from_secs(5);

/// Follows the directory of connected charge points until the server ends.
pub async fn follow(app: SharedApp, mut events: PeerEvents) {
    let mut ends = app.ends.clone();
    let mut seen = Seen(time::now());
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ends.changed() => {
                logged(seen.keep(&app).await);
                return last_ones(&app, &mut events).await;
            }
            _ = sweep.tick() => {
                logged(seen.keep(&app).await);
                logged(app.refusals.keep(&app).await);
                logged(expire(&app).await);
                logged(logins::end_revoked(&app).await);
            }
            event = events.next() => match event {
                Some(Ok(event)) => logged(told(&app, &event).await),
                Some(Err(lost)) => {
                    warn!(lost, "charge points come and go faster than it can be followed");
                    app.admitted.forget_all();
                    logins::check_all(&app).await;
                }
                None => return,
            },
        }
    }
}

/// Follows those who go because the server ends: nobody comes any more.
async fn last_ones(app: &SharedApp, events: &mut PeerEvents) {
    while !app.peers.is_empty() {
        match events.next().await {
            Some(Ok(event)) => logged(told(app, &event).await),
            Some(Err(_)) => {}
            None => return,
        }
    }
    while let Some(Some(Ok(event))) = events.next().now_or_never() {
        logged(told(app, &event).await);
    }
}

fn logged(kept: Result<(), StoreError>) {
    if let Err(error) = kept {
        warn!(%error, "not kept");
    }
}

async fn told(app: &SharedApp, event: &PeerEvent) -> Result<(), StoreError> {
    match event {
        PeerEvent::Connected(peer) | PeerEvent::Replaced(peer) => {
            app.admitted.forget(peer.identity());
            app.events.tell("connected", peer.identity(), || connected(app, peer));
            logins::check_again(app, peer).await;
            seen(app, peer).await
        }
        PeerEvent::Disconnected(peer) => {
            app.admitted.forget(peer.identity());
            app.clocks.forget(peer.identity());
            let kept = seen(app, peer).await;
            app.events.tell(
                "disconnected",
                peer.identity(),
                || json!({"chargePoint": peer.identity(), "reason": peer.failure().map(|failure| failure.to_string())}),
            );
            kept
        }
        PeerEvent::HeldBack(identity) => {
            app.events.tell("heldBack", identity, || json!({"chargePoint": &**identity}));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn connected(app: &SharedApp, peer: &Peer) -> serde_json::Value {
    let remote = app.peers.find(peer.identity()).and_then(|found| found.remote);
    json!({"chargePoint": peer.identity(), "protocol": super::protocol(app, peer),
        "remoteAddress": remote.map(|address| address.to_string())})
}

async fn seen(app: &SharedApp, peer: &Peer) -> Result<(), StoreError> {
    let seen = vec![(peer.identity().to_owned(), time::now())];
    app.store.write(move |db| Box::pin(charge_points::keep_last_seen(db, seen))).await
}

/// Up to when it was kept who was seen. Without this, the times that are shown would go back to that of the connection when
/// the program ends.
struct Seen(i64);

impl Seen {
    /// Keeps it of those from whom something has come since.
    async fn keep(&mut self, app: &SharedApp) -> Result<(), StoreError> {
        let now = time::now();
        let latest = app.peers.list().into_iter().map(|found| {
            let at = found.last_message.unix_millis();
            (found.peer.identity().to_owned(), at)
        });
        let seen: Vec<_> = latest.filter(|(_, at)| *at >= self.0).collect();
        if !seen.is_empty() {
            app.store.write(move |db| Box::pin(charge_points::keep_last_seen(db, seen))).await?;
        }
        self.0 = now;
        Ok(())
    }
}

async fn expire(app: &SharedApp) -> Result<(), StoreError> {
    let now = time::now();
    let sql = "SELECT COUNT(*) FROM reservations WHERE status IN ('Pending', 'Accepted') AND expiry_at <= $1";
    let count: i64 = sql::query_scalar(sql).bind(now).fetch_one(app.store.readers()).await?;
    if count == 0 {
        return Ok(());
    }
    for (id, charge_point) in app.store.write(move |db| Box::pin(reservations::expire(db, now))).await? {
        app.events.tell(
            "reservationExpired",
            &charge_point,
            || json!({"chargePoint": charge_point, "reservationId": id}),
        );
    }
    Ok(())
}
