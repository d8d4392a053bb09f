//! The power goes at any word that is written and in any erase, torn writes included; then the device starts again. Or the
//! operation fails there, or its future is dropped, and the device goes on.
//!
//! Every run is decided by its seed. A failure prints it; `ONWIRE_SEED=17 cargo test -p onwire-firmware --test power_cuts`
//! runs that one alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that panics has failed"
)]

use futures_util::FutureExt;
use onwire_simulation::for_each_seed;

/// The future's result; nothing if it does not come to its end. It is dropped then.
fn end_of<T>(future: impl Future<Output = T>) -> Option<T> {
    future.now_or_never()
}

mod ota;
mod outbox;

#[test]
fn the_outbox_loses_nothing_and_keeps_the_order() {
    for_each_seed(2_000, |chance| match chance.clone().next() % 3 {
        0 => outbox::run::<1>(chance),
        1 => outbox::run::<4>(chance),
        _ => outbox::run::<8>(chance),
    });
}

#[test]
fn the_outbox_stands_a_cut_at_every_single_word() {
    for_each_seed(6, outbox::cut_everywhere::<4>);
}

#[test]
fn an_update_goes_on_where_it_was_and_no_half_image_is_handed_over() {
    for_each_seed(2_000, |chance| match chance.clone().next() % 3 {
        0 => ota::run::<1>(chance),
        1 => ota::run::<4>(chance),
        _ => ota::run::<8>(chance),
    });
}

#[test]
fn an_update_stands_a_cut_at_every_single_word() {
    for_each_seed(4, ota::cut_everywhere::<8>);
}
