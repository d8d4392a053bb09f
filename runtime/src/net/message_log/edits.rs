//! A text in which parts are replaced, from its beginning to its end.

use std::borrow::Cow;
use std::ops::Range;

/// Collects the replacements: one copy of the text, however many there are. Messages are what strangers say.
pub(super) struct Edits<'t> {
    text: &'t str,
    done: String,
    /// Up to where the text stands in `done`.
    at: usize,
}

impl<'t> Edits<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, done: String::new(), at: 0 }
    }

    /// Replaces a part, unless one that reaches behind its beginning was replaced before.
    pub(super) fn replace(&mut self, part: Range<usize>, with: &str) {
        if part.start < self.at {
            return;
        }
        self.done.push_str(self.text.get(self.at..part.start).unwrap_or(""));
        self.done.push_str(with);
        self.at = part.end;
    }

    /// The text with its replacements, as it was if there are none.
    pub(super) fn finish(mut self) -> Cow<'t, str> {
        if self.at == 0 {
            return Cow::Borrowed(self.text);
        }
        self.done.push_str(self.text.get(self.at..).unwrap_or(""));
        Cow::Owned(self.done)
    }
}

/// Runs one pass after another.
pub(super) fn then<'t>(text: Cow<'t, str>, pass: impl FnOnce(&str) -> Cow<'_, str>) -> Cow<'t, str> {
    match pass(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}
