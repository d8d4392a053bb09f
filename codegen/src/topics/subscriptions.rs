//! Who listens to what.

use super::pattern::{self, Pattern};
use super::read::{Role, Subscriber};
use super::{Entries, is_for};
use crate::error::Error;

/// Filters, each of them with the names' placeholders in it.
pub(super) struct Subscriptions {
    pub(super) device: Vec<String>,
    pub(super) gateway: Vec<String>,
    pub(super) platform: Vec<String>,
}

impl Subscriptions {
    pub(super) fn of(entries: &Entries<'_>) -> Result<Self, Error> {
        let names = entries.table.names.each_ref().map(|name| name.name.as_str());
        let (mut device, mut gateway, mut platform) = (Vec::new(), Vec::new(), Vec::new());
        for (index, entry, _, row) in entries.rows() {
            let listed = |filters: &[String]| -> Result<Vec<Pattern>, Error> {
                filters.iter().map(|filter| read(entries, filter)).collect()
            };
            match &row.subscribe.platform {
                Some(filters) => platform.extend(listed(filters)?),
                None if is_for(row, Role::Platform) => platform.push(entry.pattern.clone()),
                None => {}
            }
            let mut add = |subscriber: Subscriber, pattern: Pattern| match subscriber {
                Subscriber::Device => device.push(pattern),
                Subscriber::Gateway => gateway.push(pattern),
                Subscriber::Anybody | Subscriber::Nobody => {}
            };
            if let Some(filters) = &row.subscribe.device {
                listed(filters)?.into_iter().for_each(|filter| add(row.subscriber, filter));
            } else if !row.paths.is_empty() {
                for path in &row.paths {
                    let ([answer, _], end) = (entries.answers(row), Pattern::read(entries.file, &path.path)?);
                    let answer = answer.and_then(|place| entries.entries.get(place));
                    match (path.from, answer) {
                        (Role::Platform, _) => add(path.subscriber, entry.pattern.with_path(&end)),
                        (Role::Device, Some(answer)) => add(path.subscriber, answer.pattern.with_path(&end)),
                        (Role::Device, None) => {}
                    }
                }
            } else if is_for(row, Role::Device) && entries.answered(index).is_none() {
                add(row.subscriber, entry.pattern.clone());
            }
        }
        Ok(Self {
            device: without_overlaps(&device, &names),
            gateway: without_overlaps(&gateway, &names),
            platform: without_overlaps(&platform, &names),
        })
    }
}

/// A filter of the table as a pattern.
fn read(entries: &Entries<'_>, filter: &str) -> Result<Pattern, Error> {
    let text = match filter.strip_suffix('#') {
        Some(text) if text.ends_with('/') => format!("{text}{{rest..}}"),
        _ => filter.to_owned(),
    };
    let mut index = 0;
    let levels = text.split('/').map(|level| {
        index += 1;
        if level == "+" { format!("{{level{index}}}") } else { level.to_owned() }
    });
    let text = levels.collect::<Vec<_>>().join("/");
    Pattern::read(entries.file, &text)
}

/// A broker may bring a message once for each filter that it fits, so that none is within another one.
fn without_overlaps(patterns: &[Pattern], names: &[&str]) -> Vec<String> {
    let mut filters: Vec<String> = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let filter = pattern.filter(names);
        let is_in = |other: &Pattern| pattern::covers(other, pattern, names);
        let is_known = filters.contains(&filter);
        if !is_known
            && !patterns
                .iter()
                .enumerate()
                .any(|(at, other)| at != index && other.filter(names) != filter && is_in(other))
        {
            filters.push(filter);
        }
    }
    filters
}
