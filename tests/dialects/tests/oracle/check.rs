//! What is demanded of one value and of one document.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use arbitrary::{Arbitrary, Unstructured};
use onwire::codec::{DecodeError, Decoder, EncodeError, Fault, Message, Quirks, decode, encode};
use onwire::types::Decimal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::same::{Tolerance, same};
use crate::schemas::{Complaint, Schema};

// What serde_json makes of numbers, and of JSON that the schema leaves open.
const ROUNDED: &str = "digits beyond an f64's are dropped, and open JSON is spelled anew, by serde_json";
const BEYOND: &str = "a number beyond an f64, in open JSON, is refused by serde_json";
const MINUS_ZERO: &str = "the integer -0 is a float to serde_json";

/// Reads text as typify's type and gives what that writes.
pub(crate) type Plain = fn(&str) -> serde_json::Result<Value>;

/// Whose schemas judge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Ours,
    /// PyPI `ocpp`'s of OCPP 1.6, for types from our schemas.
    Theirs,
    /// PyPI `ocpp`'s of OCPP 2.0.1, which allow properties of any type.
    Open,
}

/// What else has a say on a message.
pub(crate) struct Judges {
    pub(crate) source: Source,
    pub(crate) schema: Schema,
    pub(crate) plain: Option<Plain>,
    /// How often it happened.
    pub(crate) tally: RefCell<BTreeMap<&'static str, usize>>,
}

impl Judges {
    /// Whether it is JSON that the schema leaves open which serde_json refuses.
    fn is_beyond(&self, error: &serde_json::Error) -> bool {
        self.source == Source::Open && error.to_string().contains("number out of range")
    }

    fn count(&self, what: &'static str) {
        *self.tally.borrow_mut().entry(what).or_default() += 1;
    }
}

/// What the generator gives every message.
pub(crate) trait Generated:
    Message + Debug + PartialEq + Serialize + DeserializeOwned + for<'a> Arbitrary<'a>
{
}

impl<T: Message + Debug + PartialEq + Serialize + DeserializeOwned + for<'a> Arbitrary<'a>> Generated for T {}

/// A value that a user built: it is written and read back, or refused for what the schema forbids.
pub(crate) fn built<T: Generated>(judges: &Judges, bytes: &[u8]) {
    let value = T::arbitrary(&mut Unstructured::new(bytes)).expect("all bytes are a value");
    let stores = stores(judges, &value);

    let mut out = String::from("before");
    match encode(&value, &mut out) {
        Ok(()) => {
            judges.count("values written");
            if stores {
                written(judges, &value, &out["before".len()..]);
            }
        }
        Err(error) => {
            judges.count("values refused");
            assert_eq!(out, "before", "a refusal leaves nothing behind");
            if stores {
                refused(judges, &value, &error);
            }
        }
    }
}

/// serde gives back what it was given. Returns whether it took it.
fn stores<T: Generated>(judges: &Judges, value: &T) -> bool {
    let stored = match serde_json::to_string(value) {
        Err(error) if judges.is_beyond(&error) => {
            judges.count(BEYOND);
            return false;
        }
        other => other.unwrap(),
    };
    let restored: T = serde_json::from_str(&stored).unwrap();
    if judges.source == Source::Open && restored != *value {
        judges.count(ROUNDED);
        let (given, back) = (serde_json::to_value(value).unwrap(), serde_json::to_value(&restored).unwrap());
        assert!(same(&given, &back, Tolerance::Rounded), "serde gives back {back} for {stored}");
    } else {
        assert_eq!(restored, *value, "serde gives back something else for {stored}");
    }
    true
}

/// What `encode` made of `value`.
fn written<T: Generated>(judges: &Judges, value: &T, text: &str) {
    let json: Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("written, and no JSON: {error}: {text}"));
    let complaints = judges.schema.complaints(&json);
    assert!(complaints.is_empty(), "written, and not allowed: {complaints:?}: {text}");
    let read = reads_strictly::<T>(text);
    assert_eq!(read.as_ref(), Ok(value), "read as something else: {text}");
    let mut again = String::new();
    // Text that ignores case is equal too easily.
    assert_eq!(encode(&read.unwrap(), &mut again).map(|()| again.as_str()), Ok(text));
    let serialized = serde_json::to_value(value).unwrap();
    assert!(same(&json, &serialized, Tolerance::Written), "written as {text}, and by serde as {serialized}");
    serde_reads(judges, text, value);
    plainly(judges, text, &json);
}

/// serde reads the same, but for the digits that serde_json drops.
fn serde_reads<T: Generated>(judges: &Judges, text: &str, value: &T) {
    let read: T = match serde_json::from_str(text) {
        Err(error) if is_minus_zero(&error) => return judges.count(MINUS_ZERO),
        read => read.unwrap_or_else(|error| panic!("refused by serde: {error}: {text}")),
    };
    if read == *value {
        return;
    }
    let (value, read) = (serde_json::to_value(value).unwrap(), serde_json::to_value(&read).unwrap());
    assert!(same(&value, &read, Tolerance::Rounded), "read as {value}, and by serde as {read}: {text}");
    judges.count(ROUNDED);
}

fn plainly(judges: &Judges, text: &str, json: &Value) {
    let Some(plain) = judges.plain else { return };
    let again = match plain(text) {
        Err(error) if is_minus_zero(&error) => return judges.count(MINUS_ZERO),
        again => again.unwrap_or_else(|error| panic!("refused by the plain flavour: {error}: {text}")),
    };
    assert!(same(json, &again, Tolerance::Plain), "read by the plain flavour as {again}: {text}");
}

/// Reads strictly; what is read so is read liberally without a quirk, and written as it was before.
fn reads_strictly<T: Generated>(text: &str) -> Result<T, DecodeError> {
    let value = decode::<T>(text, Quirks::NONE)?;
    let mut liberal = Decoder::new(text, Quirks::ALL);
    let same = T::decode(&mut liberal);
    assert_eq!(same.as_ref(), Ok(&value), "read liberally as something else: {text}");
    assert_eq!(liberal.noticed(), Quirks::NONE, "read strictly, and has quirks: {text}");
    assert_eq!(liberal.finish(), Ok(()));
    Ok(value)
}

/// The schema finds fault with the same place.
fn refused<T: Generated>(judges: &Judges, value: &T, error: &EncodeError) {
    let json = serde_json::to_value(value).unwrap();
    let complaints = judges.schema.complaints(&json);
    if !complaints.iter().any(|(pointer, _)| *pointer == error.pointer) {
        let why = why_theirs(judges, error.fault, &json, &error.pointer);
        judges.count(why.unwrap_or_else(|| panic!("{error}, but the schema says {complaints:?}: {json}")));
    }
}

/// A document that the schema allows: everybody takes it as the same value.
pub(crate) fn document<T: Generated>(judges: &Judges, text: &str) {
    let json: Value = serde_json::from_str(text).unwrap();
    let complaints = judges.schema.complaints(&json);
    assert!(complaints.is_empty(), "the test has written a wrong document: {complaints:?}: {text}");
    judges.count("documents");
    let value = match reads_strictly::<T>(text) {
        Ok(value) => value,
        Err(error) => return judges.count(why_refused(judges, &error, text, &json, &complaints)),
    };
    serde_reads(judges, text, &value);
    let mut out = String::new();
    encode(&value, &mut out).unwrap_or_else(|error| panic!("read, and not written: {error}: {text}"));
    written(judges, &value, &out);
    let again: Value = serde_json::from_str(&out).unwrap();
    assert!(same(&json, &again, Tolerance::Rewritten), "has become {out}: {text}");
    plainly(judges, text, &json);
}

/// A document with a random mistake, if it is one: nobody panics, and what is read is right.
pub(crate) fn broken<T: Generated>(judges: &Judges, text: &str) {
    judges.count("broken documents");
    let (strict, liberal) = (reads_strictly::<T>(text), decode::<T>(text, Quirks::ALL));
    let json: Value = match serde_json::from_str(text) {
        Err(error) if judges.is_beyond(&error) => return judges.count(BEYOND),
        Err(error) => return assert!(liberal.is_err(), "read, and no JSON: {error}: {text}"),
        Ok(json) => json,
    };
    judges.count("broken documents that are JSON");
    let complaints = judges.schema.complaints(&json);
    match strict {
        Ok(value) => {
            judges.count("broken documents read strictly");
            assert!(complaints.is_empty(), "read, and not allowed: {complaints:?}: {text}");
            serde_reads(judges, text, &value);
            let mut out = String::new();
            encode(&value, &mut out).unwrap_or_else(|error| panic!("read, and not written: {error}: {text}"));
            written(judges, &value, &out);
            plainly(judges, text, &json);
        }
        Err(error) => {
            if error.fault == Fault::Duplicate && judges.source != Source::Open {
                let said = serde_json::from_str::<T>(text).err();
                let agrees =
                    |said: &serde_json::Error| is_minus_zero(said) || said.to_string().contains("duplicate field");
                assert!(said.as_ref().is_some_and(agrees), "{error}, but serde says {said:?}: {text}");
            }
            // A property that is missing, or too many, is a fault of the object to the schema.
            let parent = error.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            if !complaints.iter().any(|(pointer, _)| *pointer == error.pointer || pointer == parent) {
                judges.count(why_refused(judges, &error, text, &json, &complaints));
            }
        }
    }
    if let Ok(value) = liberal {
        judges.count("broken documents read liberally");
        let mut out = String::new();
        if encode(&value, &mut out).is_ok() {
            let json: Value = serde_json::from_str(&out).unwrap();
            let complaints = judges.schema.complaints(&json);
            assert!(complaints.is_empty(), "has become what is not allowed: {complaints:?}: {out}: {text}");
        }
    }
}

/// Why strict decoding may refuse what the schema does not complain of.
fn why_refused(
    judges: &Judges,
    error: &DecodeError,
    text: &str,
    json: &Value,
    complaints: &[Complaint],
) -> &'static str {
    let number = json.pointer(&error.pointer).and_then(Value::as_f64);
    match error.fault {
        Fault::Duplicate => "a property that stands twice is refused; serde_json keeps the last one",
        Fault::WrongType { expected: "an integer" } if number.is_some() => {
            "1.0 is an integer by draft 6 of JSON Schema and none by draft 4; strict decoding goes by the latter"
        }
        Fault::OutOfRange if number.is_some_and(is_no_decimal) || has_digits(text, 19) => {
            "an integer has 64 bits, and a decimal 18 digits; the schema sets no limit"
        }
        Fault::NotAMultiple { .. } if has_digits(text, 16) => ROUNDED,
        fault => why_theirs(judges, fault, json, &error.pointer)
            .unwrap_or_else(|| panic!("{error}, but the schema says {complaints:?}: {text}")),
    }
}

/// What PyPI `ocpp`'s schemas allow and neither the specification nor our schemas do.
fn why_theirs(judges: &Judges, fault: Fault, json: &Value, pointer: &str) -> Option<&'static str> {
    match (fault, json.pointer(pointer)) {
        _ if judges.source != Source::Theirs => None,
        (Fault::UnrecognizedValue, Some(Value::String(unit))) if unit == "Hertz" => {
            Some("Hertz is a unit of theirs only")
        }
        (Fault::TooFewItems { .. }, Some(_)) if pointer.ends_with("/sampledValue") => {
            Some("a MeterValue has at least one SampledValue; their StopTransaction does not say so")
        }
        _ => None,
    }
}

fn is_minus_zero(error: &serde_json::Error) -> bool {
    error.to_string().contains("floating point `-0.0`, expected i64")
}

fn is_no_decimal(number: f64) -> bool {
    number.to_string().parse::<Decimal>().is_err()
}

/// Whether a number of that many digits stands in `text`.
fn has_digits(text: &str, count: usize) -> bool {
    let mut numbers = text.split(|character: char| !character.is_ascii_digit() && character != '.');
    numbers.any(|number| number.bytes().filter(u8::is_ascii_digit).count() >= count)
}
