//! Messages and nested objects: type, constructor, decoder, encoder.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::shapes::{Place, Target, blank_function, blank_value, decode, encode, resolved, rust_type};
use super::{Options, doc, more_derives, serde_derive};
use crate::model::{Extra, Field, Framing, Kind, Protocol, Shape, Struct, Type};
use crate::names::ident;

pub(super) fn item(protocol: &Protocol, options: &Options, each: &Type, object: &Struct) -> TokenStream {
    let (name, type_doc) = (ident(&each.name), doc(&each.doc));
    let (serde, more) = (serde_derive(options), more_derives(options));
    let default = object.required.is_empty().then(|| quote!(, Default));
    let fields = object.fields.iter().map(|field| declaration(protocol, options, object, field));
    let extra = (object.extra == Extra::Kept).then(|| extra_declaration(options));
    let constructor = constructor(protocol, object);
    let Decoding { message, record, words } = decoding(protocol, object, Reader::Plain);
    let encoder = encoder(protocol, object);
    let width = (words > 1).then(|| Literal::usize_unsuffixed(words)).map(|words| quote!(<#words>));
    let constructor = constructor.map(|constructor| quote!(impl #name { #constructor }));
    quote! {
        #type_doc
        #[derive(Debug, Clone, PartialEq, Eq, Hash #default)]
        #more
        #serde
        pub struct #name {
            #(#fields)*
            #extra
        }

        #constructor

        impl ::onwire::codec::Message for #name {
            #message
            #encoder
        }

        impl ::onwire::codec::Record #width for #name {
            #record
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
    // serde would take `null` for an absent value.
    let is_any = !required && matches!(resolved(protocol, &field.shape), Shape::Any);
    let present = is_any.then(|| quote!(deserialize_with = "::onwire::__private::present",));
    let serde =
        (options.serde && (rename.is_some() || skip.is_some())).then(|| quote!(#[serde(#rename #skip #present)]));
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
pub(super) fn limits(shape: &Shape) -> Vec<String> {
    let at_least = |min: &dyn std::fmt::Display| format!(" At least {min}.");
    let at_most = |max: &dyn std::fmt::Display| format!(" At most {max}.");
    match shape {
        Shape::Text { max: Some(max), ignores_case } => {
            let case = ignores_case.then(|| " Compared without regard to case.".to_owned());
            [Some(format!(" At most {max} characters.")), case].into_iter().flatten().collect()
        }
        Shape::Integer { min, max, step } => [
            step.map(|step| format!(" A multiple of {step}.")),
            min.as_ref().map(|min| at_least(min)),
            max.as_ref().map(|max| at_most(max)),
        ]
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
        Shape::Map { max: Some(max), .. } => vec![format!(" At most {max} entries.")],
        _ => Vec::new(),
    }
}

/// None for the long lists of thing models: there a literal, which names each value, is easier to read and to get right.
fn constructor(protocol: &Protocol, object: &Struct) -> Option<TokenStream> {
    const MOST: usize = 7;
    if protocol.framing == Framing::Alink && (object.required.len() > MOST || object.fields.len() > 64) {
        return None;
    }
    let required = object.required.iter().filter_map(|wire| object.fields.iter().find(|field| field.wire == *wire));
    let parameters = required.map(|field| {
        let (name, ty) = (ident(&field.name), rust_type(&field.shape));
        match resolved(protocol, &field.shape) {
            Shape::Text { .. } | Shape::Secret | Shape::Number(_) | Shape::Float(_) => {
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
            Shape::Text { .. } | Shape::Secret | Shape::Number(_) | Shape::Float(_) => quote!(#name: #name.into(),),
            _ => quote!(#name,),
        }
    });
    let extra = (object.extra == Extra::Kept).then(|| {
        let name = ident(Extra::FIELD);
        quote!(#name: ::core::default::Default::default(),)
    });
    Some(quote! {
        /// A message with its required fields; optional ones are public fields.
        pub fn new(#(#parameters),*) -> Self {
            Self { #(#fields)* #extra }
        }
    })
}

/// Whether `""` cannot be a value of the shape.
fn is_blankable(protocol: &Protocol, shape: &Shape) -> bool {
    match resolved(protocol, shape) {
        Shape::Text { .. } | Shape::Secret | Shape::List { .. } | Shape::Map { .. } | Shape::Any => false,
        Shape::Named(name) => matches!(protocol.find(name).map(|each| &each.kind), Some(Kind::Enum(_))),
        _ => true,
    }
}

/// What belongs to `impl Message` and to `impl Record`, and how many words its masks have.
pub(super) struct Decoding {
    pub(super) message: TokenStream,
    pub(super) record: TokenStream,
    pub(super) words: usize,
}

/// Where the fields are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// In the type itself.
    Plain,
    /// In its field `properties`, where each value may come with a time.
    Post,
}

pub(super) fn decoding(protocol: &Protocol, object: &Struct, reader: Reader) -> Decoding {
    let wires: Vec<_> = object.fields.iter().map(|field| &field.wire).collect();
    let is_blank = |field: &Field| !is_required(object, field) && is_blankable(protocol, &field.shape);
    let words = object.fields.len().div_ceil(64).max(1);
    let mask = |keep: &dyn Fn(&Field) -> bool| {
        let words = object.fields.chunks(64).map(|fields| {
            let bits = fields.iter().enumerate().filter(|(_, field)| keep(field));
            Literal::u64_unsuffixed(bits.fold(0, |mask, (index, _)| mask | 1u64 << index))
        });
        let words: Vec<_> = words.collect();
        match words.as_slice() {
            [] => quote!(0),
            [one] => quote!(#one),
            _ => quote!([#(#words),*]),
        }
    };
    // An optional property of any type is in both masks: neither `null` nor `""` means that it is absent.
    let is_any = |field: &Field| !is_required(object, field) && matches!(resolved(protocol, &field.shape), Shape::Any);
    let required = mask(&|field| is_required(object, field) || is_any(field));
    let blank = mask(&|field| is_blank(field) || is_any(field));
    let kept = object.extra == Extra::Kept;
    let extra = match object.extra {
        Extra::Forbidden => quote!(Forbidden),
        Extra::Skipped => quote!(Skipped),
        Extra::Kept => quote!(Kept),
    };
    let reads: Vec<_> = object
        .fields
        .iter()
        .map(|field| {
            let name = ident(&field.name);
            let place = match reader {
                Reader::Plain => quote!(self.#name),
                Reader::Post => quote!(self.properties.#name),
            };
            let target = if is_required(object, field) {
                Target { reference: quote!(&mut #place), assignment: quote!(#place = value) }
            } else {
                let blank = blank_function(protocol, &field.shape);
                Target {
                    reference: quote!(#place.get_or_insert_with(#blank)),
                    assignment: quote!(#place = ::core::option::Option::Some(value)),
                }
            };
            let read = decode(protocol, &field.shape, &target);
            match reader {
                Reader::Plain => read,
                Reader::Post => {
                    let (wire, is_object) = (&field.wire, is_object(protocol, &field.shape));
                    quote! {
                        {
                            let timed = d.begin_timed(#is_object)?;
                            #read?;
                            d.end_timed(timed, #wire, &mut self.times);
                            ::core::result::Result::Ok(())
                        }
                    }
                }
            }
        })
        .collect();
    let blanks = object.fields.iter().map(|field| {
        let name = ident(&field.name);
        if is_required(object, field) {
            let blank = blank_value(protocol, &field.shape);
            quote!(#name: #blank,)
        } else {
            quote!(#name: ::core::option::Option::None,)
        }
    });
    let extra_name = ident(Extra::FIELD);
    let extra_blank = kept.then(|| quote!(#extra_name: ::core::default::Default::default(),));
    let keep = kept.then(|| quote!(d.keep(object, &mut self.#extra_name)));
    let in_order = object.fields.iter().zip(&reads).enumerate().map(|(index, (field, read))| {
        let (index, key, blank) = (Literal::usize_unsuffixed(index), key(field), is_blank(field));
        quote!(if d.in_order(object, #index, #key, #blank) { #read?; })
    });
    let mut arms: Vec<_> = reads.iter().cloned().chain(keep).collect();
    let width = (words > 1).then(|| Literal::usize_unsuffixed(words)).map(|words| quote!(<#words>));
    // What the last arm reads needs no index.
    let field = arms.pop().map(|last| {
        let object = if kept { quote!(object) } else { quote!(_) };
        let (index, body) = if arms.is_empty() {
            (quote!(_), last)
        } else {
            let indices = (0..arms.len()).map(Literal::usize_unsuffixed);
            let body = quote! {
                match index {
                    #(#indices => #arms,)*
                    _ => #last,
                }
            };
            (quote!(index), body)
        };
        quote! {
            fn field(
                &mut self,
                d: &mut ::onwire::codec::Decoder<'_>,
                #object: &::onwire::codec::Object #width,
                #index: usize,
            ) -> ::core::result::Result<(), ::onwire::codec::Reject> {
                #body
            }
        }
    });
    let blank_body = match reader {
        Reader::Plain => quote!(Self { #(#blanks)* #extra_blank }),
        Reader::Post => quote!(Self::default()),
    };
    let new = if words > 1 { quote!(wide) } else { quote!(new) };
    let message = quote! {
        fn blank() -> Self {
            #blank_body
        }

        fn read(&mut self, d: &mut ::onwire::codec::Decoder<'_>) -> ::core::result::Result<(), ::onwire::codec::Reject> {
            const FIELDS: &::onwire::codec::Fields #width =
                &::onwire::codec::Fields::#new(&[#(#wires),*], #required, #blank, ::onwire::codec::Extra::#extra);
            d.object(FIELDS, self)
        }
    };
    let in_order = (!reads.is_empty()).then(|| {
        quote! {
            fn in_order(
                &mut self,
                d: &mut ::onwire::codec::Decoder<'_>,
                object: &mut ::onwire::codec::Object #width,
            ) -> ::core::result::Result<(), ::onwire::codec::Reject> {
                #(#in_order)*
                ::core::result::Result::Ok(())
            }
        }
    });
    Decoding { message, record: quote!(#in_order #field), words }
}

/// Whether a value of the shape is an object.
fn is_object(protocol: &Protocol, shape: &Shape) -> bool {
    match resolved(protocol, shape) {
        Shape::Named(name) => matches!(protocol.find(name).map(|each| &each.kind), Some(Kind::Struct(_))),
        _ => false,
    }
}

/// The key's own JSON text with its colon, so that nothing is escaped at run time.
pub(super) fn key(field: &Field) -> String {
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
