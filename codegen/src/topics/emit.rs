//! The router as Rust: a type with a variant for each topic, and the table that `onwire` reads and writes them by.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::pattern::{self, Pattern};
use super::read::{Enum, Field, Role, Row, Subscriber, Topic};
use super::subscriptions::Subscriptions;
use super::{Entries, Entry, is_for};
use crate::emit::{Options, file, more_derives};
use crate::error::Error;
use crate::names::{field_name, ident};

pub(super) fn code(entries: &Entries<'_>, options: &Options) -> Result<String, Error> {
    let device = device(entries, options);
    let enums = entries.table.enums.iter().map(|each| enumeration(each, options));
    let topic = topic(entries, options);
    let build = build(entries);
    let read = read(entries);
    let router = router(entries)?;
    let methods = methods(entries)?;
    let display = quote! {
        impl ::core::fmt::Display for Topic<'_> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ROUTER.write(self.row(), f)
            }
        }
    };
    Ok(file(quote! { #device #(#enums)* #topic #methods #build #read #display #router }))
}

/// Lines of Markdown.
fn doc<'l>(lines: impl IntoIterator<Item = &'l str>) -> TokenStream {
    let lines = lines.into_iter().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote! { #(#[doc = #lines])* }
}

fn names(entries: &Entries<'_>) -> [proc_macro2::Ident; 2] {
    // `check` has seen that they can be names of fields.
    entries.table.names.each_ref().map(|name| ident(&field_name(&name.name).unwrap_or_default()))
}

/// Who a topic's device is.
fn device(entries: &Entries<'_>, options: &Options) -> TokenStream {
    let [product, device] = names(entries);
    let docs = entries.table.names.iter().map(|name| doc([name.doc.as_str()]));
    let [product_doc, device_doc] = [0, 1].map(|index| docs.clone().nth(index));
    let [product_mark, device_mark] = entries.table.names.each_ref().map(|name| format!("{{{}}}", name.name));
    let derives = more_derives(options);
    let fill =
        format!(" One of the filters for topics, with its names in place of `{product_mark}` and `{device_mark}`.");
    quote! {
        #[doc = " A device, as topics name it."]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #derives
        pub struct DeviceRef<'a> {
            #product_doc
            pub #product: &'a str,
            #device_doc
            pub #device: &'a str,
        }

        impl DeviceRef<'_> {
            #[doc = #fill]
            pub fn filter(self, filter: &str) -> ::onwire::__private::String {
                filter.replace(#product_mark, self.#product).replace(#device_mark, self.#device)
            }

            #[doc = " Whether a filter asks only for what is said to that device, or to all of its product. What it asks for may be"]
            #[doc = " nothing at all, as a platform need not know it."]
            pub fn may_subscribe(self, filter: &str) -> bool {
                ROUTER.may_subscribe([self.#product, self.#device], filter)
            }
        }

        impl ::core::fmt::Display for DeviceRef<'_> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.#product)?;
                f.write_str("/")?;
                f.write_str(self.#device)
            }
        }
    }
}

fn enumeration(each: &Enum, options: &Options) -> TokenStream {
    let (name, text, derives) = (ident(&each.name), doc(each.doc.lines()), more_derives(options));
    let values = each.values.iter().map(|value| {
        let (name, text) = (ident(&value.name), doc([value.doc.as_str()]));
        quote! { #text #name }
    });
    quote! {
        #text
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #derives
        pub enum #name { #(#values),* }
    }
}

fn topic(entries: &Entries<'_>, options: &Options) -> TokenStream {
    let (text, derives) = (doc(entries.table.doc.lines()), more_derives(options));
    let variants = entries.table.topics.iter().map(|topic| {
        let (name, text) = (ident(&topic.name), doc(topic.doc.lines()));
        let has_device = entries.rows().any(|(_, entry, of, _)| std::ptr::eq(of, topic) && entry.names == 2);
        let device = has_device.then(|| {
            let described = topic.fields.iter().find(|field| field.name == "device");
            let text = doc([described.map_or("Whose.", |field| field.doc.as_str())]);
            quote! { #text device: DeviceRef<'a>, }
        });
        let fields = topic.fields.iter().filter(|field| field.name != "device").map(|field| {
            let (name, text, kind) = (ident(&field.name), doc([field.doc.as_str()]), field.kind.as_deref().map(ident));
            let kind = kind.map_or_else(|| quote!(&'a str), |kind| quote!(#kind));
            quote! { #text #name: #kind, }
        });
        let fields: Vec<TokenStream> = device.into_iter().chain(fields).collect();
        if fields.is_empty() {
            quote! { #text #name }
        } else {
            quote! { #text #name { #(#fields)* } }
        }
    });
    quote! {
        #text
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #derives
        pub enum Topic<'a> { #(#variants),* }
    }
}

/// The variant of a row, with what `value` gives for each placeholder behind the device.
fn variant(
    entry: &Entry<'_>,
    topic: &Topic,
    row: &Row,
    value: impl Fn(usize, &proc_macro2::Ident) -> TokenStream,
) -> TokenStream {
    let name = ident(&topic.name);
    let set = row.set.iter().map(|(field, set)| {
        let kind =
            topic.fields.iter().find(|known| known.name == *field).and_then(|known: &Field| known.kind.as_deref());
        let (field, set) = (ident(field), set.to_string());
        let set = ident_or_bool(set.trim_matches('"'), kind);
        quote! { #field: #set }
    });
    let placeholders = entry.pattern.placeholders();
    let texts = placeholders.iter().enumerate().skip(if entry.names == 2 { 2 } else { 0 }).map(|(index, name)| {
        let name = ident(&field_name(name).unwrap_or_default());
        value(index, &name)
    });
    let device = (entry.names == 2).then(|| quote!(device));
    let fields: Vec<TokenStream> = device.into_iter().chain(texts).chain(set).collect();
    if fields.is_empty() { quote!(Self::#name) } else { quote!(Self::#name { #(#fields),* }) }
}

fn ident_or_bool(text: &str, kind: Option<&str>) -> TokenStream {
    match (text, kind) {
        ("true", _) => quote!(true),
        ("false", _) => quote!(false),
        (_, kind) => {
            let (kind, value) = (ident(kind.unwrap_or_default()), ident(text));
            quote!(#kind::#value)
        }
    }
}

/// From captures to a topic.
fn build(entries: &Entries<'_>) -> TokenStream {
    let [product, device] = names(entries);
    let used = |index: usize| {
        entries
            .rows()
            .any(|(_, entry, ..)| entry.pattern.placeholders().len() > index && (entry.names < 2 || index > 1))
    };
    let has_device = entries.rows().any(|(_, entry, ..)| entry.names == 2);
    let captures = [0, 1, 2, 3].map(|index| {
        let capture = capture(index);
        if used(index) || (has_device && index < 2) { quote!(#capture) } else { quote!(_) }
    });
    let arms = entries.rows().map(|(index, entry, topic, row)| {
        let index = number(index);
        let variant = variant(entry, topic, row, |at, name| {
            let capture = capture(at);
            quote!(#name: #capture)
        });
        quote! { #index => #variant }
    });
    let (first, second) = (capture(0), capture(1));
    let whose = has_device.then(|| quote! { let device = DeviceRef { #product: #first, #device: #second }; });
    quote! {
        impl<'a> Topic<'a> {
            fn build(row: u8, [#(#captures),*]: ::onwire::__private::topic::Captures<'a>) -> ::core::option::Option<Self> {
                #whose
                ::core::option::Option::Some(match row {
                    #(#arms,)*
                    _ => return ::core::option::Option::None,
                })
            }
        }
    }
}

fn capture(index: usize) -> proc_macro2::Ident {
    format_ident!("{}", ["first", "second", "third", "fourth"].get(index).copied().unwrap_or("fourth"))
}

fn number(index: usize) -> proc_macro2::Literal {
    proc_macro2::Literal::u8_suffixed(u8::try_from(index).unwrap_or(u8::MAX))
}

/// From a topic to its captures.
fn read(entries: &Entries<'_>) -> TokenStream {
    let [product, device] = names(entries);
    let arms = entries.rows().map(|(index, entry, topic, row)| {
        let index = number(index);
        let pattern = variant(entry, topic, row, |_, name| quote!(#name));
        let placeholders = entry.pattern.placeholders();
        let own = [quote!(device.#product), quote!(device.#device)];
        let texts = placeholders.iter().skip(if entry.names == 2 { 2 } else { 0 }).map(|name| {
            let name = ident(&field_name(name).unwrap_or_default());
            quote!(#name)
        });
        let own = own.into_iter().take(if entry.names == 2 { 2 } else { 0 });
        let captures: Vec<TokenStream> = own.chain(texts).chain(std::iter::repeat_n(quote!(""), 4)).take(4).collect();
        quote! { #pattern => (#index, [#(#captures),*]) }
    });
    quote! {
        impl<'a> Topic<'a> {
            fn row(&self) -> (u8, ::onwire::__private::topic::Captures<'a>) {
                match *self { #(#arms),* }
            }
        }
    }
}

fn methods(entries: &Entries<'_>) -> Result<TokenStream, Error> {
    let Subscriptions { device: own, gateway, platform } = Subscriptions::of(entries)?;
    let [product, device] = names(entries);
    let [product_mark, device_mark] = entries.table.names.each_ref().map(|name| format!("{{{}}}", name.name));
    let filled = format!(" each with `{product_mark}` and `{device_mark}` for [`DeviceRef::filter`] to replace.");
    let gateways = (!gateway.is_empty()).then(|| {
        quote! {
            #[doc = " What a device with sub-devices subscribes to beside that;"]
            #[doc = #filled]
            pub const GATEWAY_FILTERS: &'static [&'static str] = &[#(#gateway),*];
        }
    });
    let nested = entries.rows().filter(|(.., row)| row.topic.is_some()).map(|(_, entry, topic, _)| {
        let (name, field) = (ident(&topic.name), entry.pattern.placeholders().last().and_then(|name| field_name(name)));
        let field = ident(&field.unwrap_or_default());
        quote! {
            // One within another is nobody's, however deep somebody stacks them.
            if let Self::#name { #field, .. } = *self {
                return match Self::parse(#field)? {
                    Self::#name { .. } => ::core::option::Option::None,
                    topic => topic.device(),
                };
            }
        }
    });
    Ok(quote! {
        impl<'a> Topic<'a> {
            #[doc = " What a device subscribes to where the platform does not do so for it;"]
            #[doc = #filled]
            #[doc = " No two of them bring the same message."]
            pub const DEVICE_FILTERS: &'static [&'static str] = &[#(#own),*];

            #gateways

            #[doc = " What a platform subscribes to that is behind a broker;"]
            #[doc = #filled]
            pub const PLATFORM_FILTERS: &'static [&'static str] = &[#(#platform),*];

            #[doc = " Reads a topic; `None` if it is none of these."]
            pub fn parse(topic: &'a str) -> ::core::option::Option<Self> {
                let (row, captures) = ROUTER.find(topic)?;
                Self::build(row, captures)
            }

            #[doc = " Where the answer belongs of whoever is asked on this topic; `None` where nobody is asked."]
            pub fn answer(&self) -> ::core::option::Option<Self> {
                let topic = self.row();
                Self::build(ROUTER.answer(topic)?, topic.1)
            }

            #[doc = " Whose it is, where it says so."]
            pub fn device(&self) -> ::core::option::Option<DeviceRef<'a>> {
                #(#nested)*
                let (row, [first, second, ..]) = self.row();
                ROUTER.is_of_a_device(row).then_some(DeviceRef { #product: first, #device: second })
            }

            #[doc = " Which way its messages go; `None` where both sides publish, or where that is not known."]
            pub fn direction(&self) -> ::core::option::Option<::onwire::__private::topic::Direction> {
                ROUTER.direction(self.row())
            }

            #[doc = " Whether its messages are frames of a session, or may be."]
            pub fn is_framed(&self) -> bool {
                ROUTER.is_framed(self.row())
            }

            #[doc = " The method of the calls on it, where they have one."]
            pub fn method(&self) -> ::core::option::Option<::onwire::__private::String> {
                ROUTER.method(self.row())
            }

            #[doc = " Where the calls of that method belong. What of the method is part of the topic is written to `path`."]
            pub fn of_method(
                device: DeviceRef<'a>,
                method: &str,
                path: &'a mut ::onwire::__private::String,
            ) -> ::core::option::Option<Self> {
                let (row, capture) = ROUTER.of_method(method, path)?;
                let mut captures = [device.#product, device.#device, "", ""];
                if let ::core::option::Option::Some(place) = captures.get_mut(usize::from(capture)) {
                    *place = path;
                }
                Self::build(row, captures)
            }
        }
    })
}

fn router(entries: &Entries<'_>) -> Result<TokenStream, Error> {
    let mut before = String::new();
    let rows: Vec<TokenStream> = entries
        .entries
        .iter()
        .map(|entry| {
            let compact = entry.pattern.compact();
            let shared = compact.bytes().zip(before.bytes()).take_while(|(one, other)| one == other).count();
            let shared = u8::try_from(shared).unwrap_or(u8::MAX);
            before.clone_from(&compact);
            let names = u8::try_from(entry.names).unwrap_or_default();
            let Some((_, row)) = entry.of else {
                return quote! { ::onwire::__private::topic::Row::reserved(#compact, #shared) };
            };
            let direction = match row.from.as_slice() {
                [Role::Device] => direction(Some(Role::Device)),
                [Role::Platform] => direction(Some(Role::Platform)),
                _ => direction(None),
            };
            let answers = entries.answers(row).map(|answer| match answer.map(number) {
                Some(answer) => quote!(#answer),
                None => quote!(::onwire::__private::topic::NO_ROW),
            });
            let is_framed = row.framed;
            let is_open = |row: &Row| is_for(row, Role::Device) && row.subscriber != Subscriber::Nobody;
            // One row that lets a device have all that another one does is enough to look at.
            let is_covered = entries.rows().any(|(_, other, _, open)| {
                let is_wider = other.names == entry.names && other.pattern != entry.pattern;
                is_wider && is_open(open) && pattern::is_within(&entry.pattern, &other.pattern)
            });
            let is_listened_to = is_open(row) && !is_covered;
            quote! {
                ::onwire::__private::topic::Row {
                    pattern: #compact,
                    shared: #shared,
                    direction: #direction,
                    is_framed: #is_framed,
                    names: #names,
                    is_listened_to: #is_listened_to,
                    answers: [#(#answers),*],
                }
            }
        })
        .collect();
    let (mut paths, mut lists) = (Vec::new(), Vec::new());
    for (index, entry, topic, row) in entries.rows().filter(|(.., row)| !row.paths.is_empty()) {
        let (list, name) = (path_rows(entries, row)?, format_ident!("{}_{index}", topic.name.to_uppercase()));
        lists.push(quote! { static #name: &[::onwire::__private::topic::Path] = &[#(#list),*]; });
        let capture = number(entry.pattern.placeholders().len().saturating_sub(1));
        let mut of = vec![(index, false)];
        of.extend(entries.answers(row).into_iter().flatten().map(|answer| (answer, true)));
        of.dedup();
        for (of, is_answer) in of {
            let of = number(of);
            paths.push(quote! {
                ::onwire::__private::topic::Paths { of: #of, is_answer: #is_answer, capture: #capture, rows: #name }
            });
        }
    }
    let methods = entries.rows().filter_map(|(index, entry, _, row)| {
        let (name, index) = (row.method.as_deref()?, number(index));
        let name = name.split('{').next().unwrap_or_default();
        let capture =
            number(if name.ends_with('.') { entry.pattern.placeholders().len() - 1 } else { usize::from(u8::MAX) });
        Some(quote! { ::onwire::__private::topic::Method { name: #name, row: #index, capture: #capture } })
    });
    Ok(quote! {
        #(#lists)*

        static ROUTER: ::onwire::__private::topic::Router = ::onwire::__private::topic::Router {
            rows: &[#(#rows),*],
            paths: &[#(#paths),*],
            methods: &[#(#methods),*],
        };
    })
}

fn direction(from: Option<Role>) -> TokenStream {
    match from {
        Some(Role::Device) => quote!(::core::option::Option::Some(::onwire::__private::topic::Direction::Up)),
        Some(Role::Platform) => quote!(::core::option::Option::Some(::onwire::__private::topic::Direction::Down)),
        None => quote!(::core::option::Option::None),
    }
}

/// The paths in their order, without those that say nothing that a later one does not.
fn path_rows(entries: &Entries<'_>, row: &Row) -> Result<Vec<TokenStream>, Error> {
    let mut paths = Vec::new();
    for path in &row.paths {
        paths.push((Pattern::read(entries.file, &path.path)?, path));
    }
    paths.sort_by(|left, right| pattern::order(&left.0, &right.0));
    let says_more = |(index, (found, path)): &(usize, &(Pattern, &super::read::Path))| {
        let more_general = paths.iter().skip(index + 1).find(|(other, _)| pattern::is_within(found, other));
        more_general.is_none_or(|(_, other)| other.from != path.from || other.framed != path.framed)
    };
    let kept = paths.iter().enumerate().filter(says_more);
    let rows = kept.map(|(_, (found, path))| {
        let (pattern, is_framed) = (found.compact(), path.framed);
        let direction = match path.from {
            Role::Device => quote!(::onwire::__private::topic::Direction::Up),
            Role::Platform => quote!(::onwire::__private::topic::Direction::Down),
        };
        quote! { ::onwire::__private::topic::Path { pattern: #pattern, direction: #direction, is_framed: #is_framed } }
    });
    Ok(rows.collect())
}
