//! What an answered command means for what the database knows of the charge point.

use onwire::codec::{self, Message, Quirks};
use onwire::ocpp::v16::{
    CancelReservationRequest, CancelReservationResponse, CancelReservationStatus, ChangeConfigurationRequest,
    ChangeConfigurationResponse, ConfigurationStatus, GetConfigurationRequest, GetLocalListVersionResponse,
    ReservationStatus, ReserveNowRequest, ReserveNowResponse, SendLocalListRequest, SendLocalListResponse,
    UpdateStatus, UpdateType,
};
use sqlx::AnyConnection;

use super::{Command, CommandError};
use crate::app::SharedApp;
use crate::ocpp::configuration::{self as answers, Told};
use crate::store::StoreError;
use crate::store::records::reservations::{Asked, ReservationState};
use crate::store::records::{configuration, local_list, reservations};

/// Keeps it. What cannot be read, as after a raw command, is not kept and no error.
pub(super) async fn keep(app: &SharedApp, command: &Command, response: &str) -> Result<(), CommandError> {
    let has_effect =
        ["CancelReservation", "ChangeConfiguration", "GetConfiguration", "GetLocalListVersion", "ReserveNow"]
            .contains(&command.action.name)
            || command.action.name == "SendLocalList";
    if !has_effect {
        return Ok(());
    }
    let (command, response) = (command.clone(), response.to_owned());
    Ok(app
        .store
        .write(move |db| {
            Box::pin(async move {
                let (id, request) = (command.charge_point.as_str(), command.request.as_str());
                match command.action.name {
                    "CancelReservation" => cancelled(db, id, read(request), read(&response)).await,
                    "ChangeConfiguration" => changed(db, id, read(request), read(&response)).await,
                    "GetConfiguration" => configured(db, id, read(request), answers::read(&response).ok()).await,
                    "GetLocalListVersion" => listed(db, id, read(&response)).await,
                    "ReserveNow" => reserved(db, id, read(request), read(&response)).await,
                    "SendLocalList" => sent(db, id, read(request), read(&response)).await,
                    _ => Ok(()),
                }
            })
        })
        .await?)
}

fn read<T: Message>(text: &str) -> Option<T> {
    codec::decode(text, Quirks::ALL).ok()
}

async fn cancelled(
    db: &mut AnyConnection,
    id: &str,
    request: Option<CancelReservationRequest>,
    response: Option<CancelReservationResponse>,
) -> Result<(), StoreError> {
    let (Some(request), Some(response)) = (request, response) else { return Ok(()) };
    if response.status != CancelReservationStatus::Accepted {
        return Ok(());
    }
    reservations::set_state(db, id, request.reservation_id, ReservationState::Cancelled).await
}

async fn changed(
    db: &mut AnyConnection,
    id: &str,
    request: Option<ChangeConfigurationRequest>,
    response: Option<ChangeConfigurationResponse>,
) -> Result<(), StoreError> {
    let (Some(request), Some(response)) = (request, response) else { return Ok(()) };
    match response.status {
        ConfigurationStatus::Accepted | ConfigurationStatus::RebootRequired => {
            configuration::keep(db, id, request.key.as_str(), Some(request.value.as_str()), false).await
        }
        ConfigurationStatus::NotSupported => configuration::forget(db, id, request.key.as_str()).await,
        _ => Ok(()),
    }
}

async fn configured(
    db: &mut AnyConnection,
    id: &str,
    request: Option<GetConfigurationRequest>,
    told: Option<Told>,
) -> Result<(), StoreError> {
    let Some(told) = told else { return Ok(()) };
    let is_for_all = request.and_then(|request| request.key).unwrap_or_default().is_empty();
    let tells = !told.odd.is_empty() || told.answer.configuration_key.as_ref().is_some_and(|keys| !keys.is_empty());
    answers::keep(db, id, told, is_for_all && tells).await
}

async fn listed(
    db: &mut AnyConnection,
    id: &str,
    response: Option<GetLocalListVersionResponse>,
) -> Result<(), StoreError> {
    let Some(response) = response else { return Ok(()) };
    local_list::reported(db, id, response.list_version).await
}

async fn reserved(
    db: &mut AnyConnection,
    id: &str,
    request: Option<ReserveNowRequest>,
    response: Option<ReserveNowResponse>,
) -> Result<(), StoreError> {
    let (Some(request), Some(response)) = (request, response) else { return Ok(()) };
    let state = match response.status {
        ReservationStatus::Accepted => ReservationState::Accepted,
        _ => ReservationState::Refused,
    };
    let asked = Asked {
        id: request.reservation_id,
        charge_point: id.to_owned(),
        connector: request.connector_id,
        id_tag: request.id_tag.as_str().to_owned(),
        parent_id_tag: request.parent_id_tag.map(|tag| tag.as_str().to_owned()),
        expiry_at: request.expiry_date.into(),
    };
    reservations::put(db, asked, state, Some(response.status.to_string())).await
}

async fn sent(
    db: &mut AnyConnection,
    id: &str,
    request: Option<SendLocalListRequest>,
    response: Option<SendLocalListResponse>,
) -> Result<(), StoreError> {
    let (Some(request), Some(response)) = (request, response) else { return Ok(()) };
    match response.status {
        UpdateStatus::Accepted => {
            let entries = request.local_authorization_list.unwrap_or_default();
            local_list::take(db, id, request.update_type == UpdateType::Full, &entries).await?;
            local_list::set_version(db, id, Some(request.list_version)).await
        }
        UpdateStatus::NotSupported => local_list::set_version(db, id, Some(-1)).await,
        // What it holds now is asked for anew.
        _ => Ok(()),
    }
}
