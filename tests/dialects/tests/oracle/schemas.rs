//! The published schemas, judged by the crate `jsonschema`.
//!
//! The rules are those of `peers/corpus.py`: `date-time` is the only format checked, and `multipleOf` is reckoned in
//! decimal, so that 8.1 is a multiple of 0.1.

use std::path::Path;

use jsonschema::{Keyword, ValidationError, Validator};
use onwire::types::Decimal;
use serde_json::Value;

/// A JSON pointer to what is wrong, and in what way.
pub(crate) type Complaint = (String, String);

pub(crate) struct Schema {
    /// With all definitions that it needs in its own `definitions`.
    pub(crate) root: Value,
    validator: Validator,
}

impl Schema {
    /// Reads `file` of `folder`.
    pub(crate) fn read(folder: &Path, file: &str) -> Self {
        let mut root = read(&folder.join(format!("{file}.json")));
        let types = folder.join("types.json");
        if types.exists() {
            root["definitions"] = read(&types)["definitions"].take();
            localize(&mut root);
        }
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .with_format("date-time", is_date_time)
            .with_format("uri", |_: &str| true)
            .with_keyword("multipleOf", |_, step, _| Ok(Box::new(MultipleOf(decimal(step).unwrap()))))
            .build(&root)
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        Self { root, validator }
    }

    /// What is wrong.
    pub(crate) fn complaints(&self, value: &Value) -> Vec<Complaint> {
        let complaint = |error: ValidationError<'_>| (error.instance_path().as_str().to_owned(), error.to_string());
        // -0 is an integer, but serde_json has made a float of it.
        let is_real = |(_, what): &Complaint| what != "-0.0 is not of type \"integer\"";
        self.validator.iter_errors(value).map(complaint).filter(is_real).collect()
    }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A reference into `types.json` is one into the root.
fn localize(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref") {
                *reference = reference.trim_start_matches("types.json").to_owned();
            }
            map.values_mut().for_each(localize);
        }
        Value::Array(items) => items.iter_mut().for_each(localize),
        _ => {}
    }
}

/// A number as it is written; `None` if it has too many digits, or is no number.
fn decimal(value: &Value) -> Option<Decimal> {
    value.as_number()?.to_string().parse().ok()
}

struct MultipleOf(Decimal);

impl Keyword for MultipleOf {
    fn validate<'i>(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            Ok(())
        } else {
            Err(ValidationError::custom(format!("not a multiple of {}", self.0)))
        }
    }

    fn is_valid(&self, instance: &Value) -> bool {
        !instance.is_number() || decimal(instance).is_none_or(|value| value.is_multiple_of(self.0))
    }
}

/// RFC 3339; the crate's own check takes `198+-04-17T10:34:07Z`.
fn is_date_time(text: &str) -> bool {
    let Some((start, rest)) = text.split_at_checked(19) else { return false };
    let shape: String =
        start.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect();
    if !shape.eq_ignore_ascii_case("0000-00-00T00:00:00") {
        return false;
    }
    let number = |at: usize, length: usize| start[at..at + length].parse::<u32>().unwrap();
    let (year, month) = (number(0, 4), number(5, 2));
    let leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if leaps { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let exists = (1..=12).contains(&month) && (1..=days[month as usize - 1]).contains(&number(8, 2));
    let zone = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|first: char| first.is_ascii_digit()) => {
            fraction.trim_start_matches(|digit: char| digit.is_ascii_digit())
        }
        Some(_) => return false,
        None => rest,
    };
    exists && number(11, 2) < 24 && number(14, 2) < 60 && number(17, 2) <= 60 && is_zone(zone)
}

fn is_zone(zone: &str) -> bool {
    let offset = |zone: &str| {
        let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
        let two = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        Some(two(hours) && two(minutes) && hours < "24" && minutes < "60")
    };
    zone == "Z" || zone == "z" || offset(zone) == Some(true)
}
