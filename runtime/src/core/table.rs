//! The actions of a protocol as values, for callers that know an action only when they run: REST, scripts, C.

use alloc::string::String;

use crate::codec::{self, DecodeError, EncodeError, Message, Quirks};
use crate::core::action::{Action, Routed};
use crate::core::raw_json::RawJson;

/// One action of a protocol; the generator writes a sorted table of them, `ACTIONS`, into each module.
///
/// ```
/// use onwire::ActionEntry;
/// use onwire::ocpp::v16::ACTIONS;
///
/// let reset = ActionEntry::find(ACTIONS, "Reset").unwrap();
/// assert_eq!(reset.from, ["CentralSystem"]);
/// assert_eq!(reset.request.sendable(r#"{ "type": "Hard" }"#).unwrap(), r#"{"type":"Hard"}"#);
/// let error = reset.request.sendable(r#"{"type":"Firm"}"#).unwrap_err();
/// assert_eq!(error.to_string(), "/type: not one of the values that the schema lists");
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ActionEntry {
    /// Name on the wire.
    pub name: &'static str,
    /// Names of the roles that may start it.
    pub from: &'static [&'static str],
    /// What the caller sends.
    pub request: PayloadType,
    /// What the called side answers; `None` if it never does (OCPP 2.1's SEND).
    pub response: Option<PayloadType>,
}

impl ActionEntry {
    /// An action that is answered.
    pub const fn answered<A: Action>(from: &'static [&'static str]) -> Self {
        let response = Some(PayloadType::of::<A::Response>());
        Self { name: <A as Action>::NAME, from, request: PayloadType::of::<<A as Action>::Request>(), response }
    }

    /// A message that is never answered.
    pub const fn unanswered<A: Routed>(from: &'static [&'static str]) -> Self {
        Self { name: A::NAME, from, request: PayloadType::of::<A::Request>(), response: None }
    }

    /// An action that nobody has types for: a platform that reads its models when it starts makes one of each service. It is
    /// answered, and anything that is JSON passes.
    ///
    /// ```
    /// let reset = onwire::ActionEntry::untyped("thing.service.Reset", &["Platform"]);
    /// assert_eq!(reset.request.sendable(r#"{"Delay":[1, 2.50]}"#).unwrap(), r#"{"Delay":[1, 2.50]}"#);
    /// assert!(reset.request.sendable("{").is_err());
    /// ```
    pub const fn untyped(name: &'static str, from: &'static [&'static str]) -> Self {
        let any = PayloadType::of::<RawJson>();
        Self { name, from, request: any, response: Some(any) }
    }

    /// The action with that name on the wire.
    pub fn find(actions: &'static [Self], name: &str) -> Option<&'static Self> {
        actions.binary_search_by_key(&name, |entry| entry.name).ok().and_then(|index| actions.get(index))
    }

    /// Whether `role` may start it.
    pub fn may_start(&self, role: &str) -> bool {
        self.from.contains(&role)
    }

    /// Whether `role` may receive it: whoever may be called is the other side of somebody who may call.
    pub fn may_reach(&self, role: &str) -> bool {
        self.from.iter().any(|from| *from != role)
    }
}

/// A generated type without its name: it judges JSON text.
#[derive(Debug, Clone, Copy)]
pub struct PayloadType {
    rewrite: fn(&str, Quirks, &mut String) -> Result<Rewritten, DecodeError>,
}

struct Rewritten {
    noticed: Quirks,
    /// What liberal decoding has kept may not be sendable.
    written: Result<(), EncodeError>,
}

/// Reads `text` and appends what it says to `out`.
fn rewrite<T: Message>(text: &str, allowed: Quirks, out: &mut String) -> Result<Rewritten, DecodeError> {
    let (value, noticed) = codec::decode_payload::<T>(text, allowed)?;
    Ok(Rewritten { noticed, written: codec::encode(&value, out) })
}

impl PayloadType {
    /// That of a generated type.
    pub const fn of<T: Message>() -> Self {
        Self { rewrite: rewrite::<T> }
    }

    /// The text as the generated type writes it, for the wire: nothing that the schema forbids is let through.
    ///
    /// # Errors
    /// [`EncodeError`] with the fault and a JSON pointer to it.
    pub fn sendable(self, text: &str) -> Result<String, EncodeError> {
        let mut out = String::new();
        self.write_sendable(text, &mut out).map(|()| out)
    }

    /// [`PayloadType::sendable`], appended to `out`; on an error `out` is as it was.
    pub(crate) fn write_sendable(self, text: &str, out: &mut String) -> Result<(), EncodeError> {
        match (self.rewrite)(text, Quirks::NONE, out) {
            Ok(rewritten) => rewritten.written,
            Err(DecodeError { fault, pointer }) => Err(EncodeError { fault, pointer }),
        }
    }

    /// The text as the generated type writes it, and the quirks that were met. A text with something that may be read but
    /// not sent, such as a value outside an enumeration, stays as it came.
    ///
    /// # Errors
    /// [`DecodeError`] with the fault and a JSON pointer to it.
    pub fn received(self, text: &str, allowed: Quirks) -> Result<(String, Quirks), DecodeError> {
        let mut out = String::new();
        let Rewritten { noticed, written } = (self.rewrite)(text, allowed, &mut out)?;
        if written.is_err() {
            out.push_str(text);
        }
        Ok((out, noticed))
    }
}
