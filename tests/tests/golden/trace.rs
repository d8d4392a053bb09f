//! Trace files: reading, replaying and recording them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long expected output is waited for. A test fails if it elapses; nothing else depends on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// While recording, a step ends after this much silence.
const SILENCE: Duration = Duration::from_millis(500);

/// One line of input.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// The peer sends this.
    Sent(String),
    /// The user of the library does this.
    Done(String),
    /// The clock shows this many milliseconds.
    At(u64),
}

/// The side under test, and what drives it.
pub(crate) trait World {
    /// Performs one line of input. With `more`, the bytes are held back for the write of the next line.
    async fn act(&mut self, input: Input, more: bool);

    /// Returns the next packet or frame that the library sends, or `None` after `patience`.
    async fn sent(&mut self, patience: Duration) -> Option<String>;

    /// Returns the next event that a handler or caller receives, or `None` after `patience`.
    async fn seen(&mut self, patience: Duration) -> Option<String>;
}

/// The settings of a trace.
#[derive(Debug, Default)]
struct Settings {
    volatile: Vec<String>,
    by_kind: bool,
}

enum Line {
    /// A comment, a setting, or an empty line.
    Other(String),
    Input {
        line: String,
        input: Input,
        more: bool,
    },
    Sent(String),
    Seen(String),
}

fn parse(line: &str) -> Line {
    let input = |line: &str, input, more| Line::Input { line: line.to_owned(), input, more };
    match line.split_once(' ') {
        Some((">", text)) => input(line, Input::Sent(text.to_owned()), false),
        Some((">>", text)) => input(line, Input::Sent(text.to_owned()), true),
        Some(("!", text)) => input(line, Input::Done(text.to_owned()), false),
        Some(("@", text)) => input(line, Input::At(text.parse().expect("milliseconds")), false),
        Some(("<", text)) => Line::Sent(text.to_owned()),
        Some(("=", text)) => Line::Seen(text.to_owned()),
        _ if line.is_empty() || line.starts_with('#') => Line::Other(line.to_owned()),
        _ => panic!("not a line of a trace: {line}"),
    }
}

fn settings(lines: &[Line]) -> Settings {
    let mut settings = Settings::default();
    for line in lines {
        let Line::Other(line) = line else { continue };
        match line.strip_prefix("#: ").map(|setting| setting.split(' ').collect::<Vec<_>>()).as_deref() {
            Some(["volatile", names @ ..]) => settings.volatile.extend(names.iter().map(ToString::to_string)),
            Some(["by", "kind"]) => settings.by_kind = true,
            Some(other) => panic!("unknown setting: {other:?}"),
            None => {}
        }
    }
    settings
}

/// Replays the trace of that name, or records it.
pub(crate) async fn replay(name: &str, mut world: impl World) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden")).join(format!("{name}.trace"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines: Vec<_> = text.lines().map(parse).collect();
    let is_recording = std::env::var("GOLDEN").is_ok_and(|what| what == "record");
    assert!(
        !is_recording || std::env::var_os("CI").is_none(),
        "traces are not recorded in CI: somebody has to review the difference"
    );
    let settings = settings(&lines);
    let mut names = Names::new(settings.volatile);
    let mut recorded = String::new();
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        let (line, input, more) = match line {
            Line::Other(line) => {
                recorded += &format!("{line}\n");
                continue;
            }
            Line::Input { line, input, more } => (line, input, more),
            Line::Sent(text) | Line::Seen(text) => panic!("{name}: no input before {text}"),
        };
        recorded += &format!("{line}\n");
        println!("{line}");
        let input = match input {
            Input::Sent(text) => Input::Sent(names.shown(&text)),
            Input::Done(text) => Input::Done(names.shown(&text)),
            other => other,
        };
        world.act(input, more).await;
        if more {
            continue;
        }
        let (mut sent, mut seen) = (Vec::new(), Vec::new());
        while let Some(output) = lines.next_if(|line| matches!(line, Line::Sent(_) | Line::Seen(_))) {
            match output {
                Line::Sent(text) => sent.push(text),
                Line::Seen(text) => seen.push(text),
                Line::Other(_) | Line::Input { .. } => unreachable!(),
            }
        }
        let (mut is_sent, mut is_seen) = (Vec::new(), Vec::new());
        loop {
            let patience = patience(is_recording, is_sent.len() < sent.len());
            let Some(output) = world.sent(patience).await else { break };
            is_sent.push(names.hidden(&output));
        }
        loop {
            let patience = patience(is_recording, is_seen.len() < seen.len());
            let Some(output) = world.seen(patience).await else { break };
            is_seen.push(names.hidden(&output));
        }
        if settings.by_kind {
            for sent in [&mut sent, &mut is_sent] {
                sent.sort_by(|one, other| kind(one).cmp(kind(other)));
            }
            // Handlers of calls and of other messages run concurrently.
            for seen in [&mut seen, &mut is_seen] {
                seen.sort();
            }
        }
        if !is_recording {
            assert_eq!((&is_sent, &is_seen), (&sent, &seen), "{name}, after {line}");
        }
        is_sent.iter().for_each(|text| recorded += &format!("< {text}\n"));
        is_seen.iter().for_each(|text| recorded += &format!("= {text}\n"));
    }
    if is_recording {
        std::fs::write(&path, recorded).unwrap();
    }
}

/// Expected output is waited for. Unexpected output fails the test only if it has arrived already, so that nothing is timed.
fn patience(is_recording: bool, is_expected: bool) -> Duration {
    match (is_recording, is_expected) {
        (true, _) => SILENCE,
        (false, true) => PATIENCE,
        (false, false) => Duration::ZERO,
    }
}

/// The kind of a packet or frame: its first word.
fn kind(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// Values that differ from run to run, and their names in the trace.
struct Names {
    volatile: Vec<String>,
    /// The last value of each volatile member.
    values: HashMap<String, String>,
    /// Message ids of the peer, which are the same in each run.
    known: Vec<String>,
    /// Message ids of the library: `$1` is the first.
    given: Vec<String>,
}

impl Names {
    fn new(volatile: Vec<String>) -> Self {
        Self { volatile, values: HashMap::new(), known: Vec::new(), given: Vec::new() }
    }

    /// Replaces the names in a line of input by their values.
    fn shown(&mut self, line: &str) -> String {
        self.known.extend(ids(line));
        let mut text = line.to_owned();
        // `$12` before `$1`.
        for (index, id) in self.given.iter().enumerate().rev() {
            text = text.replace(&format!("${}", index + 1), id);
        }
        for (name, value) in &self.values {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }

    /// Replaces values in a line of output by their names.
    fn hidden(&mut self, line: &str) -> String {
        let mut text = line.to_owned();
        for name in &self.volatile {
            let Some(start) = text.find(&format!("\"{name}\":")).map(|start| start + name.len() + 3) else { continue };
            let rest = &text[start..];
            let quote = usize::from(rest.starts_with('"'));
            let length = match quote {
                0 => rest.find(|byte: char| !byte.is_ascii_digit()),
                _ => rest[1..].find('"'),
            };
            let range = start + quote..start + quote + length.expect("JSON");
            self.values.insert(name.clone(), text[range.clone()].to_owned());
            text.replace_range(range, &format!("${name}"));
        }
        for id in ids(&text) {
            if !self.known.contains(&id) && !self.given.contains(&id) {
                self.given.push(id);
            }
        }
        for (index, id) in self.given.iter().enumerate() {
            text = replaced(&text, id, &format!("${}", index + 1));
        }
        text
    }
}

/// Replaces a number, except as part of a longer one.
fn replaced(text: &str, number: &str, name: &str) -> String {
    let is_digit = |neighbour: Option<char>| neighbour.is_some_and(|neighbour| neighbour.is_ascii_digit());
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(number) {
        let (before, after) = (&rest[..at], &rest[at + number.len()..]);
        out += before;
        let is_part = is_digit(before.chars().last()) || is_digit(after.chars().next());
        out += if is_part { number } else { name };
        rest = after;
    }
    out + rest
}

/// Returns the message ids in a line that are large enough to be random; small ones are written as they are.
fn ids(line: &str) -> Vec<String> {
    let places = ["\"id\":\"", "\"id\":", "[2,\"", "[6,\"", "/rrpc/request/", "/ext/rrpc/"];
    let number = |place: &str| {
        let rest = &line[line.find(place)? + place.len()..];
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (number.len() >= 5).then_some(number)
    };
    places.into_iter().filter_map(number).collect()
}
