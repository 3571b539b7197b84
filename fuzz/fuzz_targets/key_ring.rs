//! The text of a key ring.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cast_core::fuzzing::key_ring(bytes));
