//! How many votes somebody has, and as of when.

use super::{
    name::Candidate,
    position::{Offset, Partition},
};

/// How much of the log a number takes in: the sum over the partitions of the offsets up to which it
/// is true.
///
/// With one partition it is a position in the log. A reconciled version shows the same votes forever. A
/// version with a tail on top may gain votes without growing, when a record is recorded after a later
/// one; and it goes back when a counter loses its memory.
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

/// A candidate's votes, and the version that they are true as of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Who.
    pub candidate: Candidate,
    /// How many.
    pub votes: u64,
    /// As of which version.
    pub version: Version,
}

impl Tally {
    /// The tally of somebody never voted for.
    pub const fn none(candidate: Candidate) -> Self {
        Self {
            candidate,
            votes: 0,
            version: Version::new(0),
        }
    }
}

/// A candidate's votes in one partition's records before `as_of`: a pure function of that prefix of
/// the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppliedTotal {
    /// The partition.
    pub partition: Partition,
    /// The sum over its records before `as_of`.
    pub votes: u64,
    /// The first record that is not in it.
    pub as_of: Offset,
}

/// What the store knows of a candidate: one prefix for each partition that was ever folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTally {
    /// Who.
    pub candidate: Candidate,
    /// The prefixes; each is as of the store's progress in its partition.
    pub applied_totals: Vec<AppliedTotal>,
}

impl StoredTally {
    /// The tally that the prefixes add up to. Saturates: a store bounds each of them to 63 bits, and
    /// three of those may not fit.
    pub fn tally(&self) -> Tally {
        let (mut votes, mut version) = (0_u64, 0_u64);
        for prefix in &self.applied_totals {
            votes = votes.saturating_add(prefix.votes);
            version = version.saturating_add(prefix.as_of.get());
        }
        Tally {
            candidate: self.candidate.clone(),
            votes,
            version: Version::new(version),
        }
    }
}
