//! A ticket in hex, and the id of a ballot.
#![no_main]

#[path = "../laws/ticket.rs"]
mod ticket;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ticket::check(bytes));
