//! The fuzz targets of the domain, on a stable compiler: over their corpus and mutations of it.

#[path = "../../fuzz/laws/key_ring.rs"]
mod key_ring;
#[path = "../../fuzz/laws/name.rs"]
mod name;
#[path = "../../fuzz/replay.rs"]
mod replay;
#[path = "../../fuzz/laws/ticket.rs"]
mod ticket;

use replay::replay;

#[test]
fn ticket() {
    replay("ticket", 5_000, ticket::check);
}

#[test]
fn key_ring() {
    replay("key_ring", 5_000, key_ring::check);
}

#[test]
fn name() {
    replay("name", 5_000, name::check);
}
