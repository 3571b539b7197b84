//! A file of settings.
#![no_main]

#[path = "../laws/settings.rs"]
mod settings;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| settings::check(bytes));
