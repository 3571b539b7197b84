//! The name of a candidate or a voter.
#![no_main]

#[path = "../laws/name.rs"]
mod name;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| name::check(bytes));
