//! Types of any origin, read and written by serde_json.

use std::error::Error;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Contenders;
use super::checked::Document;
use crate::comparison::Contender;

/// `origin` is whose type `Decoded` is.
pub(super) fn contenders<Decoded>(origin: &str, document: &Document) -> Result<Contenders, Box<dyn Error>>
where
    Decoded: Serialize + DeserializeOwned + 'static,
{
    let encode = |value: &Decoded, bytes: &mut Vec<u8>| {
        bytes.clear();
        serde_json::to_writer(bytes, value)
    };
    let value = serde_json::from_str::<Decoded>(&document.text)?;
    Ok(Contenders {
        decoding: vec![decoder::<Decoded>(format!("{origin}, serde_json::from_str"), document)?],
        encoding: vec![document.encoder(format!("{origin}, serde_json::to_writer, reused Vec"), value, encode)?],
    })
}

/// Without a buffer to reuse, as most programs do it.
pub(super) fn allocating_encoder<Decoded>(origin: &str, document: &Document) -> Result<Contender, Box<dyn Error>>
where
    Decoded: Serialize + DeserializeOwned + 'static,
{
    let encode = |value: &Decoded, bytes: &mut Vec<u8>| {
        *bytes = serde_json::to_vec(value)?;
        Ok::<_, serde_json::Error>(())
    };
    document.encoder(format!("{origin}, serde_json::to_vec"), serde_json::from_str::<Decoded>(&document.text)?, encode)
}

/// No types at all.
pub(super) fn untyped_decoder(document: &Document) -> Result<Contender, Box<dyn Error>> {
    decoder::<Value>("serde_json::Value".into(), document)
}

fn decoder<Decoded>(name: String, document: &Document) -> Result<Contender, Box<dyn Error>>
where
    Decoded: Serialize + DeserializeOwned + 'static,
{
    document.decoder(name, Rc::clone(&document.text), |text| serde_json::from_str::<Decoded>(text), serde_json::to_vec)
}
