//! Types that hold themselves.

use crate::model::{Kind, Shape, Type, Whole};

/// The name of a type whose values would have no end: an object that holds itself, or a name for itself.
///
/// An object with a list of its own kind is fine: the list may be empty.
pub(super) fn without_end(types: &[Type]) -> Option<&str> {
    types.iter().map(|each| each.name.as_str()).find(|name| reaches_itself(types, name))
}

fn reaches_itself(types: &[Type], name: &str) -> bool {
    let mut open = vec![name];
    let mut next = 0;
    while let Some(here) = open.get(next).copied() {
        next += 1;
        for held in types.iter().find(|each| each.name == here).map(|each| held(types, &each.kind)).unwrap_or_default()
        {
            if held == name {
                return true;
            }
            if !open.contains(&held) {
                open.push(held);
            }
        }
    }
    false
}

/// What a type cannot be written without: the objects in an object's fields, the other side of a name.
fn held<'t>(types: &'t [Type], kind: &'t Kind) -> Vec<&'t str> {
    match kind {
        Kind::Struct(object) => object
            .fields
            .iter()
            .filter_map(|field| match &field.shape {
                Shape::Named(name) if !is_list(types, name) => Some(name.as_str()),
                _ => None,
            })
            .collect(),
        Kind::Whole(Whole { shape: Shape::Named(name), .. }) if !is_list(types, name) => vec![name.as_str()],
        Kind::Alias(shape) => innermost(shape).filter(|name| is_alias(types, name)).into_iter().collect(),
        Kind::Enum(_) | Kind::Wrapped(_) | Kind::Whole(_) => Vec::new(),
    }
}

fn is_list(types: &[Type], name: &str) -> bool {
    types
        .iter()
        .any(|each| each.name == name && matches!(each.kind, Kind::Alias(Shape::List { .. } | Shape::Map { .. })))
}

fn is_alias(types: &[Type], name: &str) -> bool {
    types.iter().any(|each| each.name == name && matches!(each.kind, Kind::Alias(_)))
}

fn innermost(shape: &Shape) -> Option<&str> {
    match shape {
        Shape::Named(name) => Some(name),
        Shape::List { item, .. } | Shape::Map { item, .. } => innermost(item),
        _ => None,
    }
}
