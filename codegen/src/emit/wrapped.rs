//! Payloads of thing models: properties and events, with the time at which they were so.

use proc_macro2::TokenStream;
use quote::quote;

use super::shapes::{Place, encode};
use super::structs::{Decoding, Reader, decoding, key};
use super::{Options, doc, more_derives, serde_derive};
use crate::model::{Action, Form, Kind, Protocol, Shape, Struct, Type, Whole, Wrapped};
use crate::names::ident;

pub(super) fn item(protocol: &Protocol, options: &Options, each: &Type, wrapped: &Wrapped) -> TokenStream {
    let (name, type_doc, inner) = (ident(&each.name), doc(&each.doc), ident(&wrapped.inner));
    let (serde, more) = (serde_derive(options), more_derives(options));
    let object = match protocol.find(&wrapped.inner).map(|each| &each.kind) {
        Some(Kind::Struct(object)) => object,
        _ => &Struct::default(),
    };
    let Parts { fields, default, code } = match wrapped.form {
        Form::Bare => bare(&name, &inner),
        Form::Identifiers => identifiers(&name),
        Form::Event => event(options, &name, &inner, object),
        Form::Post => post(protocol, options, &name, &inner, object),
    };
    let default = default.then(|| quote!(, Default));
    quote! {
        #type_doc
        #[derive(Debug, Clone, PartialEq, Eq, Hash #default)]
        #more
        #serde
        pub struct #name {
            #fields
        }

        #code
    }
}

struct Parts {
    fields: TokenStream,
    default: bool,
    code: TokenStream,
}

/// `impl Message` by three bodies.
pub(super) fn message(
    name: &proc_macro2::Ident,
    blank: &TokenStream,
    read: &TokenStream,
    encode: &TokenStream,
) -> TokenStream {
    quote! {
        impl ::onwire::codec::Message for #name {
            fn blank() -> Self {
                #blank
            }

            fn read(&mut self, d: &mut ::onwire::codec::Decoder<'_>) -> ::core::result::Result<(), ::onwire::codec::Reject> {
                #read
            }

            fn encode(&self, e: &mut ::onwire::codec::Encoder<'_>) -> ::core::result::Result<(), ::onwire::codec::Reject> {
                #encode
            }
        }
    }
}

fn from_properties(name: &proc_macro2::Ident, inner: &proc_macro2::Ident, more: &TokenStream) -> TokenStream {
    quote! {
        impl ::core::convert::From<#inner> for #name {
            fn from(properties: #inner) -> Self {
                Self { properties, #more }
            }
        }
    }
}

fn bare(name: &proc_macro2::Ident, inner: &proc_macro2::Ident) -> Parts {
    let message = message(
        name,
        &quote!(Self::default()),
        &quote!(::onwire::codec::Message::read(&mut self.properties, d)),
        &quote!(::onwire::codec::Message::encode(&self.properties, e)),
    );
    let from = from_properties(name, inner, &TokenStream::new());
    Parts {
        fields: quote! {
            #[doc = " The properties."]
            pub properties: #inner,
        },
        default: true,
        code: quote!(#from #message),
    }
}

fn identifiers(name: &proc_macro2::Ident) -> Parts {
    let message = message(
        name,
        &quote!(Self::default()),
        &quote! {
            d.list(&mut self.identifiers, 0, usize::MAX, ::core::default::Default::default, ::onwire::codec::Decoder::text)
        },
        &quote!(e.list(&self.identifiers, 0, usize::MAX, ::onwire::codec::Encoder::text)),
    );
    Parts {
        fields: quote! {
            #[doc = " The properties' identifiers, as the thing model has them."]
            pub identifiers: ::onwire::__private::Vec<::onwire::types::Text>,
        },
        default: true,
        code: quote! {
            impl #name {
                #[doc = " Asks for these properties."]
                pub fn new<'i>(identifiers: impl ::core::iter::IntoIterator<Item = &'i str>) -> Self {
                    let identifiers = identifiers.into_iter().map(::core::convert::Into::into);
                    Self { identifiers: identifiers.collect() }
                }
            }

            #message
        },
    }
}

fn event(options: &Options, name: &proc_macro2::Ident, inner: &proc_macro2::Ident, object: &Struct) -> Parts {
    let message = message(
        name,
        &quote!(Self { value: ::onwire::codec::Message::blank(), time: ::core::option::Option::None }),
        &quote!(d.event(&mut self.value, &mut self.time)),
        &quote!(e.event(&self.value, self.time)),
    );
    let skip =
        options.serde.then(|| quote!(#[serde(default, skip_serializing_if = "::core::option::Option::is_none")]));
    Parts {
        fields: quote! {
            #[doc = " What it tells."]
            pub value: #inner,
            #[doc = " When it happened; when it is received if absent. At most 24 hours in the future."]
            #skip
            pub time: ::core::option::Option<::onwire::types::DateTime>,
        },
        default: object.required.is_empty(),
        code: quote! {
            impl #inner {
                #[doc = " The event as one that happened at that time."]
                pub fn at(self, time: ::onwire::types::DateTime) -> #name {
                    #name { value: self, time: ::core::option::Option::Some(time) }
                }
            }

            impl ::core::convert::From<#inner> for #name {
                fn from(value: #inner) -> Self {
                    Self { value, time: ::core::option::Option::None }
                }
            }

            #message
        },
    }
}

fn post(
    protocol: &Protocol,
    options: &Options,
    name: &proc_macro2::Ident,
    inner: &proc_macro2::Ident,
    object: &Struct,
) -> Parts {
    let Decoding { message, record, words } = decoding(protocol, object, Reader::Post);
    let width = (words > 1).then(|| proc_macro2::Literal::usize_unsuffixed(words)).map(|words| quote!(<#words>));
    let writes = object.fields.iter().map(|field| {
        let (field_name, wire, key) = (ident(&field.name), &field.wire, key(field));
        let write = encode(protocol, &field.shape, &Place::behind(&quote!(value)));
        quote! {
            if let ::core::option::Option::Some(value) = &self.properties.#field_name {
                e.key(#key);
                let time = e.begin_timed(times.next_of(#wire));
                #write
                e.end_timed(time);
            }
        }
    });
    let fields: Vec<_> = object.fields.iter().map(|field| ident(&field.name)).collect();
    let wires: Vec<_> = object.fields.iter().map(|field| &field.wire).collect();
    let from = from_properties(name, inner, &quote!(times: ::core::default::Default::default()));
    let default = options.serde.then(|| quote!(#[serde(default)]));
    let code = quote! {
        impl #inner {
            #[doc = " What is set, as values of that time."]
            pub fn at(self, time: ::onwire::types::DateTime) -> #name {
                let mut times = ::onwire::alink::Times::default();
                #(if self.#fields.is_some() { times.set(#wires, time); })*
                #name { properties: self, times }
            }

            #[doc = " Takes over what is set in `newer`."]
            pub fn apply(&mut self, newer: Self) {
                #(if newer.#fields.is_some() { self.#fields = newer.#fields; })*
            }

            #[doc = " Those of these identifiers that are set."]
            pub fn only(
                &self,
                identifiers: impl ::core::iter::IntoIterator<Item = impl ::core::convert::AsRef<str>>,
            ) -> Self {
                let mut some = Self::default();
                for identifier in identifiers {
                    match ::core::convert::AsRef::as_ref(&identifier) {
                        #(#wires => some.#fields = ::core::clone::Clone::clone(&self.#fields),)*
                        _ => {}
                    }
                }
                some
            }
        }

        #from

        impl ::onwire::codec::Message for #name {
            #message

            fn encode(&self, e: &mut ::onwire::codec::Encoder<'_>) -> ::core::result::Result<(), ::onwire::codec::Reject> {
                let mut times = self.times.in_order();
                e.begin_object();
                #(#writes)*
                e.end_object();
                ::core::result::Result::Ok(())
            }
        }

        impl ::onwire::codec::Record #width for #name {
            #record
        }
    };
    Parts {
        fields: quote! {
            #[doc = " The properties."]
            pub properties: #inner,
            #[doc = " When each was so, by identifier; of those that are not here, when it is received."]
            #default
            pub times: ::onwire::alink::Times,
        },
        default: true,
        code,
    }
}

/// What handlers may take and return besides the messages themselves: the type that a request wraps, and nothing for an
/// answer without content.
pub(super) fn parameters(protocol: &Protocol, action: &Action) -> TokenStream {
    let (name, request) = (ident(&action.name), ident(&action.request));
    let wrapped = match protocol.find(&action.request).map(|each| &each.kind) {
        Some(Kind::Wrapped(wrapped)) => wrapped.form.field().map(|field| (ident(&wrapped.inner), ident(field))),
        Some(Kind::Whole(Whole { field, shape: Shape::Named(inner) })) => Some((ident(inner), ident(field))),
        _ => None,
    };
    let wrapped = wrapped.map(|(inner, field)| {
        quote! {
            impl<'c> ::onwire::FromCall<'c, ::onwire::On<#name>> for #inner {
                const READS_PAYLOAD: bool = true;

                fn from_call(cx: &::onwire::Cx<'c>) -> ::core::result::Result<Self, ::onwire::CallError> {
                    cx.request::<#request>().map(|request| request.#field)
                }
            }

            impl<'c> ::onwire::FromCall<'c, ::onwire::After<#name>> for #inner {
                fn from_call(cx: &::onwire::Cx<'c>) -> ::core::result::Result<Self, ::onwire::CallError> {
                    cx.request::<#request>().map(|request| request.#field)
                }
            }
        }
    });
    let response = action.response.as_deref().and_then(|response| protocol.find(response));
    let is_empty = |each: &Type| matches!(&each.kind, Kind::Struct(object) if object.fields.is_empty());
    let is_thing = protocol.framing == crate::model::Framing::Alink;
    let nothing = response.filter(|each| is_thing && is_empty(each)).map(|response| {
        let response = ident(&response.name);
        quote! {
            impl ::onwire::IntoReply<#name> for () {
                fn into_reply(self, cx: &::onwire::Cx<'_>) -> ::core::result::Result<::onwire::frame::Reply, ::onwire::CallError> {
                    ::onwire::__private::reply(&#response::default(), cx)
                }
            }
        }
    });
    quote!(#wrapped #nothing)
}
