//! `/api/v1`.

pub mod access;
pub mod audit;
pub mod charge_point_keys;
pub mod charge_points;
pub mod charging_profiles;
pub mod commands;
pub mod events;
pub mod files;
pub mod id_tags;
pub mod local_list;
pub mod messages;
pub mod reservations;
pub mod security_events;
pub mod server;
pub mod transactions;

use axum::middleware;
use utoipa_axum::router::OpenApiRouter;

use super::limits;
use crate::app::SharedApp;

/// All of it, with what the OpenAPI document says of it.
pub fn router() -> OpenApiRouter<SharedApp> {
    // What waits for a charge point, or has no end, is not hurried.
    let patient = OpenApiRouter::new()
        .merge(commands::router())
        .merge(events::router())
        .merge(files::patient_router())
        .merge(local_list::patient_router())
        .merge(reservations::patient_router())
        .merge(transactions::patient_router());
    let prompt = OpenApiRouter::new()
        .merge(access::router())
        .merge(audit::router())
        .merge(charge_point_keys::router())
        .merge(charge_points::router())
        .merge(charging_profiles::router())
        .merge(files::router())
        .merge(id_tags::router())
        .merge(local_list::router())
        .merge(messages::router())
        .merge(reservations::router())
        .merge(security_events::router())
        .merge(server::router())
        .merge(transactions::router())
        .layer(middleware::from_fn(limits::in_time));
    patient.merge(prompt)
}
