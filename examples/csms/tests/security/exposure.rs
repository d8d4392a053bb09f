//! Listening beyond loopback.

use crate::support::Csms;
use crate::world::{program, status, succeeds};

#[tokio::test]
async fn beyond_loopback_it_does_not_listen_without_anybody_who_could_log_in() {
    let data = tempfile::tempdir().unwrap();
    let refused = program(data.path(), &["--listen", "0.0.0.0:0"]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{said}");
    assert!(said.contains("csms user add") && said.contains("--insecure"), "{said}");
    // A proxy on this machine listens to others.
    let refused = program(data.path(), &["--listen", "127.0.0.1:0", "--trusted-proxy", "127.0.0.1"]).await;
    assert!(!refused.status.success());
}

#[tokio::test]
async fn beyond_loopback_charge_points_prove_who_they_are() {
    let data = tempfile::tempdir().unwrap();
    succeeds(data.path(), &["user", "add", "root", "--role", "admin"]).await;
    let refused = program(data.path(), &["--listen", "0.0.0.0:0", "--security-profile", "0"]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("--security-profile"), "{said}");

    let mut csms = Csms::start_in(data.path(), &["--listen", "0.0.0.0:0", "--open", "true"]).await;
    csms.url = csms.url.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(status(&csms, "CP1", &[]).await, 401, "open to unknown ones, but not to those without a key");
}

#[tokio::test]
async fn insecure_is_a_word_that_is_heard() {
    let data = tempfile::tempdir().unwrap();
    let mut csms = Csms::start_in(data.path(), &["--listen", "0.0.0.0:0", "--insecure", "--open", "true"]).await;
    csms.url = csms.url.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(status(&csms, "CP1", &[]).await, 101);
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_kept_is_not_for_other_users_of_the_machine() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    for (name, by_a_command) in [("served", false), ("entered", true)] {
        let data = parent.path().join(name);
        match by_a_command {
            true => drop(succeeds(&data, &["token", "add", "billing", "--role", "viewer"]).await),
            false => Csms::start_in(&data, &[]).await.stop().await,
        }
        let mode = std::fs::metadata(&data).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");
    }
}
