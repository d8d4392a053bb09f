//! ocpp-kit's own way to decode. Its way to encode is serde_json.

use std::error::Error;
use std::rc::Rc;

use ocpp_kit::RawValue;
use ocpp_kit::decode::{DecodeOptions, decode_payload};
use ocpp_kit::message::Request;

use super::checked::Document;
use crate::comparison::Contender;

/// Starts from what ocpp-kit's reader of frames hands on: a payload that is known to be JSON. Judging that is not
/// measured, as no other contender's reader of frames is.
pub(super) fn validating_decoder<Kit>(document: &Document) -> Result<Contender, Box<dyn Error>>
where
    Kit: Request + 'static,
{
    let payload: Rc<RawValue> = RawValue::from_string(document.text.to_string())?.into();
    let options = DecodeOptions::strict();
    let decode = move |payload: &RawValue| decode_payload::<Kit>(payload, &options);
    document.decoder("ocpp-kit, decode_payload, strict", payload, decode, serde_json::to_vec)
}
