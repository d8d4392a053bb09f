//! onwire.

use std::error::Error;
use std::rc::Rc;

use onwire::codec::{Message, Quirks, decode, encode};

use super::Contenders;
use super::checked::Document;
use crate::comparison::Contender;

pub(super) fn contenders<Ours>(document: &Document) -> Result<Contenders, Box<dyn Error>>
where
    Ours: Message + 'static,
{
    let value: Ours = decode(&document.text, Quirks::NONE)?;
    let encode = |value: &Ours, text: &mut String| {
        text.clear();
        encode(value, text)
    };
    Ok(Contenders {
        decoding: vec![
            decoder::<Ours>("onwire, Quirks::ALL", Quirks::ALL, document)?,
            decoder::<Ours>("onwire, Quirks::NONE", Quirks::NONE, document)?,
        ],
        encoding: vec![document.encoder("onwire, reused String", value, encode)?],
    })
}

fn decoder<Ours>(name: &str, quirks: Quirks, document: &Document) -> Result<Contender, Box<dyn Error>>
where
    Ours: Message + 'static,
{
    let again = |value: &Ours| {
        let mut text = String::new();
        encode(value, &mut text).map(|()| text)
    };
    document.decoder(name, Rc::clone(&document.text), move |text: &str| decode::<Ours>(text, quirks), again)
}
