//! A disk that fails, and power that goes, below SQLite: `disk.c` says what it simulates and what it does not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Notify;

use crate::field::{ALONE, Chance, Field};
use crate::records::{all_there, missing, none_doubled};
use crate::support::{Csms, is_sqlite};

/// What the program's process ends with when its power goes.
const POWER_IS_GONE: i32 = 75;

/// Compiles the disk.
fn disk(folder: &TempDir) -> PathBuf {
    let library = folder.path().join("disk.so");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"]).arg(&library);
    cc.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crash/disk.c")).args(["-ldl", "-lpthread"]);
    assert!(cc.status().expect("a C compiler").success());
    library
}

/// Runs the program until its power goes, with faults before that, and charges meanwhile. A program that cannot start
/// because of a fault has its power go as well.
async fn until_the_power_goes(data: &Path, disk: &Path, faults: &str, seed: u64, field: &mut Field) {
    let file = data.join("csms.db");
    let environment = [
        ("LD_PRELOAD", disk.to_str().unwrap()),
        ("DISK_FILE", file.to_str().unwrap()),
        ("DISK_FAULTS", faults),
        ("DISK_SEED", &seed.to_string()),
        ("RUST_LOG", "off"),
    ];
    let Some(mut csms) = Csms::try_start_with(data, &[], &environment).await else { return };
    field.charge(&csms.url, u64::MAX, &Notify::new()).await;
    assert_eq!(csms.ended().await.code(), Some(POWER_IS_GONE));
}

/// All charge points, after so many power cuts with those faults before them.
async fn rounds(data: &Path, count: u32, mut faults: impl FnMut(&mut Chance) -> String) -> Field {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let disk = disk(&folder);
    let mut chance = Chance::new();
    let mut field = Field::new();
    for round in 0..count {
        let faults = faults(&mut chance);
        until_the_power_goes(data, &disk, &faults, chance.below(1 << 31), &mut field).await;
        // Whoever opens the database next does what SQLite does after a power cut.
        all_there(data, &field, &format!("after round {round}: {faults}")).await;
    }
    let csms = Csms::start_in(data, &[]).await;
    field.complete(&csms.url).await;
    csms.stop().await;
    all_there(data, &field, "in the end").await;
    none_doubled(data, &field).await;
    let transactions: usize = field.points.iter().map(|point| point.charged.len()).sum();
    println!("{transactions} transactions");
    assert!(transactions > 50, "there was load");
    field
}

#[tokio::test(flavor = "multi_thread")]
async fn without_power_twenty_times_it_loses_nothing_that_was_answered() {
    if is_sqlite() {
        let data = tempfile::tempdir().unwrap();
        rounds(data.path(), 20, |chance| format!("cut:{}", 1 + chance.below(1500))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_failed_writes_and_flushes_it_loses_nothing_that_was_answered() {
    if !is_sqlite() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    // Without a schema it would not come far: see the test above.
    Csms::start_in(data.path(), &[]).await.stop().await;
    let faults = |chance: &mut Chance| {
        let mut at = 20;
        let mut next = || {
            at += 1 + chance.below(200);
            at
        };
        format!("eio:{},enospc:{},eio:{},enospc:{},eio:{},cut:{}", next(), next(), next(), next(), next(), next() + 300)
    };
    let field = rounds(data.path(), 12, faults).await;
    let refused: u64 = field.points.iter().map(|point| point.refused).sum();
    assert_eq!(refused, 0, "what is refused is discarded in the end");
    let slowest = field.points.iter().map(|point| point.slowest).max().unwrap();
    println!("the longest wait for an answer took {slowest:?}");
    assert!(slowest >= Duration::from_millis(500), "somebody waited for the second attempt");
}

/// The test of the tests above: without working flushes, they would fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_about_its_flushes_loses_what_was_answered() {
    if !is_sqlite() {
        return;
    }
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let disk = disk(&folder);
    let mut field = Field::new();
    Csms::start_in(data.path(), &[]).await.stop().await;
    until_the_power_goes(data.path(), &disk, "lie:0,cut:1000", 1, &mut field).await;
    let answered = field.points.iter().flat_map(|point| &point.charged).filter(|charged| charged.id.is_some()).count();
    assert!(answered > 0);
    assert_eq!(missing(data.path(), &field).await.len(), answered);
}
