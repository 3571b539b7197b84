//! The bounds of the log.

/// The bounds of [`MemoryBus`](super::MemoryBus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusOptions {
    /// How many records of a partition are kept after every group has committed them, so that a store may
    /// resume from an older position. Records that some group has not committed are always kept.
    pub retained_records: usize,
    /// The most ballots that some group has not committed, over all partitions. Beyond it publishing is
    /// unavailable. A record of more ballots is accepted when no ballot waits.
    pub max_waiting_ballots: usize,
}

impl Default for BusOptions {
    /// 1,024 records a partition, 1,000,000 ballots.
    fn default() -> Self {
        Self {
            retained_records: 1_024,
            max_waiting_ballots: 1_000_000,
        }
    }
}

impl BusOptions {
    /// Keeps all records, so that any backup of a store can be restored. For tests.
    pub fn retain_all(self) -> Self {
        Self {
            retained_records: usize::MAX,
            ..self
        }
    }
}
