//! Types of any origin, read and written by sonic-rs.

use std::error::Error;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Contenders;
use super::checked::Document;

/// `origin` is whose type `Decoded` is.
pub(super) fn contenders<Decoded>(origin: &str, document: &Document) -> Result<Contenders, Box<dyn Error>>
where
    Decoded: Serialize + DeserializeOwned + 'static,
{
    let text = Rc::clone(&document.text);
    let decode = |text: &str| sonic_rs::from_str::<Decoded>(text);
    let encode = |value: &Decoded, bytes: &mut Vec<u8>| {
        bytes.clear();
        sonic_rs::to_writer(bytes, value)
    };
    let value = decode(&document.text)?;
    Ok(Contenders {
        decoding: vec![document.decoder(format!("{origin}, sonic_rs::from_str"), text, decode, sonic_rs::to_vec)?],
        encoding: vec![document.encoder(format!("{origin}, sonic_rs::to_writer, reused Vec"), value, encode)?],
    })
}
