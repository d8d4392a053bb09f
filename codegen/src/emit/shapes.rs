//! Types, decoding and encoding of what a field holds.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;

use crate::model::{Kind, Limits, Protocol, Shape};
use crate::names::ident;

/// The Rust type.
pub(super) fn rust_type(shape: &Shape) -> TokenStream {
    match shape {
        Shape::Named(name) => {
            let name = ident(name);
            quote!(#name)
        }
        Shape::Text { max: None, .. } => quote!(::onwire::types::Text),
        Shape::Text { max: Some(max), ignores_case } => {
            let max = Literal::usize_unsuffixed(*max);
            if *ignores_case { quote!(::onwire::types::CiString<#max>) } else { quote!(::onwire::types::Text<#max>) }
        }
        Shape::Integer { .. } => quote!(i64),
        Shape::Number(_) | Shape::Float(_) => quote!(::onwire::types::Decimal),
        Shape::Boolean | Shape::Bit => quote!(bool),
        Shape::DateTime | Shape::UnixMillis => quote!(::onwire::types::DateTime),
        Shape::Secret => quote!(::onwire::alink::Secret),
        Shape::List { item, .. } => {
            let item = rust_type(item);
            quote!(::onwire::__private::Vec<#item>)
        }
        Shape::Map { item, .. } => {
            let item = rust_type(item);
            quote!(::onwire::__private::BTreeMap<::onwire::types::Text, #item>)
        }
        Shape::Any => quote!(::onwire::types::RawJson),
    }
}

/// The shape behind an alias.
pub(super) fn resolved<'p>(protocol: &'p Protocol, shape: &'p Shape) -> &'p Shape {
    let mut shape = shape;
    // Aliases of aliases end: a cycle would have no size and is cut off here.
    for _ in 0..16 {
        match shape {
            Shape::Named(name) => match protocol.find(name).map(|each| &each.kind) {
                Some(Kind::Alias(target)) => shape = target,
                _ => return shape,
            },
            _ => return shape,
        }
    }
    shape
}

/// A function that makes a value to be read over.
pub(super) fn blank_function(protocol: &Protocol, shape: &Shape) -> TokenStream {
    match resolved(protocol, shape) {
        Shape::Named(_) | Shape::Secret => quote!(::onwire::codec::Message::blank),
        Shape::DateTime | Shape::UnixMillis => quote!(|| ::onwire::types::DateTime::UNIX_EPOCH),
        Shape::Any => quote!(::onwire::types::RawJson::null),
        _ => quote!(::core::default::Default::default),
    }
}

/// A value to be read over.
pub(super) fn blank_value(protocol: &Protocol, shape: &Shape) -> TokenStream {
    match resolved(protocol, shape) {
        Shape::DateTime | Shape::UnixMillis => quote!(::onwire::types::DateTime::UNIX_EPOCH),
        _ => {
            let blank = blank_function(protocol, shape);
            quote!(#blank())
        }
    }
}

/// Where a value that is read goes.
pub(super) struct Target {
    /// An expression of type `&mut T`, a blank value.
    pub(super) reference: TokenStream,
    /// An expression that puts `value` there.
    pub(super) assignment: TokenStream,
}

/// An expression of type `Result<(), Reject>` that reads from `d`.
pub(super) fn decode(protocol: &Protocol, shape: &Shape, target: &Target) -> TokenStream {
    let Target { reference, assignment } = target;
    let small = match Reading::of(protocol, shape) {
        Reading::InPlace(method) => return quote!(d.#method(#reference)),
        Reading::List { item, min, max } => {
            let (min, max) = bounds(min, max);
            let blank = blank_function(protocol, item);
            let item = item_reader(protocol, item);
            return quote!(d.list(#reference, #min, #max, #blank, #item));
        }
        Reading::Map { item, max } => {
            let (_, max) = bounds(0, max);
            let blank = blank_function(protocol, item);
            let item = item_reader(protocol, item);
            return quote!(d.map(#reference, #max, #blank, #item));
        }
        Reading::Small(call) => call,
    };
    quote!(d.#small.map(|value| #assignment))
}

/// A function that reads one item of a list or a map.
fn item_reader(protocol: &Protocol, item: &Shape) -> TokenStream {
    match Reading::of(protocol, item) {
        Reading::InPlace(method) => quote!(::onwire::codec::Decoder::#method),
        _ => {
            let target = Target { reference: quote!(item), assignment: quote!(*item = value) };
            let item = decode(protocol, item, &target);
            quote!(|d, item| #item)
        }
    }
}

/// How a value is read: what holds memory in place, and small things are handed over.
enum Reading<'p> {
    /// The method that takes nothing but the place.
    InPlace(Ident),
    List {
        item: &'p Shape,
        min: usize,
        max: Option<usize>,
    },
    Map {
        item: &'p Shape,
        max: Option<usize>,
    },
    /// The method and its arguments.
    Small(TokenStream),
}

impl<'p> Reading<'p> {
    fn of(protocol: &'p Protocol, shape: &'p Shape) -> Self {
        Self::Small(match resolved(protocol, shape) {
            Shape::Named(name) => match protocol.find(name).map(|each| &each.kind) {
                Some(Kind::Enum(values)) if values.numbered => quote!(numbered()),
                Some(Kind::Enum(_)) => quote!(enumeration()),
                _ => return Self::InPlace(ident("message")),
            },
            Shape::Secret => return Self::InPlace(ident("message")),
            Shape::Text { ignores_case: false, .. } => return Self::InPlace(ident("text")),
            Shape::Text { ignores_case: true, .. } => return Self::InPlace(ident("ci_string")),
            Shape::List { item, min, max } => return Self::List { item, min: *min, max: *max },
            Shape::Map { item, max } => return Self::Map { item, max: *max },
            Shape::Integer { min: None, max: None, step: None } => quote!(integer()),
            Shape::Integer { min, max, step } => {
                let (min, max) = (integer(*min, "MIN"), integer(*max, "MAX"));
                match step.map(Literal::i64_unsuffixed) {
                    Some(step) => quote!(integer_step(#step, #min, #max)),
                    None => quote!(integer_in(#min, #max)),
                }
            }
            Shape::Number(limits) | Shape::Float(limits) => {
                let limits = limit_arguments(limits);
                quote!(decimal(#limits))
            }
            Shape::Boolean => quote!(boolean()),
            Shape::Bit => quote!(bit()),
            Shape::DateTime => quote!(date_time()),
            Shape::UnixMillis => quote!(unix_millis()),
            Shape::Any => quote!(any()),
        })
    }
}

/// The arguments `min, max` of a list.
fn bounds(min: usize, max: Option<usize>) -> (Literal, TokenStream) {
    let max = max.map(Literal::usize_unsuffixed).map_or_else(|| quote!(usize::MAX), |max| quote!(#max));
    (Literal::usize_unsuffixed(min), max)
}

/// A value to be written: expressions of type `&T` and of type `T`.
pub(super) struct Place {
    pub(super) reference: TokenStream,
    pub(super) copied: TokenStream,
}

impl Place {
    /// A variable that holds a reference.
    pub(super) fn behind(variable: &TokenStream) -> Self {
        Self { reference: variable.clone(), copied: quote!(*#variable) }
    }
}

/// Statements that write the value to `e`; they may use `?`.
pub(super) fn encode(protocol: &Protocol, shape: &Shape, place: &Place) -> TokenStream {
    let Place { reference: value, copied } = place;
    match resolved(protocol, shape) {
        Shape::Named(_) | Shape::Secret => quote!(e.message(#value)?;),
        Shape::Text { ignores_case: false, .. } => quote!(e.text(#value)?;),
        Shape::Text { ignores_case: true, .. } => quote!(e.ci_string(#value)?;),
        Shape::Integer { min: None, max: None, step: None } => quote!(e.integer(#copied);),
        Shape::Integer { min, max, step } => {
            let (min, max) = (integer(*min, "MIN"), integer(*max, "MAX"));
            match step.map(Literal::i64_unsuffixed) {
                Some(step) => quote!(e.integer_step(#copied, #step, #min, #max)?;),
                None => quote!(e.integer_in(#copied, #min, #max)?;),
            }
        }
        Shape::Number(limits) => {
            let check = check(limits, copied);
            quote!(#check e.decimal(#copied);)
        }
        Shape::Float(limits) => {
            let check = check(limits, copied);
            quote!(#check e.float(#copied);)
        }
        Shape::Boolean => quote!(e.boolean(#copied);),
        Shape::Bit => quote!(e.bit(#copied);),
        Shape::DateTime => quote!(e.date_time(#copied);),
        Shape::UnixMillis => quote!(e.unix_millis(#copied);),
        Shape::List { item, min, max } => {
            let (min, max) = bounds(*min, *max);
            let body = encode(protocol, item, &Place::behind(&quote!(item)));
            quote!(e.list(#value, #min, #max, |e, item| { #body ::core::result::Result::Ok(()) })?;)
        }
        Shape::Map { item, max } => {
            let (_, max) = bounds(0, *max);
            let body = encode(protocol, item, &Place::behind(&quote!(item)));
            quote!(e.map(#value, #max, |e, item| { #body ::core::result::Result::Ok(()) })?;)
        }
        Shape::Any => quote!(e.any(#value);),
    }
}

/// A limit of an integer, or the type's own.
fn integer(limit: Option<i64>, otherwise: &str) -> TokenStream {
    match limit {
        Some(limit) => {
            let limit = Literal::i64_unsuffixed(limit);
            quote!(#limit)
        }
        None => {
            let otherwise = ident(otherwise);
            quote!(i64::#otherwise)
        }
    }
}

fn check(limits: &Limits, copied: &TokenStream) -> TokenStream {
    if *limits == Limits::default() {
        return TokenStream::new();
    }
    let limits = limit_arguments(limits);
    quote!(e.check_decimal(#copied, #limits)?;)
}

fn limit_arguments(limits: &Limits) -> TokenStream {
    let limit = |text: &Option<String>| match text.as_deref().and_then(parse_decimal) {
        Some((mantissa, scale)) => {
            let (mantissa, scale) = (Literal::i64_unsuffixed(mantissa), Literal::u8_unsuffixed(scale));
            quote!(::core::option::Option::Some(::onwire::types::Decimal::new(#mantissa, #scale)))
        }
        None => quote!(::core::option::Option::None),
    };
    let (step, min, max) = (limit(&limits.step), limit(&limits.min), limit(&limits.max));
    quote!(#step, #min, #max)
}

/// Whether a limit can be kept exactly.
pub(crate) fn is_decimal(text: &str) -> bool {
    parse_decimal(text).is_some()
}

/// Mantissa and number of fraction digits of plain decimal text.
fn parse_decimal(text: &str) -> Option<(i64, u8)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    (digits.len() <= 18).then_some(())?;
    Some((digits.parse().ok()?, u8::try_from(fraction.len()).ok()?))
}
