//! Frames of OCPP-J, and the session that takes them, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| onwire_fuzz::ocpp_frames(data));
