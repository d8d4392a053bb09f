//! Reading and writing of topics, from a table that the generator has put in order.
//!
//! A pattern is written as a filter is: `+` stands for one level, which is not empty, and `#` for all that is left, up to the
//! text that follows it. `+#` is one level and the rest with the slash before it.

use alloc::string::String;
use core::fmt;

/// Which way the messages on a topic go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the device to the platform.
    Up,
    /// From the platform to the device.
    Down,
}

impl Direction {
    /// That of the answer.
    #[must_use]
    pub fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// In place of a row that is not there.
pub const NO_ROW: u8 = u8::MAX;

/// What stands in place of a pattern's `+` and `#`.
pub type Captures<'a> = [&'a str; 4];

/// A kind of topic.
#[derive(Debug)]
pub struct Row {
    /// Its pattern.
    pub pattern: &'static str,
    /// How many bytes of it are those of the row before it.
    pub shared: u8,
    /// Which way its messages go; none where both ways, or where the path says so.
    pub direction: Option<Direction>,
    /// Whether its messages are frames, or may be.
    pub is_framed: bool,
    /// How many of the captures at the beginning say whose it is.
    pub names: u8,
    /// Whether a device may subscribe to it, and no more general row says so.
    pub is_listened_to: bool,
    /// Where the answer goes to a message of the device, and to one of the platform.
    pub answers: [u8; 2],
}

/// Rows whose last capture says more.
#[derive(Debug)]
pub struct Paths {
    /// The row.
    pub of: u8,
    /// Whether the row is that of the answers, which go the other way.
    pub is_answer: bool,
    /// Which of the captures it is.
    pub capture: u8,
    /// What it may be.
    pub rows: &'static [Path],
}

/// A path that a topic may end with.
#[derive(Debug)]
pub struct Path {
    /// Its pattern.
    pub pattern: &'static str,
    /// Which way the messages go.
    pub direction: Direction,
    /// Whether they are frames.
    pub is_framed: bool,
}

/// Which topic a method's messages go on.
#[derive(Debug)]
pub struct Method {
    /// Its name; one that ends with a dot is followed by a capture of the topic, with dots in place of slashes.
    pub name: &'static str,
    /// The row.
    pub row: u8,
    /// Which of the captures follows.
    pub capture: u8,
}

/// The table.
#[derive(Debug)]
pub struct Router {
    /// The most special first.
    pub rows: &'static [Row],
    /// What paths say.
    pub paths: &'static [Paths],
    /// Methods.
    pub methods: &'static [Method],
}

impl Router {
    /// The first row whose pattern a topic fits.
    pub fn find<'a>(&self, topic: &'a str) -> Option<(u8, Captures<'a>)> {
        let mut failed = 0;
        for (index, row) in (0..).zip(self.rows) {
            // It fails where the one before has failed.
            if usize::from(row.shared) > failed {
                continue;
            }
            match captures(row.pattern, topic) {
                Ok(captures) => return Some((index, captures)),
                Err(at) => failed = at,
            }
        }
        None
    }

    fn row(&self, row: u8) -> Option<&'static Row> {
        self.rows.get(usize::from(row))
    }

    /// Writes the topic of that row.
    ///
    /// # Errors
    /// Those of the formatter.
    pub fn write(&self, (row, captures): (u8, Captures<'_>), f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut captures = captures.iter();
        for part in self.row(row).map_or("", |row| row.pattern).split_inclusive(['+', '#']) {
            match part.strip_suffix(['+', '#']) {
                Some(text) => {
                    f.write_str(text)?;
                    f.write_str(captures.next().copied().unwrap_or_default())?;
                }
                None => f.write_str(part)?,
            }
        }
        Ok(())
    }

    /// Whether a topic of that row says whose it is.
    pub fn is_of_a_device(&self, row: u8) -> bool {
        self.row(row).is_some_and(|row| row.names == 2)
    }

    fn path(&self, (row, captures): (u8, Captures<'_>)) -> Option<(&Paths, &Path)> {
        let paths = self.paths.iter().find(|paths| paths.of == row)?;
        let path = captures.get(usize::from(paths.capture))?;
        Some((paths, paths.rows.iter().find(|row| self::captures(row.pattern, path).is_ok())?))
    }

    /// Which way the messages of a topic go, as far as that is known.
    pub fn direction(&self, topic: (u8, Captures<'_>)) -> Option<Direction> {
        let row = self.row(topic.0)?;
        row.direction.or_else(|| {
            let (paths, path) = self.path(topic)?;
            Some(if paths.is_answer { path.direction.back() } else { path.direction })
        })
    }

    /// Whether the messages of a topic are frames, or may be.
    pub fn is_framed(&self, topic: (u8, Captures<'_>)) -> bool {
        let row = self.row(topic.0).is_some_and(|row| row.is_framed);
        row && self.path(topic).is_none_or(|(_, path)| path.is_framed)
    }

    /// The row of the answer; none where nobody is asked, or where it depends on who asks and that is not known.
    pub fn answer(&self, topic: (u8, Captures<'_>)) -> Option<u8> {
        let [up, down] = self.row(topic.0)?.answers;
        let row = match up == down {
            true => up,
            false if self.direction(topic)? == Direction::Up => up,
            false => down,
        };
        (row != NO_ROW).then_some(row)
    }

    /// The row that a method's messages go on, and which of the captures is `path`, where the rest of the name is put.
    pub fn of_method(&self, method: &str, path: &mut String) -> Option<(u8, u8)> {
        self.methods.iter().find_map(|known| {
            let rest = method.strip_prefix(known.name)?;
            if known.name.ends_with('.') {
                push_with(rest, '.', '/', path);
            } else if !rest.is_empty() {
                return None;
            }
            Some((known.row, known.capture))
        })
    }

    /// The method of a topic's messages.
    pub fn method(&self, (row, captures): (u8, Captures<'_>)) -> Option<String> {
        let known = self.methods.iter().find(|known| known.row == row)?;
        let mut method = String::from(known.name);
        if method.ends_with('.') {
            let path = captures.get(usize::from(known.capture))?;
            push_with(path, '/', '.', &mut method);
        }
        Some(method)
    }

    /// Whether a filter asks for nothing but what is for that device, or for all devices of its product.
    pub fn may_subscribe(&self, own: [&str; 2], filter: &str) -> bool {
        self.rows.iter().any(|row| row.is_listened_to && row.lets(own, filter))
    }
}

impl Row {
    /// One whose topics are none.
    pub const fn reserved(pattern: &'static str, shared: u8) -> Self {
        let (direction, answers) = (None, [NO_ROW; 2]);
        Self { pattern, shared, direction, is_framed: false, names: 0, is_listened_to: false, answers }
    }

    fn lets(&self, own: [&str; 2], filter: &str) -> bool {
        let mut asked = filter.split('/');
        let mut names = own.iter().take(usize::from(self.names));
        for level in self.pattern.split('/') {
            let Some(asked) = asked.next() else { return false };
            let is_own = self.names > 0 && names.len() == 0;
            match level {
                "+" if names.len() > 0 => {
                    if names.next() != Some(&asked) {
                        return false;
                    }
                }
                // The rest is everything, or what stands there is not for this side to judge.
                _ if level.contains('#') => return true,
                "+" if asked == "#" => return true,
                "+" => {}
                _ if is_own && asked == "#" => return true,
                _ if is_own && asked == "+" => {}
                _ if asked == level => {}
                _ => return false,
            }
        }
        asked.next().is_none()
    }
}

/// Adds text with one character in place of another.
fn push_with(text: &str, from: char, to: char, out: &mut String) {
    out.extend(text.chars().map(|character| if character == from { to } else { character }));
}

/// What stands in place of the `+` and `#`; or up to where of the pattern no other pattern that begins alike can do better.
pub(super) fn captures<'a>(pattern: &str, topic: &'a str) -> Result<Captures<'a>, usize> {
    let (pattern, bytes) = (pattern.as_bytes(), topic.as_bytes());
    let mut captures = [""; 4];
    let mut places = captures.iter_mut();
    let mut begin = 0;
    for (at, wanted) in pattern.iter().enumerate() {
        let left = bytes.get(begin..).unwrap_or_default();
        let length = match wanted {
            b'+' => left.iter().position(|byte| *byte == b'/').unwrap_or(left.len()),
            b'#' => {
                let suffix = pattern.get(at + 1..).unwrap_or_default();
                // Behind a level the rest has its slash, and is not nothing.
                let is_bare = left.is_empty() && begin > 0 && bytes.get(begin - 1) != Some(&b'/');
                left.strip_suffix(suffix).filter(|_| !is_bare).ok_or(pattern.len())?.len()
            }
            _ if left.first() == Some(wanted) => {
                begin += 1;
                continue;
            }
            _ => return Err(at),
        };
        if length == 0 && *wanted == b'+' {
            return Err(at);
        }
        if let Some(place) = places.next() {
            *place = topic.get(begin..begin + length).unwrap_or_default();
        }
        if *wanted == b'#' {
            return Ok(captures);
        }
        begin += length;
    }
    if begin == bytes.len() { Ok(captures) } else { Err(pattern.len()) }
}
