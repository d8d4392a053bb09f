//! One firmware image for `cargo xtask flash` to weigh: an allocator, an entry, and the codec of the messages that
//! `build.rs` was told.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::String;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr::drop_in_place;

use cortex_m_rt::entry;
use embedded_alloc::LlffHeap;
#[allow(unused_imports, reason = "the base has no message")]
use onwire::{
    codec::{DecodeError, EncodeError, Message, Quirks, decode, encode},
    ocpp::v16,
};

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

#[entry]
fn main() -> ! {
    // SAFETY: once, before anything is allocated.
    unsafe {
        embedded_alloc::init!(HEAP, 65_536);
    }
    // Any firmware makes strings: the base has what they need, so that it is not put down to the codec.
    let mut text = String::new();
    text.push_str(black_box("text"));
    drop(black_box(text));

    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
    loop {
        cortex_m::asm::wfi();
    }
}

// Black boxes take the functions' addresses, as if somebody called them with anything: all of them is kept, nothing is
// tailored to a caller, and the image holds next to nothing for the measurement's own sake.

#[allow(dead_code, reason = "the base has no message")]
#[inline(always)]
fn decode_one<T: Message>() {
    black_box(decode::<T> as fn(&str, Quirks) -> Result<T, DecodeError>);
    // Who decodes a value drops it.
    black_box(drop_in_place::<T> as unsafe fn(*mut T));
}

#[allow(dead_code, reason = "the base has no message")]
#[inline(always)]
fn encode_one<T: Message>() {
    black_box(encode::<T> as fn(&T, &mut String) -> Result<(), EncodeError>);
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
