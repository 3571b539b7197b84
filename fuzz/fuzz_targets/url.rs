//! The URL of a log or a store.
#![no_main]

#[path = "../laws/url.rs"]
mod url;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| url::check(bytes));
