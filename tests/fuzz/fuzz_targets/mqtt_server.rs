//! What a device says over MQTT, under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| onwire_fuzz::mqtt_server(data));
