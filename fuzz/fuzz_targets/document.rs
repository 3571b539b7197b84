//! A GraphQL document.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cast_server::fuzzing::document(bytes));
