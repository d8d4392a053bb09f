//! Types that a schema writes in place: equal ones become one type, and each gets a name.

use std::collections::{BTreeMap, HashSet};

use crate::model::{Kind, Shape, Type, Whole};
use crate::names::{type_name, upper_camel};

/// A placeholder in `Shape::Named` until names are given; no Rust name begins so.
const PREFIX: char = '#';

struct Inline {
    kind: Kind,
    /// `kind` without documentation: what makes two types equal.
    bare: Kind,
    doc: String,
    /// Name of the type (or placeholder) and the field where it was met first.
    owner: String,
    field: String,
}

/// The types met in place so far.
#[derive(Default)]
pub(crate) struct Inlines {
    met: Vec<Inline>,
    /// Equal ones in fields of different names are one type.
    shared: bool,
}

impl Inlines {
    /// Equal types are one, whatever the fields are called; without this, only those of fields of one name are.
    pub(crate) fn shared() -> Self {
        Self { met: Vec::new(), shared: true }
    }

    /// The shape that stands for `kind`, which was met in `field` of `owner`.
    pub(crate) fn add(&mut self, kind: Kind, doc: String, owner: &str, field: &str) -> Shape {
        let bare = without_docs(&kind);
        let is_known = |known: &Inline| known.bare == bare && (self.shared || known.field == field);
        let index = self.met.iter().position(is_known).unwrap_or_else(|| {
            self.met.push(Inline { kind, bare, doc, owner: owner.to_owned(), field: field.to_owned() });
            self.met.len() - 1
        });
        Shape::Named(format!("{PREFIX}{index}"))
    }

    /// A placeholder for the owner of what is met within the type that will be added for `field` of `owner`.
    pub(crate) fn nested_owner(owner: &str, field: &str) -> String {
        format!("{owner}{}", upper_camel(field))
    }

    /// Names the types: by their field where that is unambiguous, else by owner and field. `taken` are names of others.
    pub(crate) fn name(self, taken: &[String], others: Vec<Type>) -> Vec<Type> {
        let mut by_field: BTreeMap<String, usize> = BTreeMap::new();
        for inline in &self.met {
            *by_field.entry(upper_camel(&inline.field)).or_default() += 1;
        }
        let mut names: Vec<String> = self
            .met
            .iter()
            .map(|inline| {
                let short = upper_camel(&inline.field);
                let is_free = by_field.get(&short) == Some(&1) && !taken.contains(&short);
                match type_name(&short) {
                    Some(short) if is_free => short,
                    // A list's items have no field of their own.
                    _ if short.is_empty() => format!("{}Item", inline.owner),
                    _ => format!("{}{short}", inline.owner),
                }
            })
            .collect();
        if !self.shared {
            let others = others.iter().map(|each| &each.name).chain(taken);
            number(&mut names, &others.cloned().collect::<Vec<_>>());
        }
        let inlines = self.met.into_iter().zip(names.clone());
        let inlines = inlines.map(|(inline, name)| Type { name, doc: inline.doc, kind: inline.kind });
        let mut types: Vec<Type> = others.into_iter().chain(inlines).collect();
        for each in &mut types {
            visit(&mut each.kind, &mut |shape| {
                if let Shape::Named(name) = shape
                    && let Some(index) = name.strip_prefix(PREFIX).and_then(|index| index.parse::<usize>().ok())
                    && let Some(real) = names.get(index)
                {
                    name.clone_from(real);
                }
            });
        }
        types
    }
}

/// Gives the later ones of equal names, and those that are taken, a number.
fn number(names: &mut [String], taken: &[String]) {
    let mut used: HashSet<String> = taken.iter().cloned().collect();
    for name in names {
        let numbered = (2..).map(|number| format!("{name}{number}"));
        // Numbers do not end.
        if let Some(free) = std::iter::once(name.clone()).chain(numbered).find(|name| !used.contains(name)) {
            *name = free;
        }
        used.insert(name.clone());
    }
}

fn without_docs(kind: &Kind) -> Kind {
    let mut kind = kind.clone();
    match &mut kind {
        Kind::Struct(object) => object.fields.iter_mut().for_each(|field| field.doc.clear()),
        Kind::Enum(values) => values.values.iter_mut().for_each(|value| value.doc.clear()),
        Kind::Alias(_) | Kind::Wrapped(_) | Kind::Whole(_) => {}
    }
    kind
}

/// Calls `change` on every shape within `kind`.
fn visit(kind: &mut Kind, change: &mut impl FnMut(&mut Shape)) {
    fn shape(shape_: &mut Shape, change: &mut impl FnMut(&mut Shape)) {
        change(shape_);
        if let Shape::List { item, .. } | Shape::Map { item, .. } = shape_ {
            shape(item, change);
        }
    }
    match kind {
        Kind::Struct(object) => object.fields.iter_mut().for_each(|field| shape(&mut field.shape, change)),
        Kind::Alias(inner) | Kind::Whole(Whole { shape: inner, .. }) => shape(inner, change),
        Kind::Enum(_) | Kind::Wrapped(_) => {}
    }
}
