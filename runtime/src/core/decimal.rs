//! Exact decimal numbers: what a meter or a tariff says, without a float parser on the device.

use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

/// A fixed-point decimal: every number of 18 digits, and those of 19 that an `i64` holds; up to 18 stand after the point.
///
/// It prints as it was read (`2935.600` keeps its zeros) and compares by value (`8.1 == 8.10`).
///
/// ```
/// use onwire::types::Decimal;
/// let limit = Decimal::new(81, 1); // 8.1
/// assert_eq!(limit.to_string(), "8.1");
/// assert_eq!(limit, "8.10".parse().unwrap());
/// assert!(limit > Decimal::from(8));
/// ```
#[derive(Clone, Copy, Default)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// The text is not a decimal number of at most 18 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number of at most 18 digits")]
pub struct NotADecimal;

const MAX_DIGITS: u8 = 18;

impl Decimal {
    /// `mantissa` × 10^-`scale`; a scale above 18 is held at 18.
    pub const fn new(mantissa: i64, scale: u8) -> Self {
        Self { mantissa, scale: if scale > MAX_DIGITS { MAX_DIGITS } else { scale } }
    }

    /// The digits without the point.
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// The number of digits after the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The whole part.
    pub fn whole(self) -> i64 {
        self.mantissa / power(self.scale)
    }

    /// The nearest binary float; for display and statistics, not for money.
    pub fn to_f64(self) -> f64 {
        // Both powers are exact, so that this is one correctly rounded division for up to 15 digits.
        self.mantissa as f64 / power(self.scale) as f64
    }

    /// Whether `self` is a whole number of `step`s (JSON Schema `multipleOf`).
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub fn is_multiple_of(self, step: Self) -> bool {
        let (value, mut divisor) = (self.mantissa.unsigned_abs(), step.mantissa.unsigned_abs());
        let Some(more) = self.scale.checked_sub(step.scale) else {
            // Each of the step's further digits multiplies the value by ten, which the divisor may be divided by instead.
            for _ in self.scale..step.scale {
                for prime in [2, 5] {
                    if divisor % prime == 0 {
                        divisor /= prime;
                    }
                }
            }
            return value.checked_rem(divisor) == Some(0);
        };
        match divisor.checked_mul(power(more).unsigned_abs()) {
            Some(divisor) => value.checked_rem(divisor) == Some(0),
            // What divides by more than there is.
            None => value == 0,
        }
    }

    /// Without zeros at the end of the fraction.
    fn normalized(self) -> Self {
        let mut this = self;
        while this.scale > 0 && this.mantissa % 10 == 0 {
            this = Self { mantissa: this.mantissa / 10, scale: this.scale - 1 };
        }
        this
    }

    /// Reads a JSON number from the start of `bytes`; returns it with the number of bytes it took.
    ///
    /// `None`: no number. `Some(Err(length))`: a number of that length that does not fit.
    pub(crate) fn scan(bytes: &[u8]) -> Option<Result<(Self, usize), usize>> {
        let mut at = 0;
        let peek = |at: usize| bytes.get(at).copied();
        let negative = peek(at) == Some(b'-');
        at += usize::from(negative);
        let integer_start = at;
        // Reckoned below zero, where an `i64` has one number more.
        let (mut mantissa, mut digits, mut scale, mut fits) = (0i64, 0u8, 0i32, true);
        let mut take = |byte: u8, fits: &mut bool| {
            if digits > 0 || byte != b'0' {
                digits = digits.saturating_add(1);
            }
            let digit = i64::from(byte - b'0');
            if digits <= MAX_DIGITS {
                mantissa = mantissa * 10 - digit;
                return;
            }
            // What can be built can be read: an `i64` holds some numbers of 19 digits.
            match mantissa.checked_mul(10).and_then(|mantissa| mantissa.checked_sub(digit)) {
                Some(more) if *fits => mantissa = more,
                _ => *fits = false,
            }
        };
        while let Some(byte @ b'0'..=b'9') = peek(at) {
            take(byte, &mut fits);
            at += 1;
        }
        let integer_length = at - integer_start;
        if integer_length == 0 || (integer_length > 1 && peek(integer_start) == Some(b'0')) {
            return None;
        }
        if peek(at) == Some(b'.') {
            at += 1;
            let fraction_start = at;
            while let Some(byte @ b'0'..=b'9') = peek(at) {
                take(byte, &mut fits);
                scale = scale.saturating_add(1);
                at += 1;
            }
            if at == fraction_start {
                return None;
            }
        }
        if matches!(peek(at), Some(b'e' | b'E')) {
            at += 1;
            let sign = peek(at);
            at += usize::from(matches!(sign, Some(b'+' | b'-')));
            let exponent_start = at;
            let mut exponent = 0i32;
            while let Some(byte @ b'0'..=b'9') = peek(at) {
                exponent = exponent.saturating_mul(10).saturating_add(i32::from(byte - b'0'));
                at += 1;
            }
            if at == exponent_start {
                return None;
            }
            scale = scale.saturating_add(if sign == Some(b'-') { exponent } else { exponent.saturating_neg() });
        }
        if mantissa == 0 && fits {
            scale = scale.clamp(0, i32::from(MAX_DIGITS));
        }
        while fits && scale < 0 {
            match mantissa.checked_mul(10) {
                Some(more) => (mantissa, scale) = (more, scale + 1),
                None => fits = false,
            }
        }
        let mantissa = if negative { Some(mantissa) } else { mantissa.checked_neg() };
        match (mantissa, u8::try_from(scale)) {
            (Some(mantissa), Ok(scale)) if fits && scale <= MAX_DIGITS => Some(Ok((Self { mantissa, scale }, at))),
            _ => Some(Err(at)),
        }
    }

    pub(crate) fn write(self, out: &mut String) {
        if self.mantissa < 0 {
            out.push('-');
        }
        let value = self.mantissa.unsigned_abs();
        if cfg!(target_pointer_width = "64") && self.scale == 0 {
            out.push_str(itoa::Buffer::new().format(value));
        } else {
            write_digits(out, value, usize::from(self.scale));
        }
    }
}

/// Appends an integer. Where flash is dearer than time, it is written as decimals are; elsewhere by itoa's tables.
pub(crate) fn write_integer(out: &mut String, value: i64) {
    if cfg!(target_pointer_width = "64") {
        out.push_str(itoa::Buffer::new().format(value));
    } else {
        Decimal::from(value).write(out);
    }
}

/// Appends `value` with a point before its last `scale` digits.
fn write_digits(out: &mut String, value: u64, scale: usize) {
    // The last digit first; a `u64` has at most 20.
    let mut digits = [b'0'; 20];
    let (mut rest, mut count) = (value, 0);
    for digit in &mut digits {
        if rest == 0 && count > scale {
            break;
        }
        *digit += (rest % 10) as u8;
        rest /= 10;
        count += 1;
    }
    for (index, digit) in digits.iter().enumerate().take(count).rev() {
        out.push(char::from(*digit));
        if index == scale && scale > 0 {
            out.push('.');
        }
    }
}

const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut index = 1;
    while index < 19 {
        #[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            powers[index] = powers[index - 1] * 10;
        }
        index += 1;
    }
    powers
};

/// 10^`exponent`, which is at most 18.
fn power(exponent: u8) -> i64 {
    POWERS.get(usize::from(exponent)).copied().unwrap_or(1)
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self { mantissa: value, scale: 0 }
    }
}

impl From<i32> for Decimal {
    fn from(value: i32) -> Self {
        Self::from(i64::from(value))
    }
}

impl From<u32> for Decimal {
    fn from(value: u32) -> Self {
        Self::from(i64::from(value))
    }
}

/// The shortest decimal number that is read back as the same float: `0.1` and not `0.1000000000000000055`, so that what a sensor's
/// driver measures is sent as it would be printed.
///
/// ```
/// use onwire::types::Decimal;
/// assert_eq!(Decimal::try_from(230.1)?.to_string(), "230.1");
/// assert!(Decimal::try_from(f64::NAN).is_err() && Decimal::try_from(1e30).is_err());
/// # Ok::<(), onwire::types::NotADecimal>(())
/// ```
impl TryFrom<f64> for Decimal {
    type Error = NotADecimal;

    fn try_from(value: f64) -> Result<Self, NotADecimal> {
        if !value.is_finite() {
            return Err(NotADecimal);
        }
        // Without an exponent, however large or small.
        let text = alloc::format!("{value}");
        text.parse().or_else(|error| {
            // What lies beyond the 18th digit is less than a float tells of any measurement.
            let (whole, fraction) = text.split_once('.').ok_or(error)?;
            let kept = usize::from(MAX_DIGITS).saturating_sub(whole.len());
            let fraction = fraction.get(..kept).filter(|kept| !kept.is_empty()).ok_or(error)?;
            alloc::format!("{whole}.{fraction}").parse()
        })
    }
}

/// As of `f64`, with the fewer digits that an `f32` tells.
impl TryFrom<f32> for Decimal {
    type Error = NotADecimal;

    fn try_from(value: f32) -> Result<Self, NotADecimal> {
        match value.is_finite() {
            true => Self::try_from(alloc::format!("{value}").parse::<f64>().map_err(|_| NotADecimal)?),
            false => Err(NotADecimal),
        }
    }
}

impl core::str::FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        match Self::scan(text.as_bytes()) {
            Some(Ok((value, length))) if length == text.len() => Ok(value),
            _ => Err(NotADecimal),
        }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Both mantissas at the larger of the two scales: one of them stays as it is. If the other one does not fit then,
        // it is farther from zero than anything that does.
        let scale = self.scale.max(other.scale);
        let wide = |value: &Self| value.mantissa.checked_mul(power(scale - value.scale));
        match (wide(self), wide(other)) {
            (Some(left), Some(right)) => left.cmp(&right),
            (None, _) => self.mantissa.cmp(&0),
            (_, None) => 0.cmp(&other.mantissa),
        }
    }
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let this = self.normalized();
        (this.mantissa, this.scale).hash(state);
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(24);
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.normalized();
        if whole.scale == 0 {
            return serializer.serialize_i64(whole.mantissa);
        }
        // A number where a float says the same, else text: a store must give back what it was given. Readers of JSON
        // that take short cuts, serde_json among them, are exact up to 2^53 and not always beyond.
        let (float, exact) = (whole.to_f64(), whole.mantissa.unsigned_abs() <= 1 << 53);
        if exact && alloc::format!("{float}").parse() == Ok(whole) {
            serializer.serialize_f64(float)
        } else {
            serializer.collect_str(self)
        }
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Decimal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Decimal, E> {
                Ok(value.into())
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Decimal, E> {
                i64::try_from(value).map(Decimal::from).map_err(E::custom)
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Decimal, E> {
                value.parse().map_err(E::custom)
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Decimal, E> {
                // The shortest text that reads back as the same float is what the sender meant.
                alloc::format!("{value}").parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn read(text: &str) -> Option<String> {
        text.parse::<Decimal>().ok().map(|value| value.to_string())
    }

    #[test]
    fn floats_are_what_they_print() {
        let of = |value: f64| Decimal::try_from(value).ok().map(|value| value.to_string());
        for (value, text) in
            [(0.1, "0.1"), (-0.5, "-0.5"), (230.0, "230"), (-0.0, "0"), (16.1, "16.1"), (1e17, "100000000000000000")]
        {
            assert_eq!(of(value).as_deref(), Some(text), "{value}");
        }
        assert_eq!(of(1.0 / 3.0).as_deref(), Some("0.3333333333333333"));
        assert_eq!(of(1e-30).unwrap().parse(), Ok(Decimal::from(0)));
        for none in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e30] {
            assert_eq!(of(none), None, "{none}");
        }
        assert_eq!(Decimal::try_from(16.1_f32).unwrap().to_string(), "16.1");
    }

    #[test]
    fn numbers_print_as_they_were_read() {
        for text in ["0", "-1", "8.1", "2935.600", "0.001", "-0.5", "999999999999999999", "0.000000000000000001"] {
            assert_eq!(read(text).as_deref(), Some(text));
        }
        for edge in [i64::MIN, i64::MAX, 1_000_000_000_000_000_000] {
            for scale in [0, 18] {
                let value = Decimal::new(edge, scale);
                assert_eq!(value.to_string().parse(), Ok(value));
            }
        }
        assert_eq!(read("1e18").as_deref(), Some("1000000000000000000"));
        assert_eq!(read("1e3").as_deref(), Some("1000"));
        assert_eq!(read("1.25E-2").as_deref(), Some("0.0125"));
        assert_eq!(read("0e99").as_deref(), Some("0"));
        assert_eq!(read("0.00e-99").as_deref(), Some("0.000000000000000000"));
    }

    #[test]
    fn what_is_no_json_number_or_does_not_fit_is_refused() {
        for text in [
            "",
            "-",
            "+1",
            "01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "0x1",
            "1 ",
            "9999999999999999999",
            "9223372036854775808",
            "-9223372036854775809",
            "1.0000000000000000000",
            "1e19",
            "1e-19",
            "1e999999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    #[cfg(feature = "serde")]
    fn serde_gives_back_what_it_was_given() {
        for text in ["8.1", "0.30", "-7", "9223372036854775807", "11.428673473894007", "50855513951843.164", "1e-18"] {
            let value: Decimal = text.parse().unwrap();
            let json = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), value, "{json}");
        }
    }

    #[test]
    fn multiples_are_exact() {
        let tenth = Decimal::new(1, 1);
        assert!(Decimal::new(81, 1).is_multiple_of(tenth));
        assert!(Decimal::new(8100, 3).is_multiple_of(tenth));
        assert!(Decimal::from(7).is_multiple_of(tenth));
        assert!(!Decimal::new(255, 2).is_multiple_of(tenth));
        assert!(!Decimal::from(1).is_multiple_of(Decimal::from(0)));
        assert!(Decimal::new(i64::MAX, 0).is_multiple_of(Decimal::new(1, 18)));
    }

    #[test]
    fn order_and_multiples_are_those_of_exact_integers() {
        let mantissas = [0, 1, 2, 3, 5, 7, 10, 25, 64, 100, 125, 999, 1_000, 1 << 40, 1_000_000_000_000_000_000];
        let edges = [i64::MAX, i64::MAX / 10, i64::MAX / 10 * 10, i64::MIN + 1, i64::MIN / 10, i64::MIN / 10 * 10];
        let negative = mantissas.map(|mantissa: i64| -mantissa);
        let values = || {
            let all = mantissas.into_iter().chain(negative).chain(edges).chain([i64::MIN]);
            all.flat_map(|mantissa| [0, 1, 2, 9, 17, 18].map(|scale| Decimal::new(mantissa, scale)))
        };
        let exact = |value: Decimal, scale: u8| i128::from(value.mantissa) * 10i128.pow(u32::from(scale - value.scale));
        for left in values() {
            for right in values() {
                let scale = left.scale.max(right.scale);
                let (whole, step) = (exact(left, scale), exact(right, scale));
                assert_eq!(left.cmp(&right), whole.cmp(&step), "{left} {right}");
                assert_eq!(left.is_multiple_of(right), step != 0 && whole % step == 0, "{left} {right}");
            }
        }
    }
}
