//! A record of the log.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cast_adapters::fuzzing::record(bytes));
