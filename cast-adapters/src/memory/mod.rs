//! A whole CAST in one process: tickets, log, counter and store in memory.
//!
//! These are no mocks: they keep the contracts of the ports to the letter, bound what they remember,
//! and are fit for production wherever one process is enough and its votes may end with it. Nothing
//! survives the process, so the log and the store, which belong together, always end together.
//!
//! | adapter | remembers | set by |
//! |---|---|---|
//! | [`MemoryTickets`] | the tickets of some minutes, the ballot ids of the retry window | [`TicketOptions`] |
//! | [`MemoryBus`] | what a group has yet to commit, and some records more | [`BusOptions`] |
//! | [`MemoryCounter`] | who has unreconciled votes, and whom was asked for lately | [`CounterOptions`] |
//! | [`MemoryStore`] | every total, the ballots and rejections of late | [`StoreOptions`] |
//!
//! Architecture invariant: a lock is held for a few memory accesses, and never across an await. A
//! call therefore happens at once or, if its future is dropped before it is polled, not at all.

mod event_bus;
#[cfg(test)]
mod fixtures;
mod ticket_source;
mod vote_counter;
mod vote_store;

use std::sync::{Arc, Mutex, MutexGuard};

use cast_core::{
    Cast, Ports, StartError,
    domain::{KeyRing, Partitions},
    ports::{Clock, Entropy},
};

pub use event_bus::{BusOptions, MemoryBus};
pub use ticket_source::{MemoryTickets, TicketOptions};
pub use vote_counter::{CounterOptions, MemoryCounter};
pub use vote_store::{MemoryStore, StoreOptions, StoreSnapshot};

use crate::system::{SystemClock, SystemEntropy};

/// All ports in memory, on the system's clock and randomness, each with its default options.
///
/// The log has one partition: the store folds under one lock, so more would not go faster, and with
/// one a tally's version is a position in the log.
pub fn ports() -> Ports {
    ports_on(Arc::new(SystemClock), Arc::new(SystemEntropy))
}

/// All ports in memory, on a clock and a randomness of your own; otherwise as [`ports`].
pub fn ports_on(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Ports {
    Ports {
        tickets: Arc::new(MemoryTickets::new(Arc::clone(&clock))),
        bus: Arc::new(MemoryBus::new(Partitions::ONE)),
        counter: Arc::new(MemoryCounter::new(Arc::clone(&clock))),
        store: Arc::new(MemoryStore::new()),
        clock,
        entropy,
    }
}

/// Starts a whole CAST in this process, with the default settings and a fresh key: the one line
/// that embeds it. Needs a tokio runtime with its timer enabled.
pub async fn start() -> Result<Cast, StartError> {
    Cast::builder(ports(), KeyRing::generate(&SystemEntropy))
        .start()
        .await
}

/// Locks what an adapter remembers.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("nothing panics while it holds this lock, so what it guards is whole")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A retry that the ticket source still tells as repeated is published again, and so is what the
    /// log hands out again: the store must know the id of either.
    #[test]
    fn the_store_remembers_more_ids_than_the_ticket_source_and_the_log_together() {
        let (tickets, bus) = (TicketOptions::default(), BusOptions::default());
        let flush_limit = cast_core::IngestSettings::default().flush_limit;
        let in_log = bus.max_waiting_ballots + bus.retained_records * flush_limit;
        assert!(StoreOptions::default().max_ballots > tickets.max_claims + in_log);
    }
}
