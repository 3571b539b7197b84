//! Positions in the log.

use std::fmt;

use super::{ballot_id::BallotId, partition::Partition};

/// The number of a record in its partition, counted from 0; also a place between two records: the place
/// before the record with that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(u64);

impl Offset {
    /// The beginning of every partition.
    pub const START: Self = Self(0);

    /// The offset with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The offset after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Where the log keeps a record, and with it each ballot of the record. `Debug` shows it as
/// `partition@offset`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// The record's partition.
    pub partition: Partition,
    /// The record's offset in it.
    pub offset: Offset,
}

impl fmt::Debug for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.partition.get(), self.offset.get())
    }
}

/// How far the store has folded a partition, and which log it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The first record that was not applied.
    pub next: Offset,
    /// Identifies the log that was folded; `None` before the first ballot.
    pub last: Option<LogFingerprint>,
}

impl Progress {
    /// Progress up to `next`, of a log that cannot be identified.
    pub const fn at(next: Offset) -> Self {
        Self { next, last: None }
    }
}

/// Identifies a log by a ballot and its offset: a log that has another record there is another log.
///
/// Offsets alone do not identify a log: one that lost its end, or was created anew, grows past any
/// offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFingerprint {
    /// The offset of the ballot's record.
    pub offset: Offset,
    /// One of that record's ballots.
    pub ballot: BallotId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_shown_as_partition_at_offset() {
        let position = LogPosition {
            partition: Partition::new(3),
            offset: Offset::new(41).next(),
        };
        assert_eq!(format!("{position:?}"), "3@42");
    }
}
