//! Commands that are cut off while they write: the next attempt works.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use csms::security::authority::Authority;
use tokio::process::Command;

use crate::world::succeeds;

/// The program, which the system ends (SIGXFSZ) when it writes more than 512 bytes into one file.
async fn cut_off(arguments: &[&str]) {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_csms")]).args(arguments);
    let ended = command.output().await.unwrap().status;
    assert!(ended.signal().is_some(), "{ended}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The key fits into 512 bytes, the certificate does not.
#[tokio::test]
async fn an_authority_is_made_by_the_next_attempt() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("ca");
    let make = ["make-ca", folder.to_str().unwrap()];
    cut_off(&make).await;
    let left = names(&folder);
    assert!(left.len() == 2 && left[0].starts_with(".ca.pem.") && left[1] == "ca.key", "{left:?}");
    succeeds(data.path(), &make).await;
    Authority::open(&folder).unwrap();
    assert_eq!(names(&folder)[1..], ["ca.key", "ca.pem", "server.key", "server.pem"]);
}

#[tokio::test]
async fn the_server_s_certificate_stays_until_the_next_one_is_whole() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("ca");
    let make = ["make-ca", folder.to_str().unwrap()];
    succeeds(data.path(), &make).await;
    let read = || ["server.key", "server.pem"].map(|name| std::fs::read(folder.join(name)).unwrap());
    let before = read();
    cut_off(&make).await;
    assert_eq!(read(), before);
    succeeds(data.path(), &make).await;
    let after = read();
    assert!(after[0] == before[0] && after[1] != before[1], "the key stays, the certificate is another");
}
