//! Where votes are kept for good.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::error::PortError;
use crate::domain::{
    BallotId, Candidate, Fate, FoldStep, LogPosition, LoggedBallot, Offset, Partition, Progress,
    StoredTally, Tally,
};

/// Keeps, for each partition, exactly the fold of the log's prefix up to its own recorded progress.
///
/// # Apply
///
/// - A step that starts at the progress of its partition is applied, and moves the progress to its
///   end.
/// - A step that starts elsewhere is fenced: it changes nothing, and the answer names the progress.
/// - Of two steps with the same start, at the same time, one is applied and the other fenced.
/// - A ballot id counts once: within a step, over steps, and over partitions. The first in the log
///   wins, whatever the others say.
/// - A step is applied as a whole or not at all.
/// - Rejections are kept, and count nothing.
/// - Any rejection can be held, whatever its reason says and however long that is: nothing stands
///   behind it to reject the rejection.
/// - Partitions move independently.
/// - The answer holds the new total of each candidate that the step names, in that partition.
/// - An empty step moves the progress.
/// - A step that the store cannot hold (a total beyond its numbers, a text that it refuses) fails as
///   corrupt and changes nothing.
///
/// An offset, a time or a number of votes beyond the store's own numbers is corrupt like any other that
/// it cannot hold; an adapter checks them on the way in, and never cuts them off.
///
/// # Dry run
///
/// - A dry run changes nothing.
/// - It fails as [`Corrupt`](super::PortErrorKind::Corrupt) exactly where applying the step would.
///
/// # Read
///
/// - A partition never folded has its progress at the start.
/// - Progress tells the last ballot that a step took in, new or not, with the offset of its record; a
///   step that takes in none leaves that as it is.
/// - A candidate's applied totals are as of the progress of their partitions, in one consistent view.
/// - A candidate never voted for has applied totals of no votes.
/// - Leaders come by votes, most first, then by name; no more than asked for.
/// - The fate of a ballot is counted, rejected, or not known; a position is the first in the log.
/// - A ballot that was both counted and rejected was counted.
///
/// # Audit
///
/// - Recounting from the ballots gives the totals.
/// - A recount is one consistent view of ballots, totals and progress, whoever folds meanwhile.
/// - What is kept of a ballot is what the log has at its position, one answer for each id, in their
///   order.
#[async_trait]
pub trait VoteStore: Send + Sync {
    /// The first record of `partition` that was not applied, and the last ballot before it.
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError>;

    /// Applies a step: one transaction that checks and moves the progress, adds the ballots that
    /// are new, and counts only those.
    ///
    /// It may be called again after any error: the fence sees to it that it is applied once.
    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError>;

    /// Does what [`apply`](Self::apply) would, and undoes it: finds out whether the step can be
    /// held.
    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError>;

    /// What is known of each candidate, in their order.
    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError>;

    /// The `first` candidates with the most votes.
    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError>;

    /// What became of a ballot; `None` if the store never saw it. Never [`Fate::Logged`].
    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError>;

    /// Counts all ballots again, and tells the totals and the progress beside that.
    async fn recount(&self) -> Result<Recount, PortError>;

    /// What is kept of ballots, one answer for each; `None` for one that the store never saw.
    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError>;
}

/// All ballots counted again, beside what the store says that they come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// How far each partition was folded, in their order; those that were never folded may be
    /// missing.
    pub progress: Vec<(Partition, Offset)>,
    /// By candidate, then by partition; who has neither ballots nor a total there is missing.
    pub counts: Vec<Recounted>,
}

/// A candidate in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recounted {
    /// Who.
    pub candidate: Candidate,
    /// In which partition.
    pub partition: Partition,
    /// What the ballots add up to: nothing but they were looked at.
    pub votes: u64,
    /// What the store tells whoever asks for the candidate.
    pub total: u64,
}

impl Recount {
    /// What the ballots of all partitions add up to, by candidate, in their order.
    pub fn votes(&self) -> Vec<(Candidate, u64)> {
        let mut sums: BTreeMap<&Candidate, u64> = BTreeMap::new();
        for count in &self.counts {
            let sum = sums.entry(&count.candidate).or_default();
            *sum = sum.saturating_add(count.votes);
        }
        let sums = sums.into_iter().filter(|(_, votes)| *votes > 0);
        sums.map(|(who, votes)| (who.clone(), votes)).collect()
    }
}

/// What a store keeps of a ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredBallot {
    /// It was counted.
    Counted {
        /// Where the log first had it.
        position: LogPosition,
        /// The ballot; or why what is there is none, which somebody else must have written.
        ballot: Result<LoggedBallot, String>,
    },
    /// It was rejected, and never counted.
    Rejected {
        /// Where the log first had it.
        position: LogPosition,
    },
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was applied.
    Folded {
        /// The totals of its candidates in its partition, as of its end, in their order.
        totals: Vec<(Candidate, u64)>,
        /// How many of its ballots were new.
        counted: usize,
    },
    /// It was not the next step.
    Fenced {
        /// The progress of its partition.
        progress: Offset,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recount_adds_up_the_partitions_and_leaves_out_who_has_no_ballots() {
        let candidate = |name| Candidate::new(name).expect("a name");
        let recounted = |name, partition, votes| Recounted {
            candidate: candidate(name),
            partition: Partition::new(partition),
            votes,
            // A total is what the store tells: it does not count here.
            total: 1_000,
        };
        let recount = Recount {
            progress: Vec::new(),
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
