#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| onwire_fuzz::file_blocks(data));
