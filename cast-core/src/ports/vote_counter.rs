//! The port to the tallies that voters see.

use std::time::Duration;

use async_trait::async_trait;

use super::error::PortError;
use crate::domain::{AppliedTotal, Candidate, LogPosition, StoredTally, Tally};

/// Shows tallies without delay: what the store has applied plus the votes that are pending behind it.
///
/// It is disposable. Everything it knows can be loaded from the store again, so it may lose any candidate
/// or all of them at any moment; it must only never hide that it did.
///
/// For each candidate and partition it has an [`AppliedTotal`] (votes as of an offset) and, by position,
/// the votes recorded at or after that offset. It shows their sum over the partitions; the version is the
/// sum, over the partitions, of the offset after the last record that is included.
///
/// ```
/// use std::sync::Arc;
///
/// use cast_adapters::{memory::MemoryCounter, system::SystemClock};
/// use cast_core::{
///     domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition},
///     ports::{Checkpoint, PendingVotes, VoteCounter},
/// };
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counter: Arc<dyn VoteCounter> = Arc::new(MemoryCounter::new(Arc::new(SystemClock)));
/// let (alice, partition) = (Candidate::new("alice")?, Partition::new(0));
///
/// // A flush records the votes of its record, which is in the log by now.
/// let offset = Offset::new(41);
/// let pending = PendingVotes {
///     position: LogPosition { partition, offset },
///     votes: vec![(alice.clone(), 3)],
/// };
/// let readings = counter.record(&[pending], &[alice.clone()]).await?;
/// assert_eq!(readings[0].tally.votes, 3);
/// assert_eq!(readings[0].age, None, "a miss: the votes before this record are not known");
///
/// // A consumer reconciles the counter with what the store has: 100 votes, that record included.
/// let total = AppliedTotal { partition, votes: 100, as_of: offset.next() };
/// let checkpoint = Checkpoint {
///     candidate: alice.clone(),
///     applied_totals: vec![total],
///     whole: true,
/// };
/// counter.reconcile(&[checkpoint]).await?;
/// assert_eq!(counter.read(&[alice]).await?[0].tally.votes, 100);
/// # Ok(()) }
/// ```
///
/// # Record
///
/// - Votes recorded at a position are in the next reading, and add up over positions.
/// - Recording the same position again changes nothing.
/// - Votes at a position that an applied total already includes change nothing.
/// - The answers are readings of the candidates asked for, in their order, after the votes were
///   recorded.
/// - Pending votes of several records in one call, of one partition or of several, all count.
///
/// # Reconcile
///
/// - Reconciling an applied total replaces the votes recorded before its offset and keeps those at and
///   after it.
/// - An applied total that is not newer than the reconciled one changes nothing; the order of
///   reconciliations does not matter.
/// - Applied totals of different partitions are independent.
/// - Reconciling an applied total that includes everything recorded leaves exactly its votes.
/// - An applied total of an unknown candidate is stored.
/// - Reconciling a candidate as a whole removes nothing: the votes of a partition that is not named stay
///   as they are.
///
/// # Read
///
/// - Reading no candidates returns no readings; it shows that the counter answers.
/// - A candidate that was never reconciled as a whole is a miss: its age is none. The votes that are
///   known are returned all the same.
/// - A candidate that was reconciled as a whole is a hit, with the time since then as its age.
/// - Reconciling only some partitions does not reset the age.
/// - A candidate that was evicted is a miss.
/// - Only a candidate without pending votes is evicted to save memory.
/// - The applied totals of a candidate are returned as they were reconciled: the newest of each
///   partition, in the order of the partitions, without pending votes.
#[async_trait]
pub trait VoteCounter: Send + Sync {
    /// Adds pending votes, then reads the tallies of `show`. It is one atomic step for each candidate.
    async fn record(
        &self,
        pending: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError>;

    /// Replaces pending votes by what the store has applied.
    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError>;

    /// Reads tallies, one for each candidate, in their order. Reading none checks whether the counter
    /// answers.
    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError>;

    /// Reads the applied totals of each candidate, in the candidates' order, for an audit to compare with
    /// the log.
    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError>;
}

/// The votes of one record: in the log, and maybe not in the store yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingVotes {
    /// The record's position.
    pub position: LogPosition,
    /// The votes by candidate, each candidate once.
    pub votes: Vec<(Candidate, u64)>,
}

/// The votes of a candidate as the store has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The candidate.
    pub candidate: Candidate,
    /// The applied totals, at most one for each partition.
    pub applied_totals: Vec<AppliedTotal>,
    /// Whether this is everything that the store has of the candidate: a partition that is not named has
    /// none of its votes there. It removes nothing from the counter, because the checkpoint may be older
    /// than what the counter has.
    pub whole: bool,
}

/// All that the store has of a candidate.
impl From<StoredTally> for Checkpoint {
    fn from(stored: StoredTally) -> Self {
        Self {
            candidate: stored.candidate,
            applied_totals: stored.applied_totals,
            whole: true,
        }
    }
}

/// The tally of a candidate as the counter has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The applied totals and the pending votes together.
    pub tally: Tally,
    /// The time since the candidate was last reconciled as a whole. `None` is a miss: the tally is then
    /// only the votes that happen to be known.
    pub age: Option<Duration>,
}
