//! A ticket in hex, and the id of a ballot.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cast_core::fuzzing::ticket(bytes));
