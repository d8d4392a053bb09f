//! What was odd about a transaction, and what was concluded from it: for the operator to see.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Something odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum Mark {
    /// The meter fell by so little that it is rounding.
    Rounded,
    /// The meter fell, and began anew: only what it rose by before and after counts.
    RegisterFell,
    /// A register that was negative or impossible does not count.
    RegisterIgnored,
    /// meterStart was negative and does not count.
    StartMeterIgnored,
    /// meterStop was negative or impossible and does not count.
    StopMeterIgnored,
    /// Registers in between count from the beginning of the session.
    SessionRegisters,
    /// Registers came late or again.
    LateRegisters,
    /// The stop named another number, and is taken for this transaction's by its tag.
    Attributed,
    /// The start was dated in the future.
    ClockAhead,
    /// It ran when the charge point was taken out.
    ChargePointDeleted,
}

impl Mark {
    const ALL: [Self; 10] = [
        Self::Rounded,
        Self::RegisterFell,
        Self::RegisterIgnored,
        Self::StartMeterIgnored,
        Self::StopMeterIgnored,
        Self::SessionRegisters,
        Self::LateRegisters,
        Self::Attributed,
        Self::ClockAhead,
        Self::ChargePointDeleted,
    ];

    /// As the database and the API have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rounded => "rounded",
            Self::RegisterFell => "registerFell",
            Self::RegisterIgnored => "registerIgnored",
            Self::StartMeterIgnored => "startMeterIgnored",
            Self::StopMeterIgnored => "stopMeterIgnored",
            Self::SessionRegisters => "sessionRegisters",
            Self::LateRegisters => "lateRegisters",
            Self::Attributed => "attributed",
            Self::ClockAhead => "clockAhead",
            Self::ChargePointDeleted => "chargePointDeleted",
        }
    }

    fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// Each at most once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks(u16);

impl Marks {
    /// It holds.
    pub fn set(&mut self, mark: Mark) {
        self.0 |= mark.bit();
    }

    /// It holds no longer.
    pub fn clear(&mut self, mark: Mark) {
        self.0 &= !mark.bit();
    }

    /// Whether it holds.
    pub fn has(self, mark: Mark) -> bool {
        self.0 & mark.bit() != 0
    }

    fn words(self) -> impl Iterator<Item = &'static str> {
        Mark::ALL.into_iter().filter(move |mark| self.has(*mark)).map(Mark::as_str)
    }

    /// As the database has them.
    pub fn text(self) -> String {
        self.words().collect::<Vec<_>>().join(",")
    }
}

impl FromIterator<Mark> for Marks {
    fn from_iter<T: IntoIterator<Item = Mark>>(marks: T) -> Self {
        let mut all = Self::default();
        marks.into_iter().for_each(|mark| all.set(mark));
        all
    }
}

/// From the database; words that are not known are left out.
impl From<String> for Marks {
    fn from(text: String) -> Self {
        text.split(',').filter_map(|word| Mark::ALL.into_iter().find(|mark| mark.as_str() == word)).collect()
    }
}

impl Serialize for Marks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_kept_as_words() {
        for mark in Mark::ALL {
            assert_eq!(Marks::from(mark.as_str().to_owned()), Marks::from_iter([mark]));
        }
        let marks = Marks::from("attributed,newer,rounded".to_owned());
        assert_eq!((marks.text().as_str(), Marks::from(String::new())), ("rounded,attributed", Marks::default()));
        assert_eq!(serde_json::to_string(&marks).unwrap(), r#"["rounded","attributed"]"#);
    }
}
