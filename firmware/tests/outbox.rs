//! The outbox on a disk: its rule, its bounds, its answers, and a process that is killed.

#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::FutureExt;
use onwire::Instant;
use onwire_firmware::outbox::{Config, EntryId, Outbox, OutboxError, PushError, Settled};
use onwire_firmware::storage::{Fifo, FileFlash, FlashFifo};

const PAGES: u32 = 8;
const METHOD: &str = "thing.event.orderUpdateEvt.post";

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("files do not wait")
}

fn storage(path: &Path) -> FlashFifo<FileFlash> {
    FlashFifo::new(FileFlash::open(path, PAGES).unwrap(), 0..PAGES * 4096).unwrap()
}

fn open(path: &Path, config: Config) -> Outbox<FlashFifo<FileFlash>> {
    now(Outbox::open(storage(path), config)).unwrap()
}

fn seconds(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

#[test]
fn what_is_not_answered_is_resent_three_times_ten_seconds_apart_and_then_every_ten_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(&folder.path().join("outbox"), Config::default());
    let id = now(outbox.push(METHOD, b"{}")).unwrap();
    assert_eq!(now(outbox.poll(seconds(5))).unwrap(), None, "nobody to send to");
    assert_eq!(outbox.deadline(), None);

    outbox.connected();
    for (attempt, at) in (1..).zip([5, 15, 25, 35, 635, 1235]) {
        if attempt > 1 {
            assert_eq!(now(outbox.poll(Instant::from_millis(at * 1000 - 1))).unwrap(), None, "before {at} s");
        }
        let sending = now(outbox.poll(seconds(at))).unwrap().unwrap();
        assert_eq!((sending.id, sending.attempt, sending.name, sending.payload), (id, attempt, METHOD, &b"{}"[..]));
    }
    assert_eq!(outbox.deadline(), Some(seconds(1835)));

    outbox.disconnected();
    assert_eq!(now(outbox.poll(seconds(1835))).unwrap(), None);
    assert_eq!(outbox.deadline(), None);
    outbox.connected();
    assert_eq!(
        now(outbox.poll(seconds(1836))).unwrap().map(|sending| sending.attempt),
        Some(1),
        "the rule begins anew"
    );
    assert_eq!(outbox.deadline(), Some(seconds(1846)));
}

#[test]
fn one_entry_is_under_way_and_the_next_follows_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(&folder.path().join("outbox"), Config::default());
    let first = now(outbox.push(METHOD, b"1")).unwrap();
    let second = now(outbox.push(METHOD, b"2")).unwrap();
    outbox.connected();
    assert_eq!(now(outbox.poll(seconds(0))).unwrap().unwrap().id, first);
    assert_eq!(now(outbox.poll(seconds(1))).unwrap(), None);
    assert_eq!(now(outbox.answered(second, 200)).unwrap(), Settled::Unknown);
    assert_eq!(now(outbox.answered(first, 429)).unwrap(), Settled::Later);
    assert_eq!(now(outbox.poll(seconds(1))).unwrap(), None, "throttled: at its time");
    assert_eq!(now(outbox.poll(seconds(10))).unwrap().unwrap().id, first);
    assert_eq!(now(outbox.answered(first, 200)).unwrap(), Settled::Done);
    assert_eq!(now(outbox.answered(first, 200)).unwrap(), Settled::Unknown, "the answer to the resend");
    assert_eq!(now(outbox.poll(seconds(10))).unwrap().unwrap().id, second);
}

#[test]
fn what_the_platform_refuses_for_good_comes_back_and_those_behind_it_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let mut outbox = open(&path, Config::default());
    let refused = now(outbox.push(METHOD, b"wrong")).unwrap();
    let good = now(outbox.push(METHOD, b"right")).unwrap();
    outbox.connected();
    now(outbox.poll(seconds(0))).unwrap().unwrap();
    let Settled::Refused(entry) = now(outbox.answered(refused, 460)).unwrap() else { panic!() };
    assert_eq!((entry.id, &*entry.name, &*entry.payload), (refused, METHOD, &b"wrong"[..]));

    // The power goes before the caller has done anything with it.
    drop(outbox);
    let mut outbox = open(&path, Config::default());
    outbox.connected();
    assert_eq!(now(outbox.poll(seconds(0))).unwrap().unwrap().id, refused);
    assert!(matches!(now(outbox.answered(refused, 460)).unwrap(), Settled::Refused(_)));
    assert_eq!(now(outbox.answered(refused, 460)).unwrap(), Settled::Unknown);
    assert_eq!(outbox.deadline(), Some(seconds(0)));
    assert_eq!(now(outbox.poll(seconds(0))).unwrap().unwrap().id, good);
    assert_eq!(outbox.len(), 1);
}

#[test]
fn an_entry_that_is_never_answered_can_be_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut outbox = open(&folder.path().join("outbox"), Config::default());
    let first = now(outbox.push(METHOD, b"1")).unwrap();
    let second = now(outbox.push(METHOD, b"2")).unwrap();
    assert_eq!(now(outbox.withdraw(second)).unwrap(), None, "not its turn");
    assert_eq!(now(outbox.withdraw(first)).unwrap().unwrap().payload[..], b"1"[..]);
    assert_eq!(now(outbox.withdraw(first)).unwrap(), None);
    assert_eq!(outbox.len(), 1);
}

#[test]
fn a_full_outbox_refuses_what_is_new_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let mut outbox = open(&path, Config { max_entries: 2, ..Config::default() });
    let first = now(outbox.push(METHOD, b"1")).unwrap();
    now(outbox.push(METHOD, b"2")).unwrap();
    assert!(matches!(now(outbox.push(METHOD, b"3")), Err(PushError::Full)));
    outbox.connected();
    assert_eq!(now(outbox.answered(first, 200)).unwrap(), Settled::Done);
    now(outbox.push(METHOD, b"3")).unwrap();
    drop(outbox);

    let mut outbox = open(&path, Config { max_bytes: 200, ..Config::default() });
    assert_eq!((outbox.len(), outbox.bytes()), (2, 64));
    assert!(matches!(now(outbox.push(METHOD, &[b'x'; 170])), Err(PushError::TooLarge)));
    assert!(matches!(now(outbox.push(METHOD, &[b'x'; 106])), Err(PushError::Full)));
    now(outbox.push(METHOD, &[b'x'; 105])).unwrap();
    drop(outbox);

    // And the storage bounds it in the end.
    let mut outbox = open(&path, Config { max_entries: u32::MAX, max_bytes: u32::MAX, ..Config::default() });
    assert!(matches!(now(outbox.push(METHOD, &[b'x'; 4096])), Err(PushError::TooLarge)));
    let mut pushed = outbox.len();
    let error = loop {
        match now(outbox.push(METHOD, &[b'x'; 1900])) {
            Ok(_) => pushed += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, PushError::Full));
    assert_eq!(outbox.len(), pushed);
    assert!(pushed >= 3 + 12, "{pushed} of 1900 bytes in {PAGES} pages");
}

#[test]
fn ids_are_written_as_numbers_and_go_on_after_a_restart_with_nothing_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let mut outbox = open(&path, Config { first_id: 7, ..Config::default() });
    let id = now(outbox.push(METHOD, b"1")).unwrap();
    assert_eq!(
        (id.to_string().as_str(), EntryId::parse("2147483655"), EntryId::parse("7")),
        ("2147483655", Some(id), None)
    );
    assert_eq!(now(outbox.answered(id, 200)).unwrap(), Settled::Done);
    drop(outbox);
    let mut outbox = open(&path, Config::default());
    assert!(outbox.is_empty());
    assert_eq!(now(outbox.push(METHOD, b"2")).unwrap().number(), id.number() + 1);
}

#[test]
fn storage_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut foreign = storage(&folder.path().join("outbox"));
    now(foreign.append(b"not an entry")).unwrap();
    let error = now(Outbox::open(foreign, Config::default())).unwrap_err();
    assert!(matches!(error, OutboxError::Foreign));
    assert_eq!(error.to_string(), "the storage holds something else");
    let mut item = Vec::new();
    assert!(now(storage(&folder.path().join("outbox")).first(&mut item)).unwrap());
    assert_eq!(item, b"not an entry");
}

#[test]
fn a_file_is_open_once_and_keeps_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let file = FileFlash::open(&path, PAGES).unwrap();
    assert_eq!(FileFlash::open(&path, PAGES).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(file);
    assert_eq!(FileFlash::open(&path, PAGES + 1).unwrap_err().kind(), ErrorKind::InvalidData);
    assert!(FlashFifo::new(FileFlash::open(&path, PAGES).unwrap(), 0..(PAGES + 1) * 4096).is_none());
}

/// Not a test: what the next one runs in a process of its own, and kills.
#[test]
#[ignore = "started by another test"]
fn pushes_until_it_is_killed() {
    let path = std::env::var_os("OUTBOX").expect("a path");
    let mut outbox = open(Path::new(&path), Config::default());
    outbox.connected();
    for number in 0.. {
        let id = now(outbox.push(METHOD, format!("{number}").as_bytes())).unwrap();
        println!("pushed {id} {number}");
        std::io::stdout().flush().unwrap();
        // It empties from time to time, and the pages go round.
        while number % 5 == 4
            && let Some(first) = now(outbox.poll(seconds(number))).unwrap().map(|sending| sending.id)
        {
            println!("answered {first}");
            std::io::stdout().flush().unwrap();
            now(outbox.answered(first, 200)).unwrap();
        }
    }
}

#[test]
fn a_process_that_is_killed_has_lost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for lines in [3, 40, 41, 42, 97, 98, 99, 400] {
        let path = folder.path().join(format!("outbox{lines}"));
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "pushes_until_it_is_killed", "--ignored", "--nocapture"])
            .env("OUTBOX", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let ours = |line: &String| line.starts_with("pushed ") || line.starts_with("answered ");
        let mut said = output.by_ref().filter(ours).take(lines).collect::<Vec<_>>();
        process.kill().unwrap();
        process.wait().unwrap();
        said.extend(output.filter(ours));
        let mut waiting = std::collections::VecDeque::new();
        for line in &said {
            let words = line.split(' ').collect::<Vec<_>>();
            match words[..] {
                ["pushed", id, number] => waiting.push_back((EntryId::parse(id).unwrap(), number.to_owned())),
                ["answered", id] => assert_eq!(waiting.pop_front().unwrap().0, EntryId::parse(id).unwrap()),
                // Cut off in the middle: it says nothing.
                _ => {}
            }
        }
        let mut outbox = open(&path, Config::default());
        outbox.connected();
        let mut left = Vec::new();
        while let Some(sending) = now(outbox.poll(seconds(0))).unwrap() {
            let id = sending.id;
            left.push((id, String::from_utf8(sending.payload.to_vec()).unwrap()));
            now(outbox.answered(id, 200)).unwrap();
        }
        // One more at each end may be in the storage: pushed and not said, answered and not removed.
        let last = said.last().unwrap();
        let unsettled = last.strip_prefix("answered ").and_then(EntryId::parse);
        let left = left.into_iter().filter(|(id, _)| Some(*id) != unsettled).collect::<Vec<_>>();
        let waiting = Vec::from(waiting);
        assert_eq!(left[..waiting.len()], waiting);
        assert!(left.len() <= waiting.len() + 1);
    }
}

#[test]
fn time_that_stands_still_is_no_reason_to_send_twice() {
    let folder = tempfile::tempdir().unwrap();
    let quick_interval = Duration::from_millis(1);
    let mut outbox = open(&folder.path().join("outbox"), Config { quick_interval, ..Config::default() });
    now(outbox.push(METHOD, b"1")).unwrap();
    outbox.connected();
    assert!(now(outbox.poll(seconds(0))).unwrap().is_some());
    assert!(now(outbox.poll(seconds(0))).unwrap().is_none());
}
