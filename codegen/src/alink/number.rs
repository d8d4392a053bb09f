//! Limits: numbers, or text that holds one, as exports write them.

use serde_json::Value;

use super::node::Node;
use crate::error::Error;

/// A decimal number that can be kept exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    mantissa: i64,
    scale: u8,
}

impl Exact {
    /// The integer, if it is one.
    pub(super) fn whole(self) -> Option<i64> {
        let power = 10i64.checked_pow(self.scale.into())?;
        (self.mantissa % power == 0).then_some(self.mantissa / power)
    }

    pub(super) fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// The mantissas of both at one scale.
    fn aligned(self, other: Self) -> Option<(i128, i128)> {
        let scale = self.scale.max(other.scale);
        let raised = |number: Self| {
            let power = 10i128.checked_pow((scale - number.scale).into())?;
            i128::from(number.mantissa).checked_mul(power)
        };
        Some((raised(self)?, raised(other)?))
    }

    pub(super) fn is_above(self, other: Self) -> bool {
        self.aligned(other).is_some_and(|(left, right)| left > right)
    }

    pub(super) fn is_multiple_of(self, step: Self) -> bool {
        self.aligned(step).is_some_and(|(value, step)| value.checked_rem(step) == Some(0))
    }

    /// Plain decimal text.
    pub(super) fn text(self) -> String {
        if self.scale == 0 {
            return self.mantissa.to_string();
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = usize::from(self.scale) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(self.scale));
        format!("{sign}{whole}.{fraction}")
    }
}

/// The limit `key`. `None` where there is none, or one that no decimal number of 18 digits can break, as the largest
/// `double`, or tell from zero, as the smallest.
pub(super) fn limit(specs: &Node<'_>, key: &str) -> Result<Option<Exact>, Error> {
    let Some(node) = specs.get(key) else { return Ok(None) };
    let text = match node.value() {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Err(node.error("not a number")),
    };
    if text.is_empty() {
        return Ok(None);
    }
    // Also `inf` and `nan` are floats to Rust.
    let is_number = text.parse::<f64>().is_ok() && !text.contains(['n', 'N']);
    if is_number { Ok(exact(&text)) } else { Err(node.error("not a number")) }
}

/// How many items or characters there may be.
pub(super) fn count(specs: &Node<'_>, key: &str) -> Result<Option<usize>, Error> {
    let Some(limit) = limit(specs, key)? else { return Ok(None) };
    let count = limit.whole().and_then(|count| usize::try_from(count).ok());
    count.map(Some).ok_or_else(|| specs.get(key).as_ref().unwrap_or(specs).error("not a count"))
}

fn exact(text: &str) -> Option<Exact> {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let scale = i64::try_from(fraction.len()).ok()?.checked_sub(exponent.parse::<i64>().ok()?)?;
    let mantissa = format!("{whole}{fraction}").parse::<i64>().ok()?;
    if mantissa == 0 {
        return Some(Exact { mantissa, scale: 0 });
    }
    let (mantissa, scale) = match u32::try_from(-scale) {
        Ok(zeros) => (mantissa.checked_mul(10i64.checked_pow(zeros)?)?, 0),
        Err(_) => (mantissa, u8::try_from(scale).ok()?),
    };
    (mantissa.unsigned_abs() < 10u64.pow(18) && scale <= 18).then_some(Exact { mantissa, scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_numbers_in_any_spelling() {
        let read = |text: &str| exact(text).map(Exact::text);
        assert_eq!(read("0.1").as_deref(), Some("0.1"));
        assert_eq!(read("-0.050").as_deref(), Some("-0.05"));
        assert_eq!(read("1E3").as_deref(), Some("1000"));
        assert_eq!(read("-2.5e-3").as_deref(), Some("-0.0025"));
        assert_eq!(read("-100000000").as_deref(), Some("-100000000"));
        assert_eq!(read("0.000").as_deref(), Some("0"));
        assert_eq!(read("1.7976931348623157E308"), None);
        assert_eq!(read("-4.9E-324"), None);
    }

    #[test]
    fn comparisons_are_exact() {
        let [tenth, one, half] = ["0.1", "1", "0.5"].map(|text| exact(text).unwrap());
        assert!(one.is_above(half) && !tenth.is_above(half));
        assert!(half.is_multiple_of(tenth) && !half.is_multiple_of(one));
    }
}
