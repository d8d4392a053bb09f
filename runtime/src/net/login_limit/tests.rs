use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::generations::{KEYS, LONGEST_KEY};
use super::*;

const WINDOW: Duration = Duration::from_secs(60);

async fn fail(limit: &LoginLimit, key: &str) -> u128 {
    limit.attempt(key).await.unwrap().failed().as_millis()
}

#[tokio::test(start_paused = true)]
async fn who_fails_too_often_is_held_off_until_the_window_ends() {
    let limit = LoginLimit::new(3, WINDOW);
    assert_eq!((fail(&limit, "a").await, fail(&limit, "a").await, fail(&limit, "a").await), (50, 100, 200));
    let held = |wait, is_first| HeldOff { wait: Duration::from_secs(wait), is_first };
    assert_eq!(limit.attempt("a").await.unwrap_err(), held(60, true));
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(limit.clone().attempt("a").await.unwrap_err(), held(40, false));
    drop(limit.attempt("b").await.unwrap());
    tokio::time::advance(Duration::from_secs(40)).await;
    assert_eq!(fail(&limit, "a").await, 50);
    limit.attempt("a").await.unwrap().succeeded();
    assert_eq!(fail(&limit, "a").await, 50);
    let long = "x".repeat(60_000);
    for _ in 0..3 {
        fail(&limit, &long).await;
    }
    assert!(limit.attempt(&long).await.is_err() && limit.attempt(&"x".repeat(59_999)).await.is_ok());
    assert!(limit.keys().iter().all(|key| key.len() <= LONGEST_KEY));
    let many = LoginLimit::new(100, WINDOW);
    let mut delays = Vec::new();
    for _ in 0..40 {
        delays.push(fail(&many, "a").await);
    }
    assert_eq!(delays.iter().max(), Some(&LONGEST_DELAY.as_millis()));
    let none = LoginLimit::new(0, WINDOW);
    assert_eq!((fail(&none, "a").await, fail(&none, "a").await), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn guesses_at_the_same_time_are_no_way_around_the_limit() {
    let limits = LoginLimits::new(LoginLimit::new(0, WINDOW), LoginLimit::new(3, WINDOW));
    let guess = |number: u8| {
        let limits = limits.clone();
        async move {
            let attempt = limits.attempt(Some([192, 0, 2, number].into()), "a").await?;
            // The judgement takes its time, in which all others come.
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, HeldOff>(attempt.failed())
        }
    };
    let guesses = join_all((0..20).map(guess)).await;
    assert_eq!(guesses.iter().filter(|guess| guess.is_ok()).count(), 3);
    assert!(limits.by_name.attempt("a").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_is_good_is_not_held_off_however_many_come_at_once() {
    let limits = LoginLimits::new(LoginLimit::new(2, WINDOW), LoginLimit::new(1, WINDOW));
    let login = |number: u8| {
        let limits = limits.clone();
        async move {
            let attempt = limits.attempt(Some([192, 0, 2, 1].into()), &(number % 50).to_string()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            attempt.succeeded();
        }
    };
    join_all((0..100).map(login)).await;
    assert!(limits.by_address.keys().is_empty() && limits.by_name.keys().is_empty(), "nothing failed");
}

#[tokio::test(start_paused = true)]
async fn who_waits_has_the_place_that_is_given_back_and_is_held_off_by_one_that_fails() {
    let limit = LoginLimit::new(1, WINDOW);
    let first = limit.attempt("a").await.unwrap();
    let mut second = Box::pin(limit.attempt("a"));
    let mut given_up = Box::pin(limit.attempt("a"));
    let mut third = Box::pin(limit.attempt("a"));
    for waiting in [&mut second, &mut given_up, &mut third] {
        assert!(waiting.now_or_never().is_none());
    }
    assert!(limit.attempt("b").now_or_never().is_some(), "others do not wait");
    // Undecided: the client went away, or the platform failed.
    drop(first);
    let second = second.await.unwrap();
    drop(given_up);
    assert!(third.as_mut().now_or_never().is_none());
    second.succeeded();
    let third = third.await.unwrap();
    let (told, tell) = oneshot::channel();
    let waiting = async {
        let waiting = limit.attempt("a");
        told.send(()).unwrap();
        waiting.await.map(drop)
    };
    let failing = async {
        tell.await.unwrap();
        third.failed()
    };
    let (waited, _) = tokio::join!(waiting, failing);
    assert_eq!(waited, Err(HeldOff { wait: WINDOW, is_first: true }));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_what_was_forgotten_meanwhile_goes_on() {
    let limit = LoginLimit::new(2, WINDOW);
    fail(&limit, "a").await;
    let first = limit.attempt("a").await.unwrap();
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(limit.attempt("a"))).collect();
    assert!(waiting.iter_mut().all(|waiting| waiting.now_or_never().is_none()));
    // The failure is forgotten, which nobody is told.
    tokio::time::advance(WINDOW).await;
    drop(first);
    let both = join_all(waiting).await;
    assert!(both.iter().all(Result::is_ok));
    // Strangers fill the table.
    let mut third = Box::pin(limit.attempt("a"));
    assert!(third.as_mut().now_or_never().is_none());
    for number in 0..2 * KEYS {
        fail(&limit, &number.to_string()).await;
    }
    drop(both);
    assert_eq!(third.await.unwrap().failed(), FIRST_DELAY);
}

#[tokio::test]
async fn many_keys_are_not_kept() {
    let limit = LoginLimit::new(1, WINDOW);
    for number in 0..2 * KEYS {
        fail(&limit, &number.to_string()).await;
    }
    assert!(limit.keys().len() <= KEYS);
    assert!(limit.attempt(&(2 * KEYS - 1).to_string()).await.is_err());
}

#[tokio::test]
async fn a_customer_of_ipv6_is_one() {
    let limits = LoginLimits::new(LoginLimit::new(1, WINDOW), LoginLimit::new(0, WINDOW));
    let address = |text: &str| Some(text.parse().unwrap());
    limits.attempt(address("2001:db8:1:2::1"), "a").await.unwrap().failed();
    assert!(limits.attempt(address("2001:db8:1:2:ffff::1"), "b").await.is_err());
    drop(limits.attempt(address("2001:db8:1:3::1"), "a").await.unwrap());
    limits.attempt(address("::ffff:192.0.2.1"), "a").await.unwrap().failed();
    assert!(limits.attempt(address("192.0.2.1"), "a").await.is_err());
}

#[tokio::test]
async fn guesses_from_elsewhere_do_not_keep_a_device_out() {
    let limits = LoginLimits::new(LoginLimit::new(0, WINDOW), LoginLimit::new(2, WINDOW));
    let [home, elsewhere] = ["192.0.2.1", "192.0.2.2"].map(|address| Some(address.parse().unwrap()));
    limits.attempt(home, "a").await.unwrap().succeeded();
    for _ in 0..2 {
        limits.attempt(elsewhere, "a").await.unwrap().failed();
    }
    assert!(limits.attempt(elsewhere, "a").await.is_err() && limits.attempt(None, "a").await.is_err());
    drop((limits.attempt(home, "a").await.unwrap(), limits.attempt(home, "b").await.unwrap()));
    // While guesses are judged, it does not wait for them either.
    limits.attempt(home, "a").await.unwrap().succeeded();
    let guesses = (limits.attempt(elsewhere, "a").await.unwrap(), limits.attempt(elsewhere, "a").await.unwrap());
    assert!(limits.attempt(home, "a").now_or_never().is_some());
    drop(guesses);
    // It has moved.
    limits.attempt(elsewhere, "a").await.unwrap().succeeded();
    for _ in 0..2 {
        limits.attempt(home, "a").await.unwrap().failed();
    }
    assert!(limits.attempt(home, "a").await.is_err() && limits.attempt(elsewhere, "a").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_got_in_from_an_address_is_spared_its_limit_and_has_one_of_its_own() {
    let limits = LoginLimits::new(LoginLimit::new(2, WINDOW), LoginLimit::new(3, WINDOW));
    let [home, elsewhere] = ["192.0.2.1", "192.0.2.2"].map(|address| Some(address.parse().unwrap()));
    limits.attempt(home, "a").await.unwrap().succeeded();
    for neighbour in ["b", "c"] {
        limits.attempt(home, neighbour).await.unwrap().failed();
    }
    assert!(limits.attempt(home, "d").await.is_err(), "strangers are held off");
    limits.attempt(home, "a").await.unwrap().succeeded();
    // It is guessed from there.
    for delay in [50, 100, 200] {
        assert_eq!(limits.attempt(home, "a").await.unwrap().failed().as_millis(), delay);
    }
    assert!(limits.attempt(home, "a").await.is_err() && limits.attempt(elsewhere, "a").await.is_err());
    tokio::time::advance(WINDOW).await;
    limits.attempt(home, "a").await.unwrap().succeeded();
    assert!(limits.by_both.keys().is_empty() && limits.by_name.keys().iter().all(|name| name != "a"));
    // Names without a limit: guesses in one that is known are held to that of the address.
    let limits = LoginLimits::new(LoginLimit::new(2, WINDOW), LoginLimit::new(0, WINDOW));
    limits.attempt(home, "a").await.unwrap().succeeded();
    for _ in 0..2 {
        limits.attempt(home, "a").await.unwrap().failed();
    }
    assert!(limits.attempt(home, "a").await.is_err() && limits.attempt(home, "b").await.is_ok());
}
