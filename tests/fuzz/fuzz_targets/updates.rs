//! What is said of updates, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| onwire_fuzz::updates(data));
