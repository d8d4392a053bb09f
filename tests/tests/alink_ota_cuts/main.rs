//! The power goes in the middle of an update, wherever it may: in every word that is written, torn, and at the end of every
//! operation of the flash and of the boot loader, the end of each block among them. The whole driver runs, over a connection and
//! HTTP of its own, on flash that is simulated; nothing of it goes on after the cut.

mod device;
mod site;

use std::time::Duration;

use device::{Cut, Ended, World};
use onwire_simulation::Chance;
use site::{Release, Site, Way};

/// What becomes of an update without a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Runs,
    /// It is refused with this step, however often it is tried.
    Fails(i8),
}

/// For what has to come at all; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One update with one cut, to its end; how many steps and operations it took.
async fn update(releases: &[Release], block: u32, outcome: Outcome, cut: Option<Cut>) -> (u64, u64) {
    let changes = releases.iter().any(Release::changes);
    let site = Site::new(releases).await;
    let mut world = World::new(site, block, !changes && outcome == Outcome::Runs, cut);
    for life in 0.. {
        assert!(life < 10, "it comes to no end: {cut:?}");
        let ended = tokio::time::timeout(PATIENCE, world.life()).await.unwrap_or_else(|_| panic!("it hangs: {cut:?}"));
        match (ended, outcome) {
            (Ended::Power, _) => world.after_a_cut(),
            (Ended::Restart, Outcome::Runs) => {}
            (Ended::Runs, Outcome::Runs) => break,
            (Ended::Failed(step), Outcome::Fails(expected)) => {
                assert_eq!(step, expected, "{cut:?}");
                break;
            }
            // The source was another file meanwhile, and is right from now on.
            (Ended::Failed(-2 | -3), Outcome::Runs) if changes => world.turn(),
            other => panic!("{other:?} with {cut:?}"),
        }
    }
    match outcome {
        Outcome::Runs => world.nothing_is_done_again().await,
        Outcome::Fails(_) => world.nothing_was_handed_over(),
    }
    assert_eq!(world.cuts(), u64::from(cut.is_some()), "{cut:?}");
    world.counted()
}

/// With a cut at every place.
fn everywhere(seed: u64, block: u32, outcome: Outcome, releases: impl FnOnce(&mut Chance) -> Vec<Release>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let releases = releases(&mut Chance::new(seed));
        let (steps, operations) = update(&releases, block, outcome, None).await;
        assert!(steps > 50 && operations > 5, "{steps} steps, {operations} operations");
        for step in 0..steps {
            update(&releases, block, outcome, Some(Cut::Torn(step))).await;
        }
        for operation in 0..operations {
            update(&releases, block, outcome, Some(Cut::Between(operation))).await;
        }
    });
}

#[test]
fn over_http_with_md5() {
    everywhere(1, 512, Outcome::Runs, |chance| vec![Release::new(chance, "default", 1300, Way::Http, false)]);
}

#[test]
fn over_http_with_sha_256_in_small_blocks() {
    everywhere(2, 104, Outcome::Runs, |chance| vec![Release::new(chance, "default", 700, Way::Http, true)]);
}

#[test]
fn over_mqtt_with_sha_256() {
    everywhere(3, 512, Outcome::Runs, |chance| vec![Release::new(chance, "default", 1300, Way::Mqtt, true)]);
}

#[test]
fn over_mqtt_with_md5_in_small_blocks() {
    everywhere(4, 104, Outcome::Runs, |chance| vec![Release::new(chance, "default", 700, Way::Mqtt, false)]);
}

#[test]
fn two_modules_one_after_the_other() {
    everywhere(5, 512, Outcome::Runs, |chance| {
        vec![Release::new(chance, "default", 600, Way::Http, true), Release::new(chance, "app", 520, Way::Mqtt, false)]
    });
}

#[test]
fn a_wrong_digest_is_never_handed_over() {
    for (seed, way, sha256) in [(6, Way::Http, false), (7, Way::Mqtt, true)] {
        everywhere(seed, 512, Outcome::Fails(-3), |chance| {
            vec![Release::new(chance, "default", 600, way, sha256).with_another_digest()]
        });
    }
}

#[test]
fn the_file_was_another_one_before_the_cut() {
    for (seed, way) in [(8, Way::Http), (9, Way::Mqtt)] {
        everywhere(seed, 512, Outcome::Runs, |chance| {
            let release = Release::new(chance, "default", 600, way, true);
            let (other, longer) = (chance.bytes(600), chance.bytes(900));
            let right = release.image.clone();
            vec![release.with_faces(vec![if way == Way::Http { other } else { longer }, right])]
        });
    }
}

#[test]
fn the_file_is_another_one_after_the_cut() {
    for (seed, way) in [(10, Way::Http), (11, Way::Mqtt)] {
        everywhere(seed, 512, Outcome::Runs, |chance| {
            let release = Release::new(chance, "default", 600, way, false);
            let (other, shorter) = (chance.bytes(600), chance.bytes(400));
            let right = release.image.clone();
            let between = if way == Way::Http { shorter } else { other };
            vec![release.with_faces(vec![right.clone(), between, right])]
        });
    }
}
