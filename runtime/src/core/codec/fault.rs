//! What can be wrong with a document, independent of how a protocol spells it on the wire.

use alloc::string::String;

use crate::types::Decimal;

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(&'static str),
    /// Nested deeper than 64 levels.
    #[error("nested too deeply")]
    TooDeep,
    /// The payload as a whole is no object.
    #[error("not an object")]
    NotAnObject,
    /// Another JSON type than the schema's.
    #[error("not {expected}")]
    WrongType {
        /// The type that the schema asks for, with its article.
        expected: &'static str,
    },
    /// A required property is absent.
    #[error("missing")]
    Missing {
        /// Name of the property.
        property: &'static str,
    },
    /// A property that the schema does not have.
    #[error("a property that the schema does not have")]
    UnknownProperty,
    /// A property that stands twice in one object.
    #[error("given twice")]
    Duplicate,
    /// Text with too many characters.
    #[error("longer than {max} characters")]
    TooLong {
        /// The schema's `maxLength`.
        max: usize,
    },
    /// A value outside the enumeration.
    #[error("not one of the values that the schema lists")]
    UnrecognizedValue,
    /// Text that is no date-time.
    #[error("not an RFC 3339 date-time")]
    NotADateTime,
    /// A number outside the schema's limits, or of more digits than can be held exactly.
    #[error("number out of range")]
    OutOfRange,
    /// A number that is not a multiple of the schema's step.
    #[error("not a multiple of {step}")]
    NotAMultiple {
        /// The schema's `multipleOf`.
        step: Decimal,
    },
    /// A list with too few items.
    #[error("fewer than {min} items")]
    TooFewItems {
        /// The schema's `minItems`.
        min: usize,
    },
    /// A list with too many items.
    #[error("more than {max} items")]
    TooManyItems {
        /// The schema's `maxItems`.
        max: usize,
    },
}

/// The codec's inner functions have met a fault; the decoder or encoder remembers which, and where.
///
/// It has no size, so that the good path moves nothing around for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reject(pub(super) ());

/// A fault and the byte offset where it was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) fault: Fault,
    pub(super) offset: usize,
}

impl Found {
    /// What is reported if a hand-written [`Message`](super::Message) rejects without saying why.
    pub(super) const UNSAID: Self = Self { fault: Fault::Syntax("rejected"), offset: 0 };
}

/// A document that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {fault}", shown(.pointer))]
pub struct DecodeError {
    /// What is wrong.
    pub fault: Fault,
    /// JSON pointer (RFC 6901) to the offending value; empty for the document itself.
    pub pointer: String,
}

/// A value that may not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {fault}", shown(.pointer))]
pub struct EncodeError {
    /// What is wrong.
    pub fault: Fault,
    /// JSON pointer (RFC 6901) to the offending value; empty for the document itself.
    pub pointer: String,
}

fn shown(pointer: &str) -> &str {
    if pointer.is_empty() { "the payload" } else { pointer }
}
