//! The votes of a candidate, and how much of the log they include.

use super::{name::Candidate, partition::Partition, position::Offset};

/// How much of the log a tally includes: the sum, over the partitions, of the offset after the last
/// record that is included.
///
/// With one partition it is a position in the log. In the store, a version always has the same votes. In
/// the counter, votes may grow while the version stays (a record may be recorded after a later one), and
/// the version goes back when the counter loses its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(u64);

impl Version {
    /// The version with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The votes of a candidate as of a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tally {
    /// The candidate.
    pub candidate: Candidate,
    /// The votes of all partitions together.
    pub votes: u64,
    /// How much of the log these votes include.
    pub version: Version,
}

impl Tally {
    /// The tally of a candidate without votes.
    pub const fn none(candidate: Candidate) -> Self {
        Self {
            candidate,
            votes: 0,
            version: Version::new(0),
        }
    }
}

/// The votes of a candidate in the records of one partition before `as_of`. It depends on these records
/// alone, so it is the same for every reader of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppliedTotal {
    /// The partition.
    pub partition: Partition,
    /// The votes in its records before `as_of`.
    pub votes: u64,
    /// The first record that is not included.
    pub as_of: Offset,
}

/// The votes of a candidate in the store: one applied total for each partition that was ever folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTally {
    /// The candidate.
    pub candidate: Candidate,
    /// The applied totals, each as of the store's progress in its partition.
    pub applied_totals: Vec<AppliedTotal>,
}

impl StoredTally {
    /// The sum of the applied totals. It saturates: a store limits each of them to 63 bits, and three of
    /// these may not fit.
    pub fn tally(&self) -> Tally {
        let (mut votes, mut version) = (0_u64, 0_u64);
        for total in &self.applied_totals {
            votes = votes.saturating_add(total.votes);
            version = version.saturating_add(total.as_of.get());
        }
        Tally {
            candidate: self.candidate.clone(),
            votes,
            version: Version::new(version),
        }
    }
}
