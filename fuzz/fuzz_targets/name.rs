//! The name of a candidate or a voter.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cast_core::fuzzing::name(bytes));
