//! Each target with its seeds, and with what becomes of them when bytes change. A fuzzer goes further: `cargo xtask fuzz`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use onwire_fuzz::TARGETS;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// Bytes of another place once more.
    Repeat(Index, Index, usize),
    Cut(Index),
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        "[\\[\\]{}:,\"\\\\0-9a-z./_#+ \n-]{1,4}".prop_map(String::into_bytes),
        Just("\u{6458}\u{0}".as_bytes().to_vec()),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (place(), bytes()).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place(), 1..9_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (place(), place(), 1..33_usize).prop_map(|(at, from, count)| Change::Repeat(at, from, count)),
        place().prop_map(Change::Cut),
    ]
}

fn changed(mut input: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let place = |index: &Index| index.index(input.len() + 1);
        match change {
            Change::Set(at, byte) if !input.is_empty() => *at.get_mut(&mut input) = *byte,
            Change::Set(..) => {}
            Change::Insert(at, bytes) => {
                let at = place(at);
                input.splice(at..at, bytes.iter().copied());
            }
            Change::Remove(at, count) => {
                let at = place(at);
                input.drain(at..(at + count).min(input.len()));
            }
            Change::Repeat(at, from, count) => {
                let (at, from) = (place(at), place(from));
                let part = input.get(from..(from + count).min(input.len())).unwrap_or_default().to_vec();
                input.splice(at..at, part);
            }
            Change::Cut(at) => input.truncate(place(at)),
        }
    }
    input
}

#[test]
fn every_target_has_a_program() {
    let manifest = include_str!("../Cargo.toml");
    for target in TARGETS {
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
        let program = format!("{}/fuzz_targets/{}.rs", env!("CARGO_MANIFEST_DIR"), target.name);
        assert!(
            std::fs::read_to_string(&program).unwrap().contains(&format!("onwire_fuzz::{}(data)", target.name)),
            "{program}"
        );
    }
    assert_eq!(manifest.matches("path = \"fuzz_targets/").count(), TARGETS.len());
}

#[test]
fn nothing_that_is_near_a_seed_makes_a_target_panic() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        seeds.iter().for_each(|seed| (target.run)(seed));
        let cases = if target.is_slow { 60 } else { 1500 };
        let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        let strategy = (select(seeds), prop::collection::vec(change(), 0..5));
        let result = TestRunner::new(config).run(&strategy, |(seed, changes)| {
            (target.run)(&changed(seed, &changes));
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{}: {error}", target.name));
    }
}
