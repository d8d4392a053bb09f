//! Answers to GetConfiguration, a key at a time: what cannot be read of one key takes no other key with it.

use onwire::codec::{self, DecodeError, Quirks};
use onwire::ocpp::v16::{GetConfigurationResponse, KeyValue};
use onwire::types::CiString;
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::AnyConnection;

use crate::store::StoreError;
use crate::store::records::configuration;

/// How much of an odd key's JSON is kept, in characters: as much as a value may have.
const SHOWN: usize = 500;

/// An answer, as far as it can be read.
#[derive(Debug, Clone)]
pub struct Told {
    /// What can be read.
    pub answer: GetConfigurationResponse,
    /// The keys that cannot.
    pub odd: Vec<OddKey>,
}

/// A key of an answer that is not what the schema says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddKey {
    /// Its name; empty if that cannot be read either.
    pub name: String,
    /// The beginning of what stands for it, as JSON.
    pub text: String,
}

/// The lists of an answer, whatever their items are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lists<'a> {
    #[serde(borrow, default)]
    configuration_key: Vec<&'a RawValue>,
    #[serde(default)]
    unknown_key: Option<Vec<String>>,
}

/// Reads one.
///
/// # Errors
/// What is wrong is no matter of single keys.
pub fn read(text: &str) -> Result<Told, DecodeError> {
    let error = match codec::decode(text, Quirks::ALL) {
        Ok(answer) => return Ok(Told { answer, odd: Vec::new() }),
        Err(error) => error,
    };
    let Ok(lists) = serde_json::from_str::<Lists<'_>>(text) else { return Err(error) };
    let (mut keys, mut odd) = (Vec::new(), Vec::new());
    for item in lists.configuration_key {
        match codec::decode::<KeyValue>(item.get(), Quirks::ALL) {
            Ok(key) => keys.push(key),
            Err(_) => odd.push(odd_key(item.get())),
        }
    }
    if odd.is_empty() {
        return Err(error);
    }
    let unknown = lists.unknown_key.map(|names| names.iter().map(CiString::from).collect());
    Ok(Told { answer: GetConfigurationResponse { configuration_key: Some(keys), unknown_key: unknown }, odd })
}

fn odd_key(text: &str) -> OddKey {
    #[derive(Deserialize)]
    struct Named {
        key: String,
    }
    let name = serde_json::from_str(text).map_or_else(|_| String::new(), |Named { key }| key);
    OddKey { name: name.chars().take(50).collect(), text: text.chars().take(SHOWN).collect() }
}

/// The answer as JSON, without its odd keys.
///
/// # Errors
/// Those of [`read`].
pub fn readable(text: String) -> Result<String, DecodeError> {
    let Told { answer, odd } = read(&text)?;
    if odd.is_empty() {
        return Ok(text);
    }
    // By serde: what came over-long is shown as it came, which the codec would refuse to send.
    Ok(serde_json::to_string(&answer).unwrap_or(text))
}

/// Keeps what was told of keys; with `all`, others are gone.
///
/// # Errors
/// Those of the database.
pub async fn keep(db: &mut AnyConnection, charge_point: &str, told: Told, all: bool) -> Result<(), StoreError> {
    let Told { answer, odd } = told;
    if all {
        configuration::forget_all(db, charge_point).await?;
    }
    for key in answer.configuration_key.into_iter().flatten() {
        configuration::keep(db, charge_point, &key.key, key.value.as_deref(), key.readonly).await?;
    }
    for OddKey { name, text } in odd {
        tracing::warn!(charge_point, key = name, "a configuration key that cannot be read");
        configuration::keep_odd(db, charge_point, &name, &text).await?;
    }
    for key in answer.unknown_key.into_iter().flatten() {
        configuration::forget(db, charge_point, key.as_str()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_that_cannot_be_read_takes_no_other_with_it() {
        let text = r#"{"configurationKey":[{"key":"A","readonly":1,"value":"1"},{"key":"B","readonly":false,"value":{}},
            7,{"key":"C","value":true}],"unknownKey":["D"]}"#;
        let Told { answer, odd } = read(text).unwrap();
        let keys = answer.configuration_key.unwrap();
        let keys: Vec<_> = keys.iter().map(|key| (&*key.key, key.readonly, key.value.as_deref())).collect();
        assert_eq!(keys, [("A", true, Some("1")), ("C", false, Some("true"))]);
        assert_eq!(answer.unknown_key.unwrap(), ["D"]);
        let b = r#"{"key":"B","readonly":false,"value":{}}"#;
        let odd: Vec<_> = odd.iter().map(|odd| (&*odd.name, &*odd.text)).collect();
        assert_eq!(odd, [("B", b), ("", "7")]);
        for never in ["[]", "{\"configurationKey\":7}", "{\"status\":[]", "7"] {
            assert!(read(never).is_err(), "{never}");
        }
    }
}
