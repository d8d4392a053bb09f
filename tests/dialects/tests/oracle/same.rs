//! When two JSON values say the same.

use onwire::types::{DateTime, Decimal};
use serde_json::{Number, Value};

use crate::document::EXTRA;

/// Whether `right` says what `left` does, up to what [`Tolerance`] lets pass.
pub(crate) fn same(left: &Value, right: &Value, tolerance: Tolerance) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) if left.is_i64() && right.is_i64() => {
            left == right || tolerance == Tolerance::Rounded && near(left, right)
        }
        (Value::Number(left), Value::Number(right)) => near(left, right),
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            same_digits(number, text)
        }
        (Value::String(left), Value::String(right)) => {
            left == right
                // StopTransaction has a spelling of its own, which serde and other messages do not write.
                || matches!((left.as_str(), right.as_str()), ("Celcius", "Celsius") | ("Celsius", "Celcius"))
                || match tolerance {
                    Tolerance::Written => false,
                    Tolerance::Rounded => same_rounded(left, right),
                    Tolerance::Rewritten | Tolerance::Plain => same_moment(left, right),
                }
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right, tolerance))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.iter().all(|(name, value)| match (right.get(name), tolerance) {
                (Some(other), _) => same(value, other, tolerance),
                (None, Tolerance::Written) => false,
                (None, Tolerance::Rounded) => value.is_null(),
                (None, Tolerance::Rewritten) => name.starts_with(EXTRA),
                (None, Tolerance::Plain) => value.as_array().is_some_and(Vec::is_empty),
            }) && right.keys().all(|name| left.contains_key(name))
        }
        _ => left == right,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// Both were written from the same value.
    Written,
    /// serde_json has read the right one: decimals that are text to serde have lost digits, and null is absent.
    Rounded,
    /// The right one was written from what had been read from the left one: time-stamps are in UTC and to the
    /// millisecond, and unknown properties are gone.
    Rewritten,
    /// The right one was written from typify's types: time-stamps are in UTC, and an empty list is an absent one.
    Plain,
}

/// serde_json rounds the digits beyond an `f64`'s in its own way.
fn near(left: &Number, right: &Number) -> bool {
    let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
    (left - right).abs() <= left.abs() * 4.0 * f64::EPSILON
}

/// To serde, a decimal that an `f64` cannot keep is text.
fn same_digits(number: &Number, text: &str) -> bool {
    text.parse::<Decimal>().is_ok() && text.parse().is_ok_and(|read| near(number, &read))
}

fn same_moment(left: &str, right: &str) -> bool {
    DateTime::parse(left).is_some_and(|left| DateTime::parse(right) == Some(left))
}

fn same_rounded(left: &str, right: &str) -> bool {
    left.len() > 15 && left.parse().is_ok_and(|left| same_digits(&left, right))
}
