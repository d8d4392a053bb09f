//! Messages and nested objects: type, constructor, decoder, encoder.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::shapes::{Place, decode, encode, resolved, rust_type};
use super::{Options, doc, more_derives, serde_derive};
use crate::model::{Field, Kind, Protocol, Shape, Struct, Type};
use crate::names::ident;

pub(super) fn item(protocol: &Protocol, options: &Options, each: &Type, object: &Struct) -> TokenStream {
    let (name, type_doc) = (ident(&each.name), doc(&each.doc));
    let (serde, more) = (serde_derive(options), more_derives(options));
    let default = object.required.is_empty().then(|| quote!(, Default));
    let fields = object.fields.iter().map(|field| declaration(protocol, options, object, field));
    let constructor = constructor(protocol, object);
    let decoder = decoder(protocol, object);
    let encoder = encoder(protocol, object);
    quote! {
        #type_doc
        #[derive(Debug, Clone, PartialEq, Eq, Hash #default)]
        #more
        #serde
        pub struct #name {
            #(#fields)*
        }

        impl #name {
            #constructor
        }

        impl ::onwire::codec::Message for #name {
            #decoder
            #encoder
        }
    }
}

fn is_required(object: &Struct, field: &Field) -> bool {
    object.required.contains(&field.wire)
}

fn declaration(protocol: &Protocol, options: &Options, object: &Struct, field: &Field) -> TokenStream {
    let (name, ty, wire) = (ident(&field.name), rust_type(&field.shape), &field.wire);
    let required = is_required(object, field);
    let ty = if required { ty } else { quote!(::core::option::Option<#ty>) };
    let sentence = if field.doc.is_empty() { format!("{wire:?}.") } else { field.doc.clone() };
    let limits = limits(resolved(protocol, &field.shape));
    // Schemas whose authors wrote the limit into the description have said it.
    let said = |limit: &str| sentence.to_lowercase().contains(&limit.trim().trim_end_matches('.').to_lowercase());
    let unsaid: String = limits.into_iter().filter(|limit| !said(limit)).collect();
    let doc = doc(&format!("{sentence}{unsaid}"));
    let rename = (*wire != field.name).then(|| quote!(rename = #wire,));
    let skip = (!required).then(|| quote!(default, skip_serializing_if = "::core::option::Option::is_none",));
    let serde = (options.serde && (rename.is_some() || skip.is_some())).then(|| quote!(#[serde(#rename #skip)]));
    quote! { #doc #serde pub #name: #ty, }
}

/// The limits of a field as sentences of its documentation.
fn limits(shape: &Shape) -> Vec<String> {
    let at_least = |min: &dyn std::fmt::Display| format!(" At least {min}.");
    let at_most = |max: &dyn std::fmt::Display| format!(" At most {max}.");
    match shape {
        Shape::Text { max: Some(max), ignores_case } => {
            let case = ignores_case.then(|| " Compared without regard to case.".to_owned());
            [Some(format!(" At most {max} characters.")), case].into_iter().flatten().collect()
        }
        Shape::Integer { min, max } => [min.as_ref().map(|min| at_least(min)), max.as_ref().map(|max| at_most(max))]
            .into_iter()
            .flatten()
            .collect(),
        Shape::Number(limits) | Shape::Float(limits) => [
            limits.step.as_ref().map(|step| format!(" A multiple of {step}.")),
            limits.min.as_ref().map(|min| at_least(min)),
            limits.max.as_ref().map(|max| at_most(max)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Shape::List { min, max, .. } => {
            let min = (*min > 0).then(|| format!(" At least {min} items."));
            [min, max.map(|max| format!(" At most {max} items."))].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

fn constructor(protocol: &Protocol, object: &Struct) -> TokenStream {
    let required = object.required.iter().filter_map(|wire| object.fields.iter().find(|field| field.wire == *wire));
    let parameters = required.map(|field| {
        let (name, ty) = (ident(&field.name), rust_type(&field.shape));
        match resolved(protocol, &field.shape) {
            Shape::Text { .. } | Shape::Number(_) | Shape::Float(_) => {
                quote!(#name: impl ::core::convert::Into<#ty>)
            }
            _ => quote!(#name: #ty),
        }
    });
    let fields = object.fields.iter().map(|field| {
        let name = ident(&field.name);
        if !is_required(object, field) {
            return quote!(#name: ::core::option::Option::None,);
        }
        match resolved(protocol, &field.shape) {
            Shape::Text { .. } | Shape::Number(_) | Shape::Float(_) => quote!(#name: #name.into(),),
            _ => quote!(#name,),
        }
    });
    quote! {
        /// A message with its required fields; optional ones are public fields.
        pub fn new(#(#parameters),*) -> Self {
            Self { #(#fields)* }
        }
    }
}

/// Whether `""` cannot be a value of the shape.
fn is_blankable(protocol: &Protocol, shape: &Shape) -> bool {
    match resolved(protocol, shape) {
        Shape::Text { .. } | Shape::List { .. } | Shape::Any => false,
        Shape::Named(name) => matches!(protocol.find(name).map(|each| &each.kind), Some(Kind::Enum(_))),
        _ => true,
    }
}

fn decoder(protocol: &Protocol, object: &Struct) -> TokenStream {
    let wires = object.fields.iter().map(|field| &field.wire);
    let mask = |keep: &dyn Fn(&Field) -> bool| {
        let bits = object.fields.iter().enumerate().filter(|(_, field)| keep(field));
        Literal::u64_unsuffixed(bits.fold(0, |mask, (index, _)| mask | 1u64 << index))
    };
    let required = mask(&|field| is_required(object, field));
    let blank = mask(&|field| !is_required(object, field) && is_blankable(protocol, &field.shape));
    let (count, open) = (Literal::usize_unsuffixed(object.fields.len()), object.open);
    let slots: Vec<_> = (0..object.fields.len()).map(|index| format_ident!("f{index}")).collect();
    let reads = object.fields.iter().zip(&slots).map(|(field, slot)| {
        let decode = decode(protocol, &field.shape);
        quote!(#slot = ::core::option::Option::Some(#decode?))
    });
    let arms = reads.clone().enumerate().map(|(index, read)| {
        let pattern = if index + 1 == object.fields.len() {
            quote!(_)
        } else {
            let index = Literal::usize_unsuffixed(index);
            quote!(#index)
        };
        quote!(#pattern => #read,)
    });
    let finish = object.fields.iter().zip(&slots).map(|(field, slot)| {
        let name = ident(&field.name);
        if is_required(object, field) { quote!(#name: d.require(#slot)?,) } else { quote!(#name: #slot,) }
    });
    let body = match object.fields.len() {
        0 => quote!(while d.next_field(&mut object)?.is_some() {}),
        1 => quote! {
            #(let mut #slots = ::core::option::Option::None;)*
            while d.next_field(&mut object)?.is_some() { #(#reads;)* }
        },
        _ => quote! {
            #(let mut #slots = ::core::option::Option::None;)*
            while let ::core::option::Option::Some(index) = d.next_field(&mut object)? {
                match index { #(#arms)* }
            }
        },
    };
    quote! {
        fn decode(d: &mut ::onwire::codec::Decoder<'_>) -> ::core::result::Result<Self, ::onwire::codec::Reject> {
            static FIELDS: ::onwire::codec::Fields<#count> =
                ::onwire::codec::Fields::new([#(#wires),*], #required, #blank, #open);
            let mut object = d.object(&FIELDS)?;
            #body
            ::core::result::Result::Ok(Self { #(#finish)* })
        }
    }
}

fn encoder(protocol: &Protocol, object: &Struct) -> TokenStream {
    let fields = object.fields.iter().map(|field| {
        let name = ident(&field.name);
        // The key's own JSON text, so that nothing is escaped at run time.
        let key = format!("{}:", serde_json::Value::from(field.wire.as_str()));
        if is_required(object, field) {
            let write =
                encode(protocol, &field.shape, &Place { reference: quote!(&self.#name), copied: quote!(self.#name) });
            quote! { e.key(#key); #write }
        } else {
            let write = encode(protocol, &field.shape, &Place::behind(&quote!(value)));
            quote! {
                if let ::core::option::Option::Some(value) = &self.#name {
                    e.key(#key);
                    #write
                }
            }
        }
    });
    let writes = (!object.writes.is_empty()).then(|| {
        let pairs = object.writes.iter().map(|(from, to)| quote!((#from, #to)));
        quote!(e.spell(&[#(#pairs),*]);)
    });
    quote! {
        fn encode(&self, e: &mut ::onwire::codec::Encoder<'_>) -> ::core::result::Result<(), ::onwire::codec::Reject> {
            #writes
            e.begin_object();
            #(#fields)*
            e.end_object();
            ::core::result::Result::Ok(())
        }
    }
}
