//! Any bytes, read as a recording.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stillwatch::record::any_bytes::read_any(bytes));
