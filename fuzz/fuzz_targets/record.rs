//! A record of the log.
#![no_main]

#[path = "../laws/record.rs"]
mod record;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| record::check(bytes));
