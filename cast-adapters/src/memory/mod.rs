//! A whole CAST in one process: tickets, log, counter and store in memory.
//!
//! These are not mocks: they keep the whole contracts of the ports, bound their memory, and are fit for
//! production where one process is enough and the votes may be lost when it ends. The log and the store,
//! which belong together, are lost together.
//!
//! | adapter | remembers | bounded by |
//! |---|---|---|
//! | [`MemoryTickets`] | the latest tickets, the ballot ids of the retry window | [`TicketOptions`] |
//! | [`MemoryBus`] | the records that some group has not committed, and some older ones | [`BusOptions`] |
//! | [`MemoryCounter`] | the candidates with pending votes, and those read lately | [`CounterOptions`] |
//! | [`MemoryStore`] | all totals, the latest ballots and rejections | [`StoreOptions`] |
//!
//! Architecture invariant: a lock is held for a few memory accesses, and never across an await. So a
//! call happens at once or, if its future is dropped before it is polled, not at all.

mod event_bus;
#[cfg(test)]
mod fixtures;
mod ticket_source;
mod vote_counter;
mod vote_store;

use std::sync::Arc;

use cast_core::{
    Cast, Ports, StartError,
    domain::{Clock, Entropy, KeyRing, Partitions},
};

pub use event_bus::{BusOptions, MemoryBus};
pub use ticket_source::{MemoryTickets, TicketOptions};
pub use vote_counter::{CounterOptions, MemoryCounter};
pub use vote_store::{MemoryStore, StoreOptions, StoreSnapshot};

use crate::system::{SystemClock, SystemEntropy};

/// All ports in memory, on the system's clock and randomness, each with its default options.
///
/// The log has one partition: the store applies steps under one lock, so more partitions would not be
/// faster, and with one partition the version of a tally is an offset in the log.
pub fn ports() -> Ports {
    ports_on(Arc::new(SystemClock), Arc::new(SystemEntropy))
}

/// All ports in memory, like [`ports`], with the given clock and randomness.
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

/// Starts a whole CAST in this process, with the default settings and a generated key. Needs a tokio
/// runtime with timer.
pub async fn start() -> Result<Cast, StartError> {
    Cast::builder(ports(), KeyRing::generate(&SystemEntropy))
        .start()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A retry that the ticket source knows as repeated is published again, and the log may deliver a
    /// record again. The store must know the ids of both.
    #[test]
    fn the_store_remembers_more_ids_than_the_ticket_source_and_the_log_together() {
        let (tickets, bus) = (TicketOptions::default(), BusOptions::default());
        let flush_limit = cast_core::IngestSettings::default().flush_limit;
        let in_log = bus.max_waiting_ballots + bus.retained_records * flush_limit;
        assert!(StoreOptions::default().max_ballots > tickets.max_claims + in_log);
    }
}
