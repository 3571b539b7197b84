//! The tallies that are shown.

use std::time::Duration;

use async_trait::async_trait;

use super::error::PortError;
use crate::domain::{AppliedTotal, Candidate, LogPosition, Tally};

/// Shows tallies at once: the applied total of the log plus the tail that is recorded behind it.
///
/// It is disposable. All that it knows can be loaded from the store again, so it may forget at any
/// moment, whole or one candidate at a time, and must only never pretend that it did not.
///
/// For each candidate and partition it holds a [`AppliedTotal`] (votes, as of an offset) and, by position,
/// the votes recorded at or behind that offset. What it shows is their sum over the partitions; the
/// version is the sum, over the partitions, of the offset behind the last record taken in.
///
/// # Record
///
/// - Votes recorded at a position show in the next reading, and add up over positions.
/// - Recording the same position again changes nothing.
/// - Votes at a position that a applied total already takes in change nothing.
/// - The answers are readings of the candidates asked for, in their order, after the recording.
/// - Several tails in one call, of one partition or of several, all count.
///
/// # Reconcile
///
/// - Reconciling a prefix replaces the votes before its offset and leaves those at and behind it.
/// - A prefix no newer than what is reconciled changes nothing; reconciling in any order ends the same.
/// - Applied totals of different partitions do not touch each other.
/// - Reconciling a prefix that takes in everything recorded leaves exactly its votes.
/// - A prefix for a candidate not seen before is kept.
/// - Reconciling a candidate as a whole takes nothing away: what is reconciled or recorded of a partition that
///   is not named stays as it is.
///
/// # Read
///
/// - No candidates, no readings: the answer says that the counter answers.
/// - A candidate that was never reconciled as a whole is a miss: its age is none. What is known is
///   shown all the same.
/// - A candidate that was reconciled as a whole is a hit, with the time since then as its age.
/// - Reconciling part of it does not make it younger.
/// - A candidate that was forgotten is a miss.
/// - Only what has no tail is forgotten to save memory.
/// - What is reconciled of each candidate is told as it was, the newest prefix of each partition, in
///   their order and without any tail.
#[async_trait]
pub trait VoteCounter: Send + Sync {
    /// Adds tails, then reads `show`; one atomic step for each candidate.
    async fn record(
        &self,
        tails: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError>;

    /// Takes over applied totals.
    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError>;

    /// Reads tallies, one for each candidate, in their order. To ask for none is to ask whether the
    /// counter answers.
    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError>;

    /// Reads what is reconciled of each candidate, in their order: what an audit holds against the log.
    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError>;
}

/// What one record gives: votes that the log has, and the store may not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingVotes {
    /// Where the record is.
    pub position: LogPosition,
    /// Votes by candidate, each candidate once.
    pub votes: Vec<(Candidate, u64)>,
}

/// A candidate's votes as the store has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Who.
    pub candidate: Candidate,
    /// The applied totals, at most one for a partition.
    pub applied_totals: Vec<AppliedTotal>,
    /// Whether this is all that the store knows of the candidate: a partition not named here has
    /// none of its votes. It takes nothing away, for this may be the older word of the two.
    pub whole: bool,
}

/// What a counter shows of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Applied totals and tails together.
    pub tally: Tally,
    /// How long ago the candidate was last reconciled as a whole; `None` is a miss, and the tally then
    /// only what happens to be known.
    pub age: Option<Duration>,
}
