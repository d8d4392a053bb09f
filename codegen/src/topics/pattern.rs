//! A topic's pattern: levels, of which some stand for any, and at the end perhaps all the rest.

use crate::error::Error;

/// More placeholders than that the runtime does not take.
const MOST_CAPTURES: usize = 4;

/// One level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Level {
    Text(String),
    /// Any level that is not empty, and its name.
    Any(String),
}

/// What is left of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) name: String,
    /// Whether the slash before it is part of it.
    has_slash: bool,
    /// What it ends with, which is not part of it.
    suffix: String,
}

/// A pattern as the table has it: `/a/{one}/b/{all..}_c`, or `/a/{one}{/all..}` for a rest with its slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) levels: Vec<Level>,
    pub(super) rest: Option<Rest>,
}

impl Pattern {
    pub(super) fn read(file: &str, text: &str) -> Result<Self, Error> {
        let wrong =
            |problem: &str| Error::Folder { file: file.to_owned(), problem: format!("the pattern {text:?} {problem}") };
        let mut levels = Vec::new();
        let mut rest = None;
        for level in text.split("{/").next().unwrap_or_default().split('/') {
            if rest.is_some() {
                // What follows the rest is its suffix, which may have slashes.
                break;
            }
            levels.push(match level.split_once('{') {
                None => Level::Text(level.to_owned()),
                Some(("", inner)) => match inner.split_once('}') {
                    Some((name, "")) if !name.ends_with("..") => Level::Any(name.to_owned()),
                    Some((name, _)) if name.ends_with("..") => {
                        let suffix = text.split_once("..}").map(|(_, suffix)| suffix.to_owned()).unwrap_or_default();
                        rest = Some(Rest { name: name.trim_end_matches('.').to_owned(), has_slash: false, suffix });
                        continue;
                    }
                    _ => return Err(wrong("has a placeholder that is not a level of its own")),
                },
                Some(_) => return Err(wrong("has a placeholder that is not a level of its own")),
            });
        }
        if let Some((_, inner)) = text.split_once("{/") {
            let name = inner.strip_suffix("..}").ok_or_else(|| wrong("goes on behind `{/..}`, or lacks its dots"))?;
            if !matches!(levels.last(), Some(Level::Any(_))) || rest.is_some() {
                return Err(wrong("has `{/..}` behind what is no `{level}`"));
            }
            rest = Some(Rest { name: name.to_owned(), has_slash: true, suffix: String::new() });
        }
        let pattern = Self { text: text.to_owned(), levels, rest };
        let texts = pattern.levels.iter().filter_map(|level| match level {
            Level::Text(text) => Some(text.as_str()),
            Level::Any(_) => None,
        });
        let is_odd = |character: char| !character.is_ascii() || character.is_control() || "+#{}".contains(character);
        if text.is_empty()
            || texts.chain(pattern.rest.as_ref().map(|rest| rest.suffix.as_str())).any(|text| text.contains(is_odd))
        {
            return Err(wrong(
                "is empty, or has characters that no pattern has: `+`, `#`, braces, control characters, those beyond ASCII",
            ));
        }
        let names = pattern.placeholders();
        if names.iter().any(|name| crate::names::field_name(name).is_none()) {
            return Err(wrong("has a placeholder that cannot be the name of a field"));
        }
        if (1..names.len()).any(|index| names.iter().take(index).any(|name| Some(name) == names.get(index))) {
            return Err(wrong("names two placeholders alike"));
        }
        if names.len() > MOST_CAPTURES {
            return Err(wrong("has more than four placeholders"));
        }
        Ok(pattern)
    }

    /// Names of the placeholders, in order.
    pub(super) fn placeholders(&self) -> Vec<&str> {
        let levels = self.levels.iter().filter_map(|level| match level {
            Level::Any(name) => Some(name.as_str()),
            Level::Text(_) => None,
        });
        levels.chain(self.rest.as_ref().map(|rest| rest.name.as_str())).collect()
    }

    /// As the runtime reads it.
    pub(super) fn compact(&self) -> String {
        let level = |level: &Level| match level {
            Level::Text(text) => text.clone(),
            Level::Any(_) => "+".to_owned(),
        };
        let levels: Vec<String> = self.levels.iter().map(level).collect();
        let mut text = levels.join("/");
        if let Some(rest) = &self.rest {
            text += if rest.has_slash { "#" } else { "/#" };
            text += &rest.suffix;
        }
        text
    }

    /// The filter for all its topics, in which the placeholders that are `kept` stay.
    pub(super) fn filter(&self, kept: &[&str]) -> String {
        let level = |level: &Level| match level {
            Level::Text(text) => text.clone(),
            Level::Any(name) if kept.contains(&name.as_str()) => format!("{{{name}}}"),
            Level::Any(_) => "+".to_owned(),
        };
        let mut levels: Vec<String> = self.levels.iter().map(level).collect();
        if self.rest.is_some() {
            levels.push("#".to_owned());
        }
        levels.join("/")
    }

    /// The pattern with a path in place of its rest. A level with text behind its placeholder becomes one of any text, as a
    /// filter cannot say more.
    pub(super) fn with_path(&self, path: &Self) -> Self {
        let suffix = self.rest.as_ref().map_or("", |rest| rest.suffix.as_str());
        let mut levels = self.levels.clone();
        levels.extend(path.levels.iter().cloned());
        let mut rest = path.rest.clone();
        match (&mut rest, levels.last_mut()) {
            (None, Some(Level::Text(text))) => text.push_str(suffix),
            (None, _) if suffix.starts_with('/') => {
                levels.extend(suffix.split('/').skip(1).map(|text| Level::Text(text.to_owned())));
            }
            (None, _) => {}
            (Some(rest), _) => rest.suffix.push_str(suffix),
        }
        Self { text: self.text.clone(), levels, rest }
    }
}

impl Level {
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Text(text), Self::Any(_)) | (Self::Any(_), Self::Text(text)) => !text.is_empty(),
            (Self::Any(_), Self::Any(_)) => true,
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Text(text), Self::Any(_)) => !text.is_empty(),
            (Self::Any(_), Self::Any(_)) => true,
            (Self::Any(_), Self::Text(_)) => false,
        }
    }
}

/// The order in which patterns are tried: where they first differ, text comes before any level and that before the rest; of
/// two rests the one with the longer suffix.
pub(super) fn order(left: &Pattern, right: &Pattern) -> std::cmp::Ordering {
    let key = |pattern: &Pattern| {
        let level = |level: &Level| match level {
            Level::Text(text) => (0, std::cmp::Reverse(0), text.clone()),
            Level::Any(_) => (1, std::cmp::Reverse(0), String::new()),
        };
        let rest = pattern.rest.iter().map(|rest| (2, std::cmp::Reverse(rest.suffix.len()), rest.suffix.clone()));
        pattern.levels.iter().map(level).chain(rest).collect::<Vec<_>>()
    };
    key(left).cmp(&key(right))
}

/// Whether there may be a topic that both patterns fit.
pub(super) fn meet(left: &Pattern, right: &Pattern) -> bool {
    if left.levels.iter().zip(&right.levels).any(|(left, right)| !left.meets(right)) {
        return false;
    }
    let (shorter, longer) = if left.levels.len() <= right.levels.len() { (left, right) } else { (right, left) };
    match (&shorter.rest, &longer.rest) {
        (None, None) => shorter.levels.len() == longer.levels.len(),
        // A rest is a level at least.
        (None, Some(_)) => false,
        (Some(rest), None) => {
            let left = longer.levels.get(shorter.levels.len()..).unwrap_or_default();
            !left.is_empty() && may_end_with(left, &rest.suffix)
        }
        (Some(one), Some(other)) => one.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&one.suffix),
    }
}

fn may_end_with(levels: &[Level], suffix: &str) -> bool {
    match text_of(levels) {
        Some(text) => text.ends_with(suffix),
        // Not worth to be told apart.
        None => true,
    }
}

/// The text of levels that are nothing but text.
fn text_of(levels: &[Level]) -> Option<String> {
    let texts = levels.iter().map(|level| match level {
        Level::Text(text) => Some(text.as_str()),
        Level::Any(_) => None,
    });
    texts.collect::<Option<Vec<&str>>>().map(|texts| texts.join("/"))
}

/// Whether all topics that fit the first pattern fit the second one too.
pub(super) fn is_within(inner: &Pattern, outer: &Pattern) -> bool {
    let count = outer.levels.len();
    if inner.levels.len() < count
        || inner.levels.iter().zip(&outer.levels).any(|(inner, outer)| !inner.is_within(outer))
    {
        return false;
    }
    let left = inner.levels.get(count..).unwrap_or_default();
    match (&inner.rest, &outer.rest) {
        (None, None) => left.is_empty(),
        (Some(_), None) => false,
        (_, Some(rest)) if rest.suffix.is_empty() => !left.is_empty() || inner.rest.is_some(),
        (None, Some(rest)) => !left.is_empty() && text_of(left).is_some_and(|text| text.ends_with(&rest.suffix)),
        (Some(one), Some(rest)) => one.suffix.ends_with(&rest.suffix),
    }
}

/// A topic that both patterns may fit, for an error to show.
pub(super) fn example(left: &Pattern, right: &Pattern) -> String {
    let (shorter, longer) = if left.levels.len() <= right.levels.len() { (left, right) } else { (right, left) };
    let mut levels = Vec::new();
    for (index, level) in longer.levels.iter().enumerate() {
        levels.push(match (level, shorter.levels.get(index)) {
            (Level::Text(text), _) | (_, Some(Level::Text(text))) => text.as_str(),
            _ => "x",
        });
    }
    let mut text = levels.join("/");
    let suffixes = [&shorter.rest, &longer.rest].map(|rest| rest.as_ref().map_or("", |rest| rest.suffix.as_str()));
    let suffix = suffixes.into_iter().max_by_key(|suffix| suffix.len()).unwrap_or_default();
    if longer.rest.is_some() {
        text += "/x";
        text += suffix;
    }
    text
}

/// Whether the filter of the first pattern brings all that the filter of the second one does; what is `kept` stands for a
/// name of one's own.
pub(super) fn covers(outer: &Pattern, inner: &Pattern, kept: &[&str]) -> bool {
    let filter = |pattern: &Pattern| {
        let rest = pattern.rest.clone().map(|rest| Rest { suffix: String::new(), ..rest });
        let levels = pattern.levels.iter().map(|level| match level {
            Level::Any(name) if kept.contains(&name.as_str()) => Level::Text(format!("{{{name}}}")),
            other => other.clone(),
        });
        Pattern { text: String::new(), levels: levels.collect(), rest }
    };
    is_within(&filter(inner), &filter(outer))
}
