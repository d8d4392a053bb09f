//! Every comparison: three messages, each decoded and encoded.

use std::error::Error;
use std::hint::black_box;
use std::rc::Rc;

use onwire::codec::{Message, Quirks, decode, encode};
use onwire::ocpp::v16;
use rust_ocpp::v1_6::messages as peer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::comparison::{Comparison, Contender};
use crate::documents;

/// All comparisons.
///
/// # Errors
/// If a contender refuses a payload.
///
/// # Panics
/// If a contender loses or changes something: then it would be measured on other work than the rest.
pub fn all() -> Result<Vec<Comparison>, Box<dyn Error>> {
    Ok([
        of::<v16::MeterValuesRequest, peer::meter_values::MeterValuesRequest>(
            "MeterValues.req",
            documents::meter_values(),
        )?,
        of::<v16::BootNotificationRequest, peer::boot_notification::BootNotificationRequest>(
            "BootNotification.req",
            documents::boot_notification(),
        )?,
        of::<v16::StatusNotificationRequest, peer::status_notification::StatusNotificationRequest>(
            "StatusNotification.req",
            documents::status_notification(),
        )?,
    ]
    .into_iter()
    .flatten()
    .collect())
}

/// `Ours` and `Theirs` are the types of one message.
fn of<Ours, Theirs>(name: &str, document: String) -> Result<[Comparison; 2], Box<dyn Error>>
where
    Ours: Message + 'static,
    Theirs: Serialize + DeserializeOwned + 'static,
{
    let (ours, theirs) = same_content::<Ours, Theirs>(&document)?;
    let message = format!("{name}, {} bytes", document.len());
    let document: Rc<str> = document.into();
    let decoding = vec![
        reader("rust-ocpp, serde_json::from_str", &document, |text| serde_json::from_str::<Theirs>(text)),
        reader("onwire, Quirks::ALL", &document, |text| decode::<Ours>(text, Quirks::ALL)),
        reader("onwire, Quirks::NONE", &document, |text| decode::<Ours>(text, Quirks::NONE)),
        reader("serde_json::Value", &document, |text| serde_json::from_str::<Value>(text)),
    ];
    Ok([
        Comparison { message: message.clone(), operation: "decode", contenders: decoding },
        Comparison { message, operation: "encode", contenders: writers(ours, theirs) },
    ])
}

fn reader<T>(name: &'static str, document: &Rc<str>, read: impl Fn(&str) -> T + 'static) -> Contender {
    let document = Rc::clone(document);
    Contender::new(name, move || {
        black_box(&read(black_box(&document)));
    })
}

fn writers<Ours, Theirs>(ours: Ours, theirs: Theirs) -> Vec<Contender>
where
    Ours: Message + 'static,
    Theirs: Serialize + 'static,
{
    let theirs = Rc::new(theirs);
    let (mut text, mut bytes) = (String::new(), Vec::new());
    let reused = Rc::clone(&theirs);
    vec![
        Contender::new("rust-ocpp, serde_json::to_writer, reused Vec", move || {
            bytes.clear();
            let _ = black_box(serde_json::to_writer(&mut bytes, black_box(&*reused)));
            black_box(&bytes);
        }),
        Contender::new("onwire, reused String", move || {
            text.clear();
            let _ = black_box(encode(black_box(&ours), &mut text));
            black_box(&text);
        }),
        Contender::new("rust-ocpp, serde_json::to_vec", move || {
            black_box(&serde_json::to_vec(black_box(&*theirs)));
        }),
    ]
}

/// Decodes `document` in every way and encodes the results again: both must hold all that it holds.
fn same_content<Ours, Theirs>(document: &str) -> Result<(Ours, Theirs), Box<dyn Error>>
where
    Ours: Message,
    Theirs: Serialize + DeserializeOwned,
{
    let expected: Value = serde_json::from_str(document)?;
    let (liberal, strict): (Ours, Ours) = (decode(document, Quirks::ALL)?, decode(document, Quirks::NONE)?);
    for ours in [&liberal, &strict] {
        let mut text = String::new();
        encode(ours, &mut text)?;
        assert_eq!(serde_json::from_str::<Value>(&text)?, expected, "onwire");
    }
    let theirs: Theirs = serde_json::from_str(document)?;
    assert_eq!(serde_json::from_slice::<Value>(&serde_json::to_vec(&theirs)?)?, expected, "rust-ocpp");
    Ok((strict, theirs))
}
