//! What a transfer needs beyond the ports.

use async_trait::async_trait;

use crate::{
    domain::{Candidate, LogPosition, LoggedBallot, Partition, Rejection, Timestamp},
    ports::PortError,
};

/// A store that lists what it has, in pages. Numbers begin at 1 and grow; `after` is the last number of the
/// page before, and 0 for the first page.
#[async_trait]
pub trait Origin: Send + Sync {
    /// How many ballots it counted.
    async fn counted(&self) -> Result<u64, PortError>;

    /// Counted ballots in the order in which they were counted, which is the log's within each partition.
    async fn ballots(&self, after: u64, max: usize) -> Result<Vec<NumberedBallot>, PortError>;

    /// The candidates that have votes, with their numbers.
    async fn candidates(&self, after: u64, max: usize)
    -> Result<Vec<NumberedCandidate>, PortError>;

    /// What was rejected, in the order in which it was.
    async fn rejections(&self, after: u64, max: usize)
    -> Result<Vec<NumberedRejection>, PortError>;
}

/// A store that takes what its log cannot bring. Everything may be imported again: what it has stays.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Gives numbers to candidates. One that has a number keeps it.
    async fn import_candidates(&self, candidates: &[NumberedCandidate]) -> Result<(), PortError>;

    /// Stores rejections, with their positions in the origin's log.
    async fn import_rejections(&self, rejections: &[NumberedRejection]) -> Result<(), PortError>;
}

/// A counted ballot, and its place in the order of counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedBallot {
    /// Its place.
    pub number: u64,
    /// Its position in the origin's log.
    pub position: LogPosition,
    /// The ballot.
    pub ballot: LoggedBallot,
}

/// A candidate, and the number by which queries of the database may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedCandidate {
    /// The number.
    pub number: u64,
    /// The candidate.
    pub candidate: Candidate,
}

/// A rejection, and its place in the order of rejecting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedRejection {
    /// Its place.
    pub number: u64,
    /// The partition of its position in the origin's log.
    pub partition: Partition,
    /// What was rejected, and why.
    pub rejection: Rejection,
    /// When the store rejected it.
    pub rejected_at: Timestamp,
}
