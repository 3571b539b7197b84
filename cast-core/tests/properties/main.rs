//! The laws of the domain's words, for any value there can be.

mod ballot_ids;
mod key_ring;
mod log;
mod names;
mod tickets;
