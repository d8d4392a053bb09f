//! Keys of charge points: the passwords of HTTP Basic authentication (security profiles 1 and 2).
//!
//! A key is 16 bytes or more. OCPP sets it as text in the configuration key `AuthorizationKey`: as a rule the hexadecimal
//! digits of its bytes, sometimes plain text. A charge point then logs in with the bytes, or, as some do, with the digits.
//! Kept is a keyed hash ([`Secret`](super::secret::Secret)): keys are random, so that a slow hash would protect nothing, and
//! would let the server melt when all charge points reconnect at once.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::store::{StoreError, sql};

/// The shortest key, in bytes (security whitepaper A00.FR.205).
const SHORTEST: usize = 16;

/// The longest, in bytes. The whitepaper has 20; a longer one does no harm.
const LONGEST: usize = 64;

/// As whose bytes a password is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum KeyForm {
    /// The bytes that the hexadecimal digits stand for (OCPP-J 1.6 §6.2.2).
    Bytes,
    /// The text of `AuthorizationKey` itself.
    Text,
    /// Both are accepted.
    #[default]
    Either,
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Too short.
    #[error("a key has at least 16 bytes: 32 hexadecimal digits, or 16 characters of text")]
    TooShort,
    /// Too long.
    #[error("a key has at most 64 bytes")]
    TooLong,
}

/// Why a key was not changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// It is none.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// It could not be written.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// The bytes that a text stands for: hexadecimal digits, if it is such, or itself.
///
/// # Errors
/// [`KeyError`]: too short, or too long.
pub fn parse(text: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
    let key = bytes.ok().filter(|bytes| bytes.len() >= SHORTEST).unwrap_or_else(|| text.as_bytes().to_vec());
    match key.len() {
        0..SHORTEST => Err(KeyError::TooShort),
        SHORTEST..=LONGEST => Ok(key),
        _ => Err(KeyError::TooLong),
    }
}

/// A new random key of 20 bytes, the most that the whitepaper allows, in hexadecimal digits.
///
/// # Errors
/// The system has no random numbers.
pub fn generate() -> anyhow::Result<String> {
    Ok(HEXLOWER.encode(&super::random::<20>()?))
}

/// What a password may stand for.
pub(super) fn readings(password: &[u8], form: KeyForm) -> Vec<Vec<u8>> {
    let bytes = HEXLOWER_PERMISSIVE.decode(password).ok().filter(|bytes| bytes.len() >= SHORTEST);
    match (form, bytes) {
        (KeyForm::Text, Some(bytes)) => vec![bytes],
        // A key that was set as plain text is its own text; bytes that are none are the other form.
        (KeyForm::Text, None) if !password.iter().all(|byte| (b' '..=b'~').contains(byte)) => Vec::new(),
        (KeyForm::Either, Some(bytes)) => vec![password.to_vec(), bytes],
        (KeyForm::Bytes, _) | (_, None) => vec![password.to_vec()],
    }
}

/// The new key, if a command changes a charge point's key. Configuration keys have no case.
pub fn in_command<'a>(action: &str, request: &'a Value) -> Option<&'a str> {
    let key = request.get("key").and_then(Value::as_str)?;
    let is_change = action == "ChangeConfiguration" && key.eq_ignore_ascii_case("AuthorizationKey");
    is_change.then(|| request.get("value").and_then(Value::as_str)).flatten()
}

/// Sets a charge point's key, or takes it away; whether there is such a charge point.
///
/// # Errors
/// [`ChangeError`].
pub async fn set(app: &App, identity: &str, key: Option<&str>) -> Result<bool, ChangeError> {
    let hash = key.map(parse).transpose()?.map(|key| app.security.secret.hash(identity, &key));
    let identity = identity.to_owned();
    let write = app.store.write(|db| {
        Box::pin(async move {
            let sql = "UPDATE charge_points SET key_hash = $1, next_key_hash = NULL, next_key_after_reboot = 0
                WHERE id = $2";
            let done = sql::query(sql).bind(hash).bind(identity).execute(&mut *db).await?;
            Ok(done.rows_affected() > 0)
        })
    });
    Ok(write.await?)
}

/// A change of a key that was begun and has to be settled.
#[derive(Debug)]
#[must_use = "it has to be settled when the charge point has answered, or has not"]
pub struct Change {
    identity: String,
    hash: String,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted: the new key is the only one (security whitepaper A01.FR.03).
    Accepted,
    /// Accepted, from the charge point's next start on: both are good until the new one is used.
    AfterReboot,
    /// Rejected, not supported, refused with a CALLERROR, or never sent: the old key is the only one (A01.FR.04).
    Refused,
    /// Sent, and no answer has come: both are good until one is used.
    Unknown,
}

impl Outcome {
    /// What the status of a ChangeConfiguration response says.
    pub fn of_status(status: &str) -> Self {
        match status {
            "Accepted" => Self::Accepted,
            "RebootRequired" => Self::AfterReboot,
            _ => Self::Refused,
        }
    }
}

/// To be called before a charge point is sent another key: from now on both are good, so that no moment locks it out.
///
/// # Errors
/// [`ChangeError`]; the command must not be sent then.
pub async fn begin_change(app: &App, identity: &str, key: &str) -> Result<Change, ChangeError> {
    let hash = app.security.secret.hash(identity, &parse(key)?);
    let change = Change { identity: identity.to_owned(), hash };
    write(app, &change, "UPDATE charge_points SET next_key_hash = $1, next_key_after_reboot = 0 WHERE id = $2").await?;
    Ok(change)
}

/// To be called when the outcome is known, or known to be unknown.
///
/// # Errors
/// Those of the database. Both keys stay good then.
pub async fn settle_change(app: &App, change: &Change, outcome: Outcome) -> Result<(), StoreError> {
    let sql = match outcome {
        Outcome::Accepted => {
            "UPDATE charge_points SET key_hash = $1, next_key_hash = NULL, next_key_after_reboot = 0 WHERE id = $2"
        }
        Outcome::AfterReboot => "UPDATE charge_points SET next_key_hash = $1, next_key_after_reboot = 1 WHERE id = $2",
        // Unless another change has been begun meanwhile.
        Outcome::Refused => "UPDATE charge_points SET next_key_hash = NULL WHERE next_key_hash = $1 AND id = $2",
        Outcome::Unknown => return Ok(()),
    };
    write(app, change, sql).await
}

async fn write(app: &App, change: &Change, sql: &'static str) -> Result<(), StoreError> {
    let (identity, hash) = (change.identity.clone(), change.hash.clone());
    app.store
        .write(move |db| {
            Box::pin(async move {
                sql::query(sql).bind(hash).bind(identity).execute(&mut *db).await?;
                Ok(())
            })
        })
        .await
}

/// Settles a change by the key that was used. The hashes are those that the decision was made with: if they have changed
/// since, nothing is done.
pub(super) async fn used(app: &App, identity: &str, used: Used, next: String) -> Result<(), StoreError> {
    let sql = match used {
        Used::Next => {
            "UPDATE charge_points SET key_hash = next_key_hash, next_key_hash = NULL, next_key_after_reboot = 0
            WHERE next_key_hash = $1 AND id = $2"
        }
        Used::Old => "UPDATE charge_points SET next_key_hash = NULL WHERE next_key_hash = $1 AND id = $2",
    };
    write(app, &Change { identity: identity.to_owned(), hash: next }, sql).await
}

/// Which of two keys was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// That before the change.
    Old,
    /// The new one.
    Next,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_hexadecimal_digits_or_text_of_16_bytes_or_more() {
        assert_eq!(parse(&"0A".repeat(16)), Ok(vec![10; 16]));
        assert_eq!(parse("sixteen letters!"), Ok(b"sixteen letters!".to_vec()));
        // Sixteen digits are eight bytes, but also sixteen characters.
        assert_eq!(parse("0123456789abcdef"), Ok(b"0123456789abcdef".to_vec()));
        assert_eq!(parse("fifteen letters"), Err(KeyError::TooShort));
        assert_eq!(parse(&"x".repeat(65)), Err(KeyError::TooLong));
        assert_eq!(parse(&generate().unwrap()).unwrap().len(), 20);
        assert_ne!(generate().unwrap(), generate().unwrap());
    }

    #[test]
    fn a_password_is_read_in_the_forms_that_were_chosen() {
        let digits = b"ff".repeat(16);
        assert_eq!(readings(&digits, KeyForm::Bytes), std::slice::from_ref(&digits));
        assert_eq!(readings(&digits, KeyForm::Text), [vec![0xff; 16]]);
        assert_eq!(readings(&digits, KeyForm::Either), [digits, vec![0xff; 16]]);
        for form in [KeyForm::Bytes, KeyForm::Either] {
            assert_eq!(readings(&[0xff; 16], form), [vec![0xff; 16]]);
        }
        assert!(readings(&[0xff; 16], KeyForm::Text).is_empty());
        let plain = b"sixteen letters!";
        for form in [KeyForm::Bytes, KeyForm::Text, KeyForm::Either] {
            assert_eq!(readings(plain, form), [plain.to_vec()]);
        }
    }

    #[test]
    fn a_command_that_changes_the_key_is_known() {
        let change = json!({"key": "authorizationkey", "value": "x"});
        assert_eq!(in_command("ChangeConfiguration", &change), Some("x"));
        assert_eq!(in_command("GetConfiguration", &change), None);
        assert_eq!(in_command("ChangeConfiguration", &json!({"key": "CpoName", "value": "x"})), None);
        assert_eq!(in_command("ChangeConfiguration", &json!({"key": "AuthorizationKey"})), None);
    }
}
