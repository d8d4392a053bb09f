//! Messages and nested objects: type, constructor, decoder, encoder.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

use super::shapes::{Place, decode, encode, resolved, rust_type};
use super::{Options, doc, more_derives, serde_derive};
use crate::model::{Extra, Field, Kind, Protocol, Shape, Struct, Type};
use crate::names::ident;

pub(super) fn item(protocol: &Protocol, options: &Options, each: &Type, object: &Struct) -> TokenStream {
    let (name, type_doc) = (ident(&each.name), doc(&each.doc));
    let (serde, more) = (serde_derive(options), more_derives(options));
    let default = object.required.is_empty().then(|| quote!(, Default));
    let fields = object.fields.iter().map(|field| declaration(protocol, options, object, field));
    let extra = (object.extra == Extra::Kept).then(|| extra_declaration(options));
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
            #extra
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

fn extra_declaration(options: &Options) -> TokenStream {
    let name = ident(Extra::FIELD);
    let serde = options.serde.then(|| quote!(#[serde(flatten)]));
    quote! {
        #[doc = " Further properties, which the schema allows and does not name."]
        #serde
        pub #name: ::onwire::types::AdditionalProperties,
    }
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
    let extra = (object.extra == Extra::Kept).then(|| {
        let name = ident(Extra::FIELD);
        quote!(#name: ::core::default::Default::default(),)
    });
    quote! {
        /// A message with its required fields; optional ones are public fields.
        pub fn new(#(#parameters),*) -> Self {
            Self { #(#fields)* #extra }
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
    let wires: Vec<_> = object.fields.iter().map(|field| &field.wire).collect();
    let is_blank = |field: &Field| !is_required(object, field) && is_blankable(protocol, &field.shape);
    let mask = |keep: &dyn Fn(&Field) -> bool| {
        let bits = object.fields.iter().enumerate().filter(|(_, field)| keep(field));
        Literal::u64_unsuffixed(bits.fold(0, |mask, (index, _)| mask | 1u64 << index))
    };
    let (required, blank) = (mask(&|field| is_required(object, field)), mask(&is_blank));
    let count = Literal::usize_unsuffixed(object.fields.len());
    let kept = object.extra == Extra::Kept;
    let extra = match object.extra {
        Extra::Forbidden => quote!(Forbidden),
        Extra::Skipped => quote!(Skipped),
        Extra::Kept => quote!(Kept),
    };
    let slots: Vec<_> = (0..object.fields.len()).map(|index| format_ident!("f{index}")).collect();
    let reads: Vec<_> = object
        .fields
        .iter()
        .zip(&slots)
        .map(|(field, slot)| {
            let decode = decode(protocol, &field.shape);
            quote!(#slot = ::core::option::Option::Some(#decode?))
        })
        .collect();
    let in_order = object.fields.iter().zip(&reads).enumerate().map(|(index, (field, read))| {
        let (index, key, blank) = (Literal::usize_unsuffixed(index), key(field), is_blank(field));
        quote!(if d.in_order(&mut object, #index, #key, #blank) { #read; })
    });
    let finish = object.fields.iter().zip(&slots).map(|(field, slot)| {
        let name = ident(&field.name);
        if is_required(object, field) { quote!(#name: d.require(#slot)?,) } else { quote!(#name: #slot,) }
    });
    let extra_name = ident(Extra::FIELD);
    let extra_slot = kept.then(|| quote!(let mut extra = ::onwire::types::AdditionalProperties::new();));
    let extra_finish = kept.then(|| quote!(#extra_name: extra,));
    let keep = kept.then(|| quote!(d.keep(&object, &mut extra)?));
    // What the last arm reads needs no index.
    let mut arms: Vec<_> = reads.iter().cloned().chain(keep).collect();
    let in_any_order = match (arms.pop(), arms.is_empty()) {
        (None, _) => quote!(::core::option::Option::Some(_) => {}),
        (Some(only), true) => quote!(::core::option::Option::Some(_) => #only,),
        (Some(last), false) => {
            let indices = (0..arms.len()).map(Literal::usize_unsuffixed);
            quote! {
                #(::core::option::Option::Some(#indices) => #arms,)*
                ::core::option::Option::Some(_) => #last,
            }
        }
    };
    quote! {
        fn decode(d: &mut ::onwire::codec::Decoder<'_>) -> ::core::result::Result<Self, ::onwire::codec::Reject> {
            static FIELDS: ::onwire::codec::Fields<#count> =
                ::onwire::codec::Fields::new([#(#wires),*], #required, #blank, ::onwire::codec::Extra::#extra);
            let mut object = d.object(&FIELDS)?;
            #(let mut #slots = ::core::option::Option::None;)*
            #extra_slot
            loop {
                #(#in_order)*
                if d.at_end(&object) {
                    break;
                }
                match d.next_field(&mut object)? {
                    #in_any_order
                    ::core::option::Option::None => break,
                }
            }
            ::core::result::Result::Ok(Self { #(#finish)* #extra_finish })
        }
    }
}

/// The key's own JSON text with its colon, so that nothing is escaped at run time.
fn key(field: &Field) -> String {
    format!("{}:", serde_json::Value::from(field.wire.as_str()))
}

fn encoder(protocol: &Protocol, object: &Struct) -> TokenStream {
    // Whether something has been written for sure, so that a comma is due.
    let mut follows = false;
    let mut opens = true;
    let mut fields = TokenStream::new();
    for field in &object.fields {
        let (name, required, key) = (ident(&field.name), is_required(object, field), key(field));
        let key = match (follows, required && opens) {
            (true, _) => {
                let key = format!(",{key}");
                quote!(e.json(#key);)
            }
            (false, true) => {
                let key = format!("{{{key}");
                quote!(e.json(#key);)
            }
            (false, false) => quote!(e.key(#key);),
        };
        if opens && !required {
            fields.extend(quote!(e.begin_object();));
        }
        opens = false;
        follows |= required;
        fields.extend(if required {
            let place = Place { reference: quote!(&self.#name), copied: quote!(self.#name) };
            let write = encode(protocol, &field.shape, &place);
            quote! { #key #write }
        } else {
            let write = encode(protocol, &field.shape, &Place::behind(&quote!(value)));
            quote! {
                if let ::core::option::Option::Some(value) = &self.#name {
                    #key
                    #write
                }
            }
        });
    }
    if opens {
        fields.extend(quote!(e.begin_object();));
    }
    let extra = (object.extra == Extra::Kept).then(|| {
        let (name, wires) = (ident(Extra::FIELD), object.fields.iter().map(|field| &field.wire));
        quote!(e.additional_properties(&self.#name, &[#(#wires),*])?;)
    });
    let writes = (!object.writes.is_empty()).then(|| {
        let pairs = object.writes.iter().map(|(from, to)| quote!((#from, #to)));
        quote!(e.spell(&[#(#pairs),*]);)
    });
    quote! {
        fn encode(&self, e: &mut ::onwire::codec::Encoder<'_>) -> ::core::result::Result<(), ::onwire::codec::Reject> {
            #writes
            #fields
            #extra
            e.end_object();
            ::core::result::Result::Ok(())
        }
    }
}
