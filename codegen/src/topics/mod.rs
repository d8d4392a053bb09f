//! The front-end for topics: a table of what there is on a broker, who publishes there and who listens.
//!
//! The generator puts the rows in order, and refuses a table in which two rows claim one topic without one of them being the
//! more special.

mod check;
mod emit;
mod pattern;
mod read;
mod subscriptions;

use self::pattern::Pattern;
use self::read::{Answer, Role, Row, Table, Topic};
use crate::emit::Options;
use crate::error::Error;

/// A row with what belongs to it.
struct Entry<'t> {
    pattern: Pattern,
    /// None for what is reserved.
    of: Option<(&'t Topic, &'t Row)>,
    /// Of the placeholders at the beginning, how many are names.
    names: usize,
}

/// The rows in the order in which they are tried.
struct Entries<'t> {
    file: &'t str,
    table: &'t Table,
    entries: Vec<Entry<'t>>,
}

/// The router of a table as formatted Rust.
pub(crate) fn code(file: &str, text: &str, options: &Options) -> Result<String, Error> {
    let table = read::table(file, text)?;
    let entries = Entries::of(file, &table)?;
    check::all(&entries)?;
    emit::code(&entries, options)
}

impl<'t> Entries<'t> {
    fn of(file: &'t str, table: &'t Table) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for text in &table.reserved {
            entries.push(Entry { pattern: Pattern::read(file, text)?, of: None, names: 0 });
        }
        for topic in &table.topics {
            for row in &topic.rows {
                let pattern = Pattern::read(file, &row.pattern)?;
                let placeholders = pattern.placeholders();
                let names =
                    table.names.iter().zip(&placeholders).take_while(|(name, found)| name.name == **found).count();
                entries.push(Entry { pattern, of: Some((topic, row)), names });
            }
        }
        entries.sort_by(|left, right| pattern::order(&left.pattern, &right.pattern));
        Ok(Self { file, table, entries })
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Folder { file: self.file.to_owned(), problem: problem.into() }
    }

    /// The rows that are topics, with their places.
    fn rows(&self) -> impl Iterator<Item = (usize, &Entry<'t>, &'t Topic, &'t Row)> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(index, entry)| entry.of.map(|(topic, row)| (index, entry, topic, row)))
    }

    /// The place of the row with that pattern.
    fn place(&self, text: &str) -> Option<usize> {
        self.rows().find(|(_, entry, ..)| entry.pattern.text == text).map(|(index, ..)| index)
    }

    /// The places of the answers to the device and to the platform.
    fn answers(&self, row: &Row) -> [Option<usize>; 2] {
        let place = |text: &Option<String>| text.as_deref().and_then(|text| self.place(text));
        match &row.answer {
            Answer::None => [None, None],
            Answer::To(text) => [self.place(text); 2],
            Answer::ToEach(each) => [place(&each.device), place(&each.platform)],
        }
    }

    /// The row with paths that a row answers.
    fn answered(&self, index: usize) -> Option<&Entry<'t>> {
        let mut rows = self.rows().filter(|(place, .., row)| *place != index && !row.paths.is_empty());
        rows.find(|(.., row)| self.answers(row).contains(&Some(index))).map(|(_, entry, ..)| entry)
    }
}

/// Whether a row's topics are for that side.
fn is_for(row: &Row, role: Role) -> bool {
    row.from.iter().any(|from| *from != role)
}
