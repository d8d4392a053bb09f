#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| onwire_fuzz::thing_model(data));
