//! What a simulation runs over: the adapters of each history, and what can happen to their servers.

use std::sync::Arc;

use cast_core::{
    domain::{Candidate, Clock, Entropy, Partition, Partitions},
    ports::Ports,
};

/// Opens fresh and empty adapters for each history.
pub type OpenAdapters = dyn Fn(&Opening) -> Arc<dyn Deployment> + Sync;

/// What adapters are opened with.
#[derive(Clone)]
pub struct Opening {
    /// The only source of time.
    pub clock: Arc<dyn Clock>,
    /// The only source of randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How many partitions the log has.
    pub partitions: Partitions,
}

/// The adapters of one history.
pub trait Deployment: Send + Sync {
    /// The ports for one more process, which replaces their clock and entropy with its own.
    fn ports(&self) -> Ports;

    /// Injects a fault into the servers, at once. Returns false if it is not possible there.
    fn inject(&self, fault: &ServerFault) -> bool;
}

/// What can happen to the servers behind the ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFault {
    /// The counter loses all its data.
    LoseCounter,
    /// The counter loses one candidate.
    LoseCandidate {
        /// The candidate.
        candidate: Candidate,
    },
    /// The ticket source loses its tickets with their use counters, and keeps the ids of ballots.
    LoseTickets,
    /// The ticket source loses all its data.
    LoseTicketsAndIds,
    /// The store is backed up.
    BackUp,
    /// The store is restored from a backup.
    Restore {
        /// Which backup: counted from the first, modulo their number. Without any, the store is empty
        /// again.
        which: usize,
    },
    /// A record that cannot be decoded is appended to the log.
    AppendUnreadable {
        /// Its partition.
        partition: Partition,
    },
}
