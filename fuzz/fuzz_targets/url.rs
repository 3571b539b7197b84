//! The URL of a log or a store.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cast_adapters::fuzzing::url(bytes));
