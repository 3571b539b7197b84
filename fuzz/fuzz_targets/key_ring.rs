//! The text of a key ring.
#![no_main]

#[path = "../laws/key_ring.rs"]
mod key_ring;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| key_ring::check(bytes));
