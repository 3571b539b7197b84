//! Adapters that are broken on purpose, kept as tests: each clause of each port's contract is seen to
//! fail on an adapter that breaks it, and to hold on the same adapter left alone.

mod caught;
mod event_bus;
#[path = "../../../cast-adapters/tests/memory/mod.rs"]
mod memory;
mod ticket_source;
mod vote_counter;
mod vote_store;
