#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::sasl::fuzz::fuzz(data));
