#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::bridge::fuzz::fuzz(data));
