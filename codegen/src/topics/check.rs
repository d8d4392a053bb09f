//! What a table must not say.

use std::collections::BTreeSet;

use super::pattern::{self, Pattern};
use super::read::{Answer, Field, Role, Row, Topic};
use super::{Entries, Entry};
use crate::error::Error;

/// More rows than that have no number.
const MOST_ROWS: usize = 255;

pub(super) fn all(entries: &Entries<'_>) -> Result<(), Error> {
    names(entries)?;
    order(entries)?;
    for (_, entry, topic, row) in entries.rows() {
        placeholders(entries, entry, topic, row)?;
        answer(entries, entry, row)?;
        method(entries, entry, row)?;
        paths(entries, entry, row)?;
    }
    entries.table.topics.iter().try_for_each(|topic| rows(entries, topic))
}

/// Rust names, each once.
fn names(entries: &Entries<'_>) -> Result<(), Error> {
    let table = entries.table;
    let types = table
        .topics
        .iter()
        .map(|topic| &topic.name)
        .chain(table.enums.iter().flat_map(|each| each.values.iter().map(|value| &value.name).chain([&each.name])));
    for name in types {
        if crate::names::type_name(name).as_deref() != Some(name) {
            return Err(entries.error(format!("{name:?} cannot be the name of a Rust type or variant")));
        }
    }
    let twice = |what: &str, names: Vec<&String>| {
        let mut known = BTreeSet::new();
        match names.into_iter().find(|name| !known.insert(*name)) {
            Some(name) => Err(entries.error(format!("two {what} are called {name}"))),
            None => Ok(()),
        }
    };
    if let Some(each) = table.enums.iter().find(|each| ["Topic", "DeviceRef"].contains(&each.name.as_str())) {
        return Err(entries.error(format!("an enumeration cannot be called {}, as what is generated is", each.name)));
    }
    for topic in &table.topics {
        let odd = |field: &&Field| crate::names::field_name(&field.name).as_deref() != Some(field.name.as_str());
        if let Some(field) = topic.fields.iter().find(odd) {
            return Err(
                entries.error(format!("the topic {}: {:?} cannot be the name of a field", topic.name, field.name))
            );
        }
        twice("fields of a topic", topic.fields.iter().map(|field| &field.name).collect())?;
    }
    twice("names", table.names.iter().map(|name| &name.name).collect())?;
    twice("topics", table.topics.iter().map(|topic| &topic.name).collect())?;
    twice("enumerations", table.enums.iter().map(|each| &each.name).collect())?;
    table.enums.iter().try_for_each(|each| twice("values", each.values.iter().map(|value| &value.name).collect()))?;
    if entries.entries.len() > MOST_ROWS {
        return Err(entries.error(format!("there are more than {MOST_ROWS} rows")));
    }
    Ok(())
}

/// Of two rows that claim one topic, one has to be the more special, or what they share reserved.
fn order(entries: &Entries<'_>) -> Result<(), Error> {
    for (place, later) in entries.entries.iter().enumerate() {
        for (index, earlier) in entries.entries.iter().take(place).enumerate() {
            let (first, second) = (&earlier.pattern, &later.pattern);
            if !pattern::meet(first, second) {
                continue;
            }
            let problem = if pattern::is_within(second, first) {
                "and the second never gets any"
            } else if pattern::is_within(first, second) || earlier.of.is_none() {
                continue;
            } else if later.of.is_none() {
                "and the second, which is reserved, takes some of them only"
            } else if is_reserved(entries, index, place) {
                continue;
            } else {
                "and neither is the more special; reserve what they share, or make one of them so"
            };
            return Err(entries.error(format!(
                "{} and {} both claim topics such as {:?}, {problem}",
                name(earlier),
                name(later),
                pattern::example(first, second),
            )));
        }
    }
    Ok(())
}

/// Whether a reserved pattern between the two takes all that the first one could leave to the second.
fn is_reserved(entries: &Entries<'_>, first: usize, second: usize) -> bool {
    let between = entries.entries.get(first..second).unwrap_or_default();
    let first = entries.entries.get(first);
    between
        .iter()
        .filter(|entry| entry.of.is_none())
        .any(|reserved| first.is_some_and(|first| pattern::is_within(&first.pattern, &reserved.pattern)))
}

fn name(entry: &Entry<'_>) -> String {
    match entry.of {
        Some((topic, row)) => {
            let set = row.set.values().map(|value| format!(" {}", value.to_string().trim_matches('"')));
            format!("the row {}{} ({:?})", topic.name, set.collect::<String>(), entry.pattern.text)
        }
        None => format!("what is reserved ({:?})", entry.pattern.text),
    }
}

fn placeholders(entries: &Entries<'_>, entry: &Entry<'_>, topic: &Topic, row: &Row) -> Result<(), Error> {
    let wrong = |problem: String| Err(entries.error(format!("{}: {problem}", name(entry))));
    let placeholders = entry.pattern.placeholders();
    let [product, device] = &entries.table.names;
    let names = [product.name.as_str(), device.name.as_str()];
    if placeholders.iter().skip(entry.names).any(|found| names.contains(found)) {
        return wrong(format!(
            "`{{{}}}` and `{{{}}}` come before all other placeholders, in this order",
            product.name, device.name
        ));
    }
    if placeholders.iter().skip(entry.names).any(|found| crate::names::field_name(found).as_deref() == Some("device")) {
        return wrong("`{device}` is no name for a placeholder: it is that of the field for the two names".to_owned());
    }
    for placeholder in placeholders.iter().skip(if entry.names == 2 { 2 } else { 0 }) {
        field(entries, entry, topic, placeholder)?;
    }
    if let Some(nested) = &row.topic
        && placeholders.last() != Some(&nested.as_str())
    {
        return wrong(format!("`{nested}`, which is to hold a topic, is not its last placeholder"));
    }
    if row.from.is_empty() {
        return wrong("nobody publishes there".to_owned());
    }
    for field in &topic.fields {
        let is_placeholder = |found: &&str| crate::names::field_name(found).as_deref() == Some(field.name.as_str());
        let is_there = if field.kind.is_some() {
            row.set.contains_key(&field.name)
        } else {
            placeholders.iter().any(is_placeholder)
        };
        if !is_there && field.name != "device" {
            return wrong(format!("nothing gives the field `{}`", field.name));
        }
    }
    Ok(())
}

/// The field that a placeholder is kept in has to be there.
fn field(entries: &Entries<'_>, entry: &Entry<'_>, topic: &Topic, placeholder: &str) -> Result<(), Error> {
    let wanted = crate::names::field_name(placeholder);
    let is_it = |field: &&Field| Some(&field.name) == wanted.as_ref() && field.kind.is_none();
    match topic.fields.iter().find(is_it) {
        Some(_) => Ok(()),
        None => Err(entries.error(format!("{}: no field of text is described for `{{{placeholder}}}`", name(entry)))),
    }
}

fn answer(entries: &Entries<'_>, entry: &Entry<'_>, row: &Row) -> Result<(), Error> {
    let texts: Vec<&String> = match &row.answer {
        Answer::None => Vec::new(),
        Answer::To(text) => vec![text],
        Answer::ToEach(each) => each.device.iter().chain(&each.platform).collect(),
    };
    for text in texts {
        let Some(found) = entries.place(text).and_then(|place| entries.entries.get(place)) else {
            return Err(entries.error(format!("{}: its answer {text:?} is the pattern of no row", name(entry))));
        };
        if found.pattern.placeholders() != entry.pattern.placeholders() {
            return Err(entries.error(format!("{}: its answer {text:?} has other placeholders", name(entry))));
        }
        let answers = found.of.map(|(_, answer)| answer.from.as_slice()).unwrap_or_default();
        let asked = |role: &Role| row.from.iter().any(|from| from != role);
        if !answers.iter().all(asked) {
            return Err(entries.error(format!("{}: its answer {text:?} comes from who asks", name(entry))));
        }
    }
    Ok(())
}

fn method(entries: &Entries<'_>, entry: &Entry<'_>, row: &Row) -> Result<(), Error> {
    let Some(method) = &row.method else { return Ok(()) };
    let placeholders = entry.pattern.placeholders();
    let left = placeholders.get(entry.names..).unwrap_or_default();
    let fits = match (method.split_once('{'), left) {
        (None, []) => !method.ends_with('.'),
        (Some((prefix, placeholder)), [only]) => prefix.ends_with('.') && placeholder.strip_suffix('}') == Some(only),
        _ => false,
    };
    if fits && entry.names == 2 {
        return Ok(());
    }
    Err(entries.error(format!(
        "{}: the method {method:?} does not tell its topic: beside the device's names it has each placeholder once, last and behind a dot",
        name(entry)
    )))
}

fn paths(entries: &Entries<'_>, entry: &Entry<'_>, row: &Row) -> Result<(), Error> {
    if row.paths.is_empty() {
        return Ok(());
    }
    if entry.pattern.rest.is_none() {
        return Err(entries.error(format!("{}: there are paths, and no rest that they stand for", name(entry))));
    }
    let mut known: Vec<Pattern> = Vec::new();
    for path in &row.paths {
        let found = Pattern::read(entries.file, &path.path)?;
        for other in &known {
            let is_ordered = pattern::is_within(&found, other) || pattern::is_within(other, &found);
            if found.compact() == other.compact() || (pattern::meet(&found, other) && !is_ordered) {
                return Err(entries.error(format!(
                    "{}: the paths {:?} and {:?} are for the same topics",
                    name(entry),
                    other.text,
                    found.text
                )));
            }
        }
        known.push(found);
    }
    Ok(())
}

/// Rows of one topic differ in one field, and there is one for each value of it.
fn rows(entries: &Entries<'_>, topic: &Topic) -> Result<(), Error> {
    let wrong = |problem: String| Err(entries.error(format!("the topic {}: {problem}", topic.name)));
    let settable: Vec<&Field> = topic.fields.iter().filter(|field| field.kind.is_some()).collect();
    let set =
        |row: &Row| row.set.values().map(|value| value.to_string().trim_matches('"').to_owned()).collect::<Vec<_>>();
    let found: Vec<Vec<String>> = topic.rows.iter().map(set).collect();
    let Some(field) = settable.first() else {
        return match (found.as_slice(), topic.rows.len()) {
            ([none], 1) if none.is_empty() => Ok(()),
            _ => wrong("rows of one topic differ in a field with a `type`, which each of them sets".to_owned()),
        };
    };
    let values: Vec<String> = match field.kind.as_deref() {
        Some("bool") => ["false", "true"].map(str::to_owned).to_vec(),
        kind => match entries.table.enums.iter().find(|each| Some(each.name.as_str()) == kind) {
            Some(each) => each.values.iter().map(|value| value.name.clone()).collect(),
            None => {
                return wrong(format!("{:?} is neither `bool` nor one of the enumerations", kind.unwrap_or_default()));
            }
        },
    };
    if settable.len() > 1 {
        return wrong("its rows can differ in one field only".to_owned());
    }
    for value in &values {
        if found.iter().filter(|set| set.as_slice() == [value.clone()]).count() != 1 {
            return wrong(format!("there has to be one row in which `{}` is {value}", field.name));
        }
    }
    match found.len() == values.len() {
        true => Ok(()),
        false => wrong(format!("there are {} rows for the {} values of `{}`", found.len(), values.len(), field.name)),
    }
}
