//! The port to the database.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::error::PortError;
use crate::domain::{
    BallotId, Candidate, Fate, FoldStep, LogPosition, LoggedBallot, Offset, Partition, Progress,
    StoredTally, Tally,
};

/// Stores, for each partition, exactly the fold of the log's records before its own progress.
///
/// ```
/// use std::sync::Arc;
///
/// use cast_adapters::memory::MemoryStore;
/// use cast_core::{
///     domain::{FoldStep, Offset, Partition, PositionedBallot},
///     ports::{Applied, VoteStore},
/// };
/// # use cast_testkit::fixtures::Fixtures;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store: Arc<dyn VoteStore> = Arc::new(MemoryStore::new());
/// # let fixtures = Fixtures::new();
/// # let ballot = fixtures.ballot(&[(&fixtures.candidate("alice"), 3)]);
/// let step = FoldStep {
///     partition: Partition::new(0),
///     start: Offset::START,
///     next: Offset::new(1),
///     ballots: vec![PositionedBallot { offset: Offset::START, ballot }],
///     rejections: vec![],
/// };
/// assert!(matches!(store.apply(&step).await?, Applied::Folded { counted: 1, .. }));
///
/// // The same step again, from a consumer that was too late: the store is past it.
/// let again = store.apply(&step).await?;
/// assert_eq!(again, Applied::Fenced { progress: Offset::new(1) });
/// assert_eq!(store.leaders(10).await?[0].votes, 3);
/// # Ok(()) }
/// ```
///
/// # Apply
///
/// - A step that starts at the progress of its partition is applied and moves the progress to its end.
/// - A step that starts elsewhere is fenced: it changes nothing, and the answer has the progress.
/// - Of two concurrent steps with the same start, one is applied and the other is fenced.
/// - A ballot id counts once: within a step, over steps, and over partitions. The first copy in the log
///   counts, whatever the others contain.
/// - A step is applied as a whole or not at all.
/// - Rejections are stored and count nothing.
/// - Every rejection can be stored, whatever its reason contains and however long it is: a rejection
///   cannot be rejected.
/// - Partitions progress independently.
/// - The answer has the new total, in that partition, of each candidate that the step has votes for.
/// - An empty step moves the progress.
/// - A step that the store cannot hold (a total beyond its range, a text that it refuses) fails as
///   corrupt and changes nothing.
///
/// An offset, a time or a number of votes beyond the store's range is corrupt too; an adapter checks them
/// before it writes, and never truncates them.
///
/// # Dry run
///
/// - A dry run changes nothing.
/// - It fails as [`Corrupt`](super::PortErrorKind::Corrupt) exactly where applying the step would.
///
/// # Read
///
/// - A partition that was never folded has its progress at the start.
/// - Progress has the last ballot of the last step that had ballots, counted or not, with the offset of
///   its record.
/// - A candidate's applied totals are as of the progress of their partitions, in one consistent
///   snapshot.
/// - A candidate without votes has applied totals of no votes.
/// - Leaders are ordered by votes, most first, then by name; there are no more than asked for.
/// - The fate of a ballot is counted, rejected, or unknown; its position is that of the first copy in
///   the log.
/// - A ballot that was both counted and rejected was counted.
///
/// # Audit
///
/// - A recount of the ballots gives the totals.
/// - A recount is one consistent snapshot of ballots, totals and progress while consumers keep folding.
/// - A stored ballot is what the log has at its position; there is one answer for each id, in the order
///   of the ids.
#[async_trait]
pub trait VoteStore: Send + Sync {
    /// The first record of `partition` that was not applied, and the last ballot before it.
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError>;

    /// Applies a step in one transaction: checks and moves the progress, inserts the new ballots and
    /// counts only these.
    ///
    /// It may be called again after any error: the fence prevents that the step is applied twice.
    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError>;

    /// Does the work of [`apply`](Self::apply) and rolls it back, to find out whether the store can hold
    /// the step.
    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError>;

    /// The applied totals of each candidate, in the candidates' order.
    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError>;

    /// The `first` candidates with the most votes.
    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError>;

    /// What happened to a ballot; `None` if the store does not have it. Never [`Fate::Logged`].
    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError>;

    /// Counts all ballots again and returns the totals and the progress of the same moment.
    async fn recount(&self) -> Result<Recount, PortError>;

    /// The stored ballots with these ids, one answer for each; `None` for an unknown id.
    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError>;
}

/// All ballots counted again, and the totals to compare them with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// The progress of each partition, in their order. A partition that was never folded may be missing.
    pub progress: Vec<(Partition, Offset)>,
    /// The counts by candidate, then by partition. A candidate with neither ballots nor a total in a
    /// partition is missing there.
    pub counts: Vec<Recounted>,
    /// The sums of all partitions that are not those of the totals, by candidate. Always empty if the store
    /// keeps no sums beside its totals.
    pub wrong_sums: Vec<WrongSum>,
}

/// A sum of all partitions, as the leaders have it, that is not the sum of the candidate's totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSum {
    /// The candidate.
    pub candidate: Candidate,
    /// The sum that the store has.
    pub sum: u64,
    /// The totals of the candidate, added up.
    pub totals: u64,
}

/// The counts of a candidate in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recounted {
    /// The candidate.
    pub candidate: Candidate,
    /// The partition.
    pub partition: Partition,
    /// The votes of the ballots, added up again.
    pub votes: u64,
    /// The total that the store returns for the candidate.
    pub total: u64,
}

impl Recount {
    /// The votes of the ballots of all partitions, by candidate, in the candidates' order.
    pub fn votes(&self) -> Vec<(Candidate, u64)> {
        let mut sums: BTreeMap<&Candidate, u64> = BTreeMap::new();
        for count in &self.counts {
            let sum = sums.entry(&count.candidate).or_default();
            *sum = sum.saturating_add(count.votes);
        }
        let sums = sums.into_iter().filter(|(_, votes)| *votes > 0);
        sums.map(|(candidate, votes)| (candidate.clone(), votes))
            .collect()
    }
}

/// A ballot as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredBallot {
    /// The ballot was counted.
    Counted {
        /// The position of its first copy in the log.
        position: LogPosition,
        /// The ballot; or why the row is not a ballot, which another program must have changed.
        ballot: Result<LoggedBallot, String>,
    },
    /// The ballot was rejected and never counted.
    Rejected {
        /// The position of its first copy in the log.
        position: LogPosition,
    },
}

/// What happened to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The step was applied.
    Folded {
        /// The totals of its candidates in its partition as of its end, in the candidates' order.
        totals: Vec<(Candidate, u64)>,
        /// How many of its ballots were new.
        counted: usize,
    },
    /// The step does not start at the progress of its partition. Nothing was changed.
    Fenced {
        /// The progress of the partition.
        progress: Offset,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recount_adds_up_the_partitions_and_omits_candidates_without_ballots() {
        let candidate = |name| Candidate::new(name).expect("a name");
        let recounted = |name, partition, votes| Recounted {
            candidate: candidate(name),
            partition: Partition::new(partition),
            votes,
            // The total is not part of the sum.
            total: 1_000,
        };
        let recount = Recount {
            progress: Vec::new(),
            wrong_sums: Vec::new(),
            counts: vec![
                recounted("alice", 0, 2),
                recounted("alice", 1, 3),
                recounted("bob", 0, 0),
                recounted("carol", 1, 1),
            ],
        };
        let votes = [(candidate("alice"), 5), (candidate("carol"), 1)];
        assert_eq!(recount.votes(), votes);
    }
}
