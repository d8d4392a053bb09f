//! The closed table of what liberal decoding lets through.

use core::fmt;

macro_rules! quirks {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// Something real peers send that the schema forbids, by number.
        ///
        /// Each is let through by [`Quirks::ALL`] and refused by [`Quirks::NONE`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Quirk {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Quirk {
            /// Every quirk, by number.
            pub const TABLE: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

quirks! {
    /// A property that the schema does not have is skipped (`customData` in a 1.6 BootNotification).
    UnknownProperty = 1,
    /// Text longer than `maxLength` is kept; sending it on fails.
    OverlongText = 2,
    /// A time-stamp without a zone is taken as UTC.
    ZonelessDateTime = 3,
    /// A time-stamp with a space for the `T`, or an offset such as `+08` or `+0800`, is read.
    LooseDateTime = 4,
    /// A value outside the enumeration is kept as it came; sending it on fails.
    UnrecognizedValue = 5,
    /// `null` for an optional property means that it is absent.
    NullForAbsent = 6,
    /// `""` for an optional property that is no text (a time-stamp, a number, an enumeration) means that it is absent.
    EmptyForAbsent = 7,
    /// A number where text is meant is read as its digits (`"value": 12.3` in a SampledValue).
    NumberForText = 8,
    /// Text that holds a number, where a number is meant, is read as that number.
    TextForNumber = 9,
    /// `1.0` where an integer is meant is read as 1.
    IntegerWithFraction = 10,
    /// A list with fewer items than `minItems` is kept; sending it on fails.
    TooFewItems = 11,
    /// A number that is not a multiple of `multipleOf` is kept; sending it on fails.
    NotAMultiple = 12,
    /// `null` where a payload object is meant is read as `{}`, and `{}` where a list is meant as an empty one.
    NullPayload = 13,
    /// A decimal number where an integer is meant loses its fraction (`"meterStop": 26008.333`), unless the property's name
    /// ends in `id`: a number that names something is not shortened to the name of something else.
    FractionForInteger = 14,
    /// An object or a text where a list is meant is read as a list of one.
    ItemForList = 15,
    /// `1`, `0`, `"true"`, `"false"`, `"1"` and `"0"` where a boolean is meant are read as one.
    LooseBoolean = 16,
    /// `true` or `false` where text of 500 characters or more is meant, such as the value of a setting, is read as that word.
    BooleanForText = 17,
    /// An object or a list where text without a limit is meant is kept as its JSON text (`data` of a DataTransfer).
    JsonForText = 18,
    /// A key of a configuration that does not say whether it is `readonly` is read as one that can be altered.
    MissingReadonly = 19,
}

/// A set of [`Quirk`]s: what one connection tolerates.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quirks(u32);

impl Quirks {
    /// Strict: nothing but what the schema allows. Second spellings that it lists (`Celcius`) are allowed.
    pub const NONE: Self = Self(0);
    /// Liberal: every quirk of the table.
    pub const ALL: Self = {
        let mut set = Self(0);
        let mut rest = Quirk::TABLE;
        while let [quirk, more @ ..] = rest {
            set = set.with(*quirk);
            rest = more;
        }
        set
    };

    /// The set with `quirk` in it.
    #[must_use]
    pub const fn with(self, quirk: Quirk) -> Self {
        Self(self.0 | 1 << quirk as u32)
    }

    /// The set without `quirk`.
    #[must_use]
    pub const fn without(self, quirk: Quirk) -> Self {
        Self(self.0 & !(1 << quirk as u32))
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `quirk` is in the set.
    pub const fn contains(self, quirk: Quirk) -> bool {
        self.0 & 1 << quirk as u32 != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The quirks in the set, by number.
    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::TABLE.iter().copied().filter(move |quirk| self.contains(*quirk))
    }
}

impl fmt::Debug for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
