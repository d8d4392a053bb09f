//! Enumerations.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::{Options, doc, more_derives, serde_derive};
use crate::model::{Enum, Type};
use crate::names::ident;

/// `respelled`: values that some message writes otherwise.
pub(super) fn item(options: &Options, each: &Type, values: &Enum, respelled: &[&str]) -> TokenStream {
    let (name, type_doc, more) = (ident(&each.name), doc(&each.doc), more_derives(options));
    let numbered_serde = options.serde && values.numbered;
    let derived = if numbered_serde { TokenStream::new() } else { serde_derive(options) };
    let serde_attributes = options.serde && !values.numbered;
    let variants = values.values.iter().map(|value| {
        let (variant, wire) = (ident(&value.name), &value.wire);
        let doc = if value.doc.is_empty() { doc(&format!("{wire:?}")) } else { doc(&value.doc) };
        let aliases = &value.aliases;
        let rename = serde_attributes.then(|| quote!(#[serde(rename = #wire #(, alias = #aliases)*)]));
        quote! { #doc #rename #variant, }
    });
    let untagged = serde_attributes.then(|| quote!(#[serde(untagged)]));
    // Other spellings last, so that the index of a value is that of its variant.
    let aliases = values.values.iter().flat_map(|value| value.aliases.iter().map(move |alias| (alias, &value.name)));
    let spellings: Vec<_> = values.values.iter().map(|value| (&value.wire, &value.name)).chain(aliases).collect();
    let wires = spellings.iter().map(|(wire, _)| wire);
    // The last arm needs no index.
    let indices = (0..spellings.len()).map(|index| match Literal::usize_unsuffixed(index) {
        _ if index + 1 == spellings.len() => quote!(_),
        index => quote!(#index),
    });
    let spelled = spellings.iter().map(|(_, variant)| ident(variant));
    let blank = spelled.clone().next();
    let (index, nth) = match spellings.len() {
        1 => (quote!(_), quote!(Self::#blank)),
        _ => (quote!(index), quote!(match index { #(#indices => Self::#spelled,)* })),
    };
    let to_wire = values.values.iter().map(|value| {
        let (variant, wire) = (ident(&value.name), &value.wire);
        quote!(Self::#variant => #wire,)
    });
    let every = values.values.iter().map(|value| ident(&value.name));
    let (code, from_code) = if values.numbered { codes(&name, values) } else { Default::default() };
    let starting = starting(values);
    let read = if values.numbered { quote!(numbered) } else { quote!(enumeration) };
    let encode = encode(values, respelled);
    let numbered_serde = numbered_serde.then(|| number_serde(&name));
    quote! {
        #type_doc
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #more
        #derived
        pub enum #name {
            #(#variants)*
            #[doc = " A value outside the enumeration, as the peer sent it; it cannot be sent on."]
            #untagged
            Unrecognized(::onwire::types::Unrecognized),
        }

        impl #name {
            /// The value on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::Unrecognized(value) => value.as_str(),
                    known => known.known().unwrap_or_default(),
                }
            }

            /// Every value that the schema knows, in its order.
            pub const fn all() -> &'static [Self] {
                const ALL: &[#name] = &[#(#name::#every),*];
                ALL
            }

            #code

            fn known(&self) -> ::core::option::Option<&'static str> {
                ::core::option::Option::Some(match self {
                    #(#to_wire)*
                    Self::Unrecognized(_) => return ::core::option::Option::None,
                })
            }
        }

        /// Reads a value as it is on the wire.
        impl ::core::str::FromStr for #name {
            type Err = ::onwire::types::NotAValue;

            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                <Self as ::onwire::codec::Enumeration>::from_wire(text.as_bytes()).ok_or(::onwire::types::NotAValue)
            }
        }

        #from_code

        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::onwire::codec::Enumeration for #name {
            const VALUES: &'static [&'static str] = &[#(#wires),*];

            fn nth(#index: usize) -> Self {
                #nth
            }

            #starting

            fn unrecognized(value: ::onwire::types::Unrecognized) -> Self {
                Self::Unrecognized(value)
            }
        }

        impl ::onwire::codec::Message for #name {
            fn blank() -> Self {
                Self::#blank
            }

            fn read(&mut self, d: &mut ::onwire::codec::Decoder<'_>) -> ::core::result::Result<(), ::onwire::codec::Reject> {
                d.#read().map(|value| *self = value)
            }

            fn encode(&self, e: &mut ::onwire::codec::Encoder<'_>) -> ::core::result::Result<(), ::onwire::codec::Reject> {
                #encode
            }
        }

        #numbered_serde
    }
}

/// The way from values to their numbers, and back.
fn codes(name: &proc_macro2::Ident, values: &Enum) -> (TokenStream, TokenStream) {
    let numbers = values.values.iter().filter_map(|value| Some((value.wire.parse::<i64>().ok()?, ident(&value.name))));
    let (numbers, variants): (Vec<_>, Vec<_>) =
        numbers.map(|(number, variant)| (Literal::i64_unsuffixed(number), variant)).unzip();
    let code = quote! {
        /// The number on the wire; `None` for a value that the schema does not know.
        pub const fn code(&self) -> ::core::option::Option<i64> {
            match self {
                #(Self::#variants => ::core::option::Option::Some(#numbers),)*
                Self::Unrecognized(_) => ::core::option::Option::None,
            }
        }
    };
    let from_code = quote! {
        impl ::core::convert::TryFrom<i64> for #name {
            type Error = ::onwire::types::NotAValue;

            fn try_from(code: i64) -> ::core::result::Result<Self, Self::Error> {
                match code {
                    #(#numbers => ::core::result::Result::Ok(Self::#variants),)*
                    _ => ::core::result::Result::Err(::onwire::types::NotAValue),
                }
            }
        }
    };
    (code, from_code)
}

/// Few values are compared faster than the end of the string is found.
fn starting(values: &Enum) -> Option<TokenStream> {
    let is_plain = |text: &str| !text.contains(['"', '\\', '/']) && !text.contains(char::is_control);
    let mut spellings = values.values.iter().flat_map(|value| std::iter::once(&value.wire).chain(&value.aliases));
    if values.numbered || values.values.len() > 8 || !spellings.all(|spelling| is_plain(spelling)) {
        return None;
    }
    let tries = values.values.iter().flat_map(|value| {
        let variant = ident(&value.name);
        std::iter::once(&value.wire).chain(&value.aliases).map(move |spelling| {
            let quoted = Literal::byte_string(format!("{spelling}\"").as_bytes());
            let length = Literal::usize_unsuffixed(spelling.len());
            quote! {
                if text.starts_with(#quoted) {
                    return ::core::option::Option::Some((Self::#variant, #length));
                }
            }
        })
    });
    Some(quote! {
        fn starting(text: &[u8]) -> ::core::option::Option<(Self, usize)> {
            #(#tries)*
            ::core::option::Option::None
        }
    })
}

/// Each value is a piece of JSON that is known while this is compiled, unless a message may spell it otherwise.
fn encode(values: &Enum, respelled: &[&str]) -> TokenStream {
    if values.values.iter().any(|value| respelled.contains(&value.wire.as_str())) {
        return quote!(e.enumeration(self.known()));
    }
    let arms = values.values.iter().map(|value| {
        let (variant, wire) = (ident(&value.name), &value.wire);
        let json = if values.numbered { wire.clone() } else { serde_json::Value::from(wire.as_str()).to_string() };
        quote!(Self::#variant => { e.json(#json); })
    });
    quote! {
        match self {
            #(#arms)*
            Self::Unrecognized(_) => return ::core::result::Result::Err(e.reject(::onwire::codec::Fault::UnrecognizedValue)),
        }
        ::core::result::Result::Ok(())
    }
}

/// Numbers as text are numbers to serde too.
fn number_serde(name: &proc_macro2::Ident) -> TokenStream {
    quote! {
        impl ::onwire::__private::serde::Serialize for #name {
            fn serialize<S: ::onwire::__private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                match self.as_str().parse::<i64>() {
                    ::core::result::Result::Ok(number) => serializer.serialize_i64(number),
                    ::core::result::Result::Err(_) => serializer.serialize_str(self.as_str()),
                }
            }
        }

        impl<'de> ::onwire::__private::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::onwire::__private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let number = <i64 as ::onwire::__private::serde::Deserialize>::deserialize(deserializer)?;
                ::core::result::Result::Ok(::onwire::__private::numbered(number))
            }
        }
    }
}
