//! Random values and random documents, judged by everybody who has a say: the generated codec, serde's derives on the same
//! types, the published schemas, and typify's types.
//!
//! The same values are tried in every run. `ONWIRE_ORACLE_SEED` (a number) tries others, `ONWIRE_ORACLE_ROUNDS` (a number)
//! multiplies them; a failure names the seed.

mod check;
mod document;
mod random;
mod same;
mod schemas;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use check::{Generated, Judges, Plain, Source};
use random::Random;
use schemas::Schema;

/// Types and the schemas that judge them.
struct Dialect {
    cases: Vec<Case>,
    folder: PathBuf,
    source: Source,
}

/// A message and its schema's file.
struct Case {
    message: &'static str,
    file: &'static str,
    built: fn(&Judges, &[u8]),
    document: fn(&Judges, &str),
    broken: fn(&Judges, &str),
    plain: Option<Plain>,
}

impl Case {
    fn of<T: Generated>(message: &'static str, file: &'static str, plain: Option<Plain>) -> Self {
        let (built, document, broken) = (check::built::<T>, check::document::<T>, check::broken::<T>);
        Self { message, file, built, document, broken, plain }
    }
}

impl Dialect {
    /// Random values are written and read back.
    fn values(&self, rounds: u64) {
        self.for_each(rounds, "values written", |case, judges, random| {
            let length = 1 << random.below(13);
            (case.built)(judges, &random.bytes(length));
        });
    }

    /// Random documents are read, and each with eight mistakes, one at a time.
    fn documents(&self, rounds: u64) {
        self.for_each(rounds, "documents", |case, judges, random| {
            let text = document::document(&judges.schema.root, random);
            (case.document)(judges, &text);
            for _ in 0..8 {
                (case.broken)(judges, &broken(&text, random));
            }
        });
    }

    /// Runs `rounds` rounds for each message with random numbers of its own; `wanted` must be counted for each.
    fn for_each(&self, rounds: u64, wanted: &str, check: impl Fn(&Case, &Judges, &mut Random)) {
        let seed = number("ONWIRE_ORACLE_SEED").unwrap_or(1);
        let rounds = rounds * number("ONWIRE_ORACLE_ROUNDS").unwrap_or(1);
        let (mut tally, mut failures) = (BTreeMap::<&str, usize>::new(), Vec::new());
        for (index, case) in (0u64..).zip(&self.cases) {
            let schema = Schema::read(&self.folder, case.file);
            let judges = Judges { schema, plain: case.plain, source: self.source, tally: RefCell::default() };
            for round in 0..rounds {
                let mut random = Random::new(seed ^ index << 32 ^ round << 40);
                let outcome = catch_unwind(AssertUnwindSafe(|| check(case, &judges, &mut random)));
                let Err(panic) = outcome else { continue };
                let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
                failures.push(format!("{} (round {round}): {}", case.message, said.unwrap_or("a panic")));
                break;
            }
            let counts = judges.tally.into_inner();
            if !counts.contains_key(wanted) {
                failures.push(format!("{}: no {wanted} in {rounds} rounds", case.message));
            }
            for (what, count) in counts {
                *tally.entry(what).or_default() += count;
            }
        }
        println!("{} messages: {tally:#?}", self.cases.len());
        let count = failures.len();
        failures.truncate(10);
        assert!(count == 0, "{count} messages fail with ONWIRE_ORACLE_SEED={seed}, such as\n{}", failures.join("\n"));
    }
}

/// The number that an environment variable holds.
fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// `text` with one byte changed, removed, put in or doubled, or with what stands between two commas doubled, which may be
/// a property. Bytes that are no UTF-8 any more are replaced.
fn broken(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = random.below(bytes.len());
    let byte = random.pick(b"{}[]\",:\\-+.eE0123456789ntfu/ \n\0");
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = byte,
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, byte),
        4 => {
            let mut commas = (0..bytes.len()).filter(|at| matches!(bytes[*at], b',' | b'}')).skip(random.below(8));
            if let (Some(start), Some(end)) = (commas.next(), commas.next()) {
                let stretch = bytes[start..end].to_vec();
                bytes.splice(start..start, stretch);
            }
        }
        _ => bytes.insert(at, bytes[at]),
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Our OCPP 1.6, judged by our schemas.
fn ours16() -> Dialect {
    use onwire_dialects::ours16::*;

    #[cfg(all(schemas, feature = "interop"))]
    macro_rules! case {
        ($message:ident, $file:literal) => {
            Case::of::<$message>(
                stringify!($message),
                $file,
                Some(|text| serde_json::to_value(serde_json::from_str::<onwire_dialects::plain::$message>(text)?)),
            )
        };
    }
    #[cfg(not(all(schemas, feature = "interop")))]
    macro_rules! case {
        ($message:ident, $file:literal) => {
            Case::of::<$message>(stringify!($message), $file, None)
        };
    }
    let cases: Vec<Case> = include!(concat!(env!("OUT_DIR"), "/ours16_cases.rs"));
    assert_eq!(cases.len(), 78);
    Dialect {
        cases,
        folder: concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/ocpp1.6").into(),
        source: Source::Ours,
    }
}

#[test]
fn values_of_1_6_are_written_and_read_alike() {
    ours16().values(256);
}

#[test]
fn documents_of_1_6_are_read_alike() {
    ours16().documents(96);
}

/// The schemas of PyPI `ocpp`.
#[cfg(all(schemas, feature = "interop"))]
mod published {
    use super::*;

    /// Our OCPP 1.6, judged by theirs.
    fn v16() -> Dialect {
        Dialect {
            folder: concat!(env!("ONWIRE_OCPP_SCHEMAS"), "/v16/schemas").into(),
            source: Source::Theirs,
            ..ours16()
        }
    }

    fn v201() -> Dialect {
        use onwire_dialects::v201::*;

        macro_rules! case {
            ($message:ident, $file:literal) => {
                Case::of::<$message>(stringify!($message), $file, None)
            };
        }
        let cases: Vec<Case> = include!(concat!(env!("OUT_DIR"), "/v201_cases.rs"));
        assert_eq!(cases.len(), 128);
        Dialect { cases, folder: concat!(env!("ONWIRE_OCPP_SCHEMAS"), "/v201/schemas").into(), source: Source::Open }
    }

    #[test]
    fn values_of_1_6_are_written_and_read_alike() {
        v16().values(64);
    }

    #[test]
    fn documents_of_1_6_are_read_alike() {
        v16().documents(24);
    }

    #[test]
    fn values_of_2_0_1_are_written_and_read_alike() {
        v201().values(128);
    }

    #[test]
    fn documents_of_2_0_1_are_read_alike() {
        v201().documents(24);
    }
}
