#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::muca::fuzz::fuzz(data));
