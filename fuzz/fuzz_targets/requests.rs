//! What a client sends over a connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cast_server::fuzzing::requests(bytes));
