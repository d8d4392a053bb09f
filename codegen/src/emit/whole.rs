//! Messages that are no objects with fields of their own: one field holds all of it.

use proc_macro2::TokenStream;
use quote::quote;

use super::shapes::{Place, Target, blank_value, decode, encode, resolved, rust_type};
use super::structs::limits;
use super::wrapped::message;
use super::{Options, doc, more_derives, serde_derive};
use crate::model::{Protocol, Shape, Type, Whole};
use crate::names::ident;

pub(super) fn item(protocol: &Protocol, options: &Options, each: &Type, whole: &Whole) -> TokenStream {
    let (name, type_doc, field) = (ident(&each.name), doc(&each.doc), ident(&whole.field));
    let (serde, more) = (serde_derive(options), more_derives(options));
    let transparent = options.serde.then(|| quote!(#[serde(transparent)]));
    let ty = rust_type(&whole.shape);
    let shape = resolved(protocol, &whole.shape);
    let is_list = matches!(shape, Shape::List { .. });
    let default = (is_list || matches!(shape, Shape::Map { .. })).then(|| quote!(, Default));
    let field_doc = doc(&format!("All that the message is.{}", limits(shape).concat()));

    let place = quote!(self.#field);
    let target = Target { reference: quote!(&mut #place), assignment: quote!(#place = value) };
    let read = decode(protocol, &whole.shape, &target);
    // Peers that have nothing to say write `{}`, whatever it is that they do not say.
    let nothing = is_list.then(|| {
        quote! {
            if d.nothing()? {
                return ::core::result::Result::Ok(());
            }
        }
    });
    let write = encode(protocol, &whole.shape, &Place { reference: quote!(&#place), copied: place.clone() });
    let blank = blank_value(protocol, &whole.shape);
    let message = message(
        &name,
        &quote!(Self { #field: #blank }),
        &quote!(#nothing #read),
        &quote!(#write ::core::result::Result::Ok(())),
    );
    let new = match shape {
        Shape::List { item, .. } => {
            let item = rust_type(item);
            Some(quote! {
                impl #name {
                    #[doc = " A message of these."]
                    pub fn new(#field: impl ::core::iter::IntoIterator<Item = impl ::core::convert::Into<#item>>) -> Self {
                        let items = #field.into_iter().map(::core::convert::Into::into);
                        Self { #field: items.collect() }
                    }
                }
            })
        }
        _ => None,
    };
    quote! {
        #type_doc
        #[derive(Debug, Clone, PartialEq, Eq, Hash #default)]
        #more
        #serde
        #transparent
        pub struct #name {
            #field_doc
            pub #field: #ty,
        }

        #new

        impl ::core::convert::From<#ty> for #name {
            fn from(#field: #ty) -> Self {
                Self { #field }
            }
        }

        #message
    }
}
