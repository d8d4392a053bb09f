//! Every comparison: three messages of OCPP, and a property post of a thing model plain and with times, each decoded and
//! encoded.
//!
//! One file for each way to do it. [`checked`] makes their contenders, and sees to it that they do the same work.

mod by_serde_json;
mod by_sonic;
mod checked;
mod kit;
mod ours;
mod python;

use std::error::Error;
use std::path::Path;

use ocpp_kit::message::Request;
use ocpp_kit::v1_6 as kit_types;
use onwire::codec::Message;
use onwire::ocpp::v16;
use rust_ocpp::v1_6::messages as peer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::checked::Document;
use crate::comparison::{Comparison, Contender};
use crate::{documents, thing, typify};

/// All comparisons; `python` is one that has the package `ocpp`, if that is to be among the contenders.
///
/// # Errors
/// If a contender refuses a payload, or Python does not run.
///
/// # Panics
/// If a contender loses or changes something: then it would be measured on other work than the rest.
pub fn all(python: Option<&Path>) -> Result<Vec<Comparison>, Box<dyn Error>> {
    Ok([
        of::<
            v16::MeterValuesRequest,
            peer::meter_values::MeterValuesRequest,
            typify::MeterValuesRequest,
            kit_types::MeterValuesRequest,
        >("MeterValues", documents::meter_values(), python)?,
        of::<
            v16::BootNotificationRequest,
            peer::boot_notification::BootNotificationRequest,
            typify::BootNotificationRequest,
            kit_types::BootNotificationRequest,
        >("BootNotification", documents::boot_notification(), python)?,
        of::<
            v16::StatusNotificationRequest,
            peer::status_notification::StatusNotificationRequest,
            typify::StatusNotificationRequest,
            kit_types::StatusNotificationRequest,
        >("StatusNotification", documents::status_notification(), python)?,
    ]
    .into_iter()
    .flatten()
    .chain(property_post("plain", documents::property_post(None), true)?)
    .chain(property_post("with times", documents::property_post(Some(1_700_000_000_000)), false)?)
    .collect())
}

/// A post of 60 properties. The first contender is what thing-model SDKs use: no types. typify's know of no times.
fn property_post(form: &str, payload: String, has_typify: bool) -> Result<[Comparison; 2], Box<dyn Error>> {
    let message = format!("property post {form}, {} bytes", payload.len());
    let document = Document::new(payload)?;
    let mut all = by_serde_json::contenders::<serde_json::Value>("serde_json::Value", &document)?;
    all.extend(ours::contenders::<thing::ours::PropertyPostRequest>(&document)?);
    if has_typify {
        all.extend(by_serde_json::contenders::<thing::typify::PostRequest>("typify", &document)?);
    }
    Ok([
        Comparison { message: message.clone(), operation: "decode", contenders: all.decoding },
        Comparison { message, operation: "encode", contenders: all.encoding },
    ])
}

/// One message, which is of these types in onwire, rust-ocpp, typify's output and ocpp-kit.
fn of<Ours, Peer, Typify, Kit>(
    action: &str,
    payload: String,
    python: Option<&Path>,
) -> Result<[Comparison; 2], Box<dyn Error>>
where
    Ours: Message + 'static,
    Peer: Serialize + DeserializeOwned + 'static,
    Typify: Serialize + DeserializeOwned + 'static,
    Kit: Request + 'static,
{
    let message = format!("{action}.req, {} bytes", payload.len());
    let document = Document::new(payload)?;
    // The first contender is the one that the others are compared with.
    let mut all = by_serde_json::contenders::<Peer>("rust-ocpp", &document)?;
    all.encoding.push(by_serde_json::allocating_encoder::<Peer>("rust-ocpp", &document)?);
    all.extend(ours::contenders::<Ours>(&document)?);
    all.extend(by_sonic::contenders::<Peer>("rust-ocpp", &document)?);
    all.extend(by_serde_json::contenders::<Typify>("typify", &document)?);
    all.extend(by_sonic::contenders::<Typify>("typify", &document)?);
    all.extend(by_serde_json::contenders::<Kit>("ocpp-kit", &document)?);
    all.decoding.push(kit::validating_decoder::<Kit>(&document)?);
    all.decoding.push(by_serde_json::untyped_decoder(&document)?);
    if let Some(python) = python {
        all.extend(python::contenders(python, action, &document)?);
    }
    Ok([
        Comparison { message: message.clone(), operation: "decode", contenders: all.decoding },
        Comparison { message, operation: "encode", contenders: all.encoding },
    ])
}

/// Those who decode one message and those who encode it.
struct Contenders {
    decoding: Vec<Contender>,
    encoding: Vec<Contender>,
}

impl Contenders {
    fn extend(&mut self, others: Self) {
        self.decoding.extend(others.decoding);
        self.encoding.extend(others.encoding);
    }
}
