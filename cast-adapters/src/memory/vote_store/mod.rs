//! The store, under one lock, which is the transaction.

mod ballots;
mod options;
mod state;

use std::collections::BTreeMap;

use async_trait::async_trait;
use cast_core::{
    domain::{
        BallotId, Candidate, Fate, FoldStep, LogPosition, LoggedBallot, Partition, Progress,
        Rejection, StoredTally, Tally,
    },
    ports::{Applied, PortError, Recount, Recounted, StoredBallot, VoteStore},
};
use parking_lot::Mutex;

pub use options::StoreOptions;

use self::state::State;

/// A [`VoteStore`] in this process.
///
/// It can store every text and every position, so it only refuses a step as corrupt if a total would be
/// too large.
#[derive(Default)]
pub struct MemoryStore {
    options: StoreOptions,
    state: Mutex<State>,
}

/// A backup of a [`MemoryStore`]: its contents at one moment.
#[derive(Clone)]
pub struct StoreSnapshot(State);

impl MemoryStore {
    /// An empty store, with the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store.
    pub fn with_options(options: StoreOptions) -> Self {
        Self {
            options,
            state: Mutex::default(),
        }
    }

    /// Takes a backup, under the lock.
    pub fn snapshot(&self) -> StoreSnapshot {
        StoreSnapshot(self.state.lock().clone())
    }

    /// Restores a backup. All steps since then are lost, with their progress.
    pub fn restore(&self, snapshot: StoreSnapshot) {
        *self.state.lock() = snapshot.0;
    }

    /// The newest rejections, oldest first, each with its partition.
    pub fn rejections(&self) -> Vec<(Partition, Rejection)> {
        self.state.lock().rejections()
    }

    /// The newest counted ballots in the order in which they were counted, each with its first position
    /// in the log.
    pub fn ballots(&self) -> Vec<(LogPosition, LoggedBallot)> {
        let ballots = self.state.lock().ballots.clone();
        ballots.iter().cloned().collect()
    }
}

#[async_trait]
impl VoteStore for MemoryStore {
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError> {
        Ok(self.state.lock().progress(partition))
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        self.state.lock().apply(step, &self.options)
    }

    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError> {
        self.state.lock().dry_run(step, &self.options)
    }

    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        let state = self.state.lock();
        Ok(candidates.iter().map(|who| state.tally(who)).collect())
    }

    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError> {
        Ok(self.state.lock().leaders(first))
    }

    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError> {
        Ok(self.state.lock().fate(id))
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let (progress, totals, ballots) = {
            let state = self.state.lock();
            (state.all_progress(), state.totals(), state.ballots.clone())
        };
        let mut counts = BTreeMap::new();
        for (key, votes) in ballots.recount().await {
            counts.insert(key, (votes, 0));
        }
        for (candidate, partition, total) in totals {
            counts.entry((candidate, partition)).or_default().1 = total;
        }
        let counts = counts.into_iter();
        let recounted = |((candidate, partition), (votes, total))| Recounted {
            candidate,
            partition,
            votes,
            total,
        };
        Ok(Recount {
            progress,
            counts: counts.map(recounted).collect(),
            // Leaders are summed from the totals.
            wrong_sums: Vec::new(),
        })
    }

    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError> {
        let state = self.state.lock();
        Ok(ids.iter().map(|id| state.stored_ballots(*id)).collect())
    }
}

#[cfg(test)]
mod tests {
    use cast_core::{
        domain::{Offset, PositionedBallot, Unreadable},
        ports::PortErrorKind,
    };

    use super::*;
    use crate::memory::fixtures::{ballot, candidate, id, position};

    /// A step of partition 0 from `start` on: a record for each ballot.
    fn step(start: u64, ballots: Vec<LoggedBallot>) -> FoldStep {
        let ballots: Vec<_> = (start..)
            .zip(ballots)
            .map(|(offset, ballot)| PositionedBallot {
                offset: Offset::new(offset),
                ballot,
            })
            .collect();
        FoldStep {
            partition: Partition::new(0),
            start: Offset::new(start),
            next: Offset::new(start + ballots.len() as u64),
            ballots,
            rejections: Vec::new(),
        }
    }

    fn rejection(offset: u64, number: u64) -> Rejection {
        Rejection::Ballot {
            positioned: PositionedBallot {
                offset: Offset::new(offset),
                ballot: ballot(number, "a", 1),
            },
            reason: format!("reason {number}"),
        }
    }

    async fn fold(store: &MemoryStore, step: &FoldStep) -> usize {
        match store.apply(step).await.expect("applied") {
            Applied::Folded { counted, .. } => counted,
            Applied::Fenced { progress } => panic!("fenced at {progress:?}"),
        }
    }

    #[tokio::test]
    async fn a_total_beyond_the_largest_is_corrupt_and_changes_nothing() {
        let store = MemoryStore::with_options(StoreOptions {
            largest_total: 10,
            ..StoreOptions::default()
        });
        fold(&store, &step(0, vec![ballot(0, "a", 9)])).await;
        let mut beyond = step(1, vec![ballot(1, "b", 1), ballot(2, "a", 2)]);
        beyond.rejections.push(rejection(1, 7));
        for error in [
            store.dry_run(&beyond).await.expect_err("beyond"),
            store.apply(&beyond).await.expect_err("beyond"),
        ] {
            assert_eq!(error.kind(), PortErrorKind::Corrupt);
        }
        let leaders = store.leaders(9).await.expect("leaders");
        assert_eq!((leaders.len(), leaders[0].votes), (1, 9));
        let partition = Partition::new(0);
        assert_eq!(
            store.progress(partition).await.expect("answered").next,
            Offset::new(1)
        );
        assert_eq!(store.ballot(id(1)).await.expect("answered"), None);
        assert_eq!((store.ballots().len(), store.rejections().len()), (1, 0));

        let just_fits = step(1, vec![ballot(2, "a", 1), ballot(2, "a", 1)]);
        store
            .dry_run(&just_fits)
            .await
            .expect("a repeated ballot adds nothing");
        assert_eq!(fold(&store, &just_fits).await, 1);
    }

    #[tokio::test]
    async fn forgotten_ballots_stay_in_the_totals_and_in_the_recount() {
        let store = MemoryStore::with_options(StoreOptions {
            max_ballots: 3,
            ..StoreOptions::default()
        });
        for number in 0..10 {
            fold(&store, &step(number, vec![ballot(number, "a", 2)])).await;
        }
        assert_eq!(store.ballots().len(), 3);
        assert_eq!(store.ballot(id(6)).await.expect("answered"), None);
        let fate = store.ballot(id(7)).await.expect("answered");
        assert_eq!(fate, Some(Fate::Counted(position(0, 7))));
        let leaders = store.leaders(1).await.expect("leaders");
        assert_eq!((leaders[0].votes, leaders[0].version.get()), (20, 10));
        let recount = store.recount().await.expect("recounted").votes();
        assert_eq!(recount, [(candidate("a"), 20)]);
    }

    #[tokio::test]
    async fn the_newest_rejections_are_kept_and_all_fates() {
        let store = MemoryStore::with_options(StoreOptions {
            max_rejections: 2,
            ..StoreOptions::default()
        });
        let mut rejecting = step(0, Vec::new());
        rejecting.next = Offset::new(4);
        rejecting.rejections = (0..3).map(|n| rejection(n, n)).collect();
        rejecting.rejections.push(Rejection::Record {
            offset: Offset::new(3),
            content: Unreadable {
                bytes: (*b"?").into(),
                reason: "undecodable".into(),
            },
        });
        fold(&store, &rejecting).await;
        let rejections = store.rejections();
        assert_eq!(rejections.len(), 2);
        assert_eq!(rejections[1].1.reason(), "undecodable");
        let fate = store.ballot(id(0)).await.expect("answered");
        let expected = Fate::Rejected {
            position: position(0, 0),
            reason: "reason 0".into(),
        };
        assert_eq!(fate, Some(expected));
    }

    #[tokio::test]
    async fn a_ballot_that_is_rejected_again_stays_where_its_partition_first_had_it() {
        let store = MemoryStore::new();
        let rejecting = |partition, start, rejections| FoldStep {
            partition: Partition::new(partition),
            start: Offset::new(start),
            next: Offset::new(start + 10),
            ballots: Vec::new(),
            rejections,
        };
        let fate = async || match store.ballot(id(7)).await.expect("answered") {
            Some(Fate::Rejected { position, .. }) => position,
            other => panic!("{other:?}"),
        };
        let in_any_order = vec![rejection(5, 7), rejection(3, 7), rejection(4, 7)];
        fold(&store, &rejecting(0, 0, in_any_order)).await;
        assert_eq!(fate().await, position(0, 3));
        fold(&store, &rejecting(0, 10, vec![rejection(12, 7)])).await;
        assert_eq!(fate().await, position(0, 3));
        fold(&store, &rejecting(1, 0, vec![rejection(1, 7)])).await;
        assert_eq!(fate().await, position(0, 3), "another partition came later");
    }

    #[tokio::test]
    async fn the_fates_of_rejected_ballots_are_bounded_as_those_of_counted_ones() {
        let store = MemoryStore::with_options(StoreOptions {
            max_ballots: 2,
            ..StoreOptions::default()
        });
        let mut rejecting = step(0, Vec::new());
        rejecting.next = Offset::new(3);
        rejecting.rejections = (0..3).map(|n| rejection(n, n)).collect();
        fold(&store, &rejecting).await;
        assert_eq!(store.ballot(id(0)).await.expect("answered"), None);
        assert!(store.ballot(id(1)).await.expect("answered").is_some());
    }

    #[tokio::test]
    async fn a_restored_backup_has_its_old_contents_and_continues_from_there() {
        let store = MemoryStore::new();
        fold(&store, &step(0, vec![ballot(0, "a", 1)])).await;
        let backup = store.snapshot();
        let second = step(1, vec![ballot(1, "b", 5), ballot(0, "a", 1)]);
        assert_eq!(fold(&store, &second).await, 1);

        store.restore(backup.clone());
        let partition = Partition::new(0);
        assert_eq!(
            store.progress(partition).await.expect("answered").next,
            Offset::new(1)
        );
        assert_eq!(store.ballot(id(1)).await.expect("answered"), None);
        let recount = store.recount().await.expect("recounted").votes();
        assert_eq!(recount, [(candidate("a"), 1)]);

        assert_eq!(fold(&store, &second).await, 1);
        let recount = store.recount().await.expect("recounted").votes();
        assert_eq!(recount, [(candidate("a"), 1), (candidate("b"), 5)]);
        let other = MemoryStore::new();
        other.restore(backup);
        assert_eq!(other.ballots().len(), 1);
    }

    #[tokio::test]
    async fn the_ranking_follows_every_step() {
        let store = MemoryStore::new();
        let first = vec![ballot(0, "a", 1), ballot(1, "c", 2), ballot(2, "b", 2)];
        fold(&store, &step(0, first)).await;
        fold(&store, &step(3, vec![ballot(3, "a", 5), ballot(4, "c", 1)])).await;
        let leaders = store.leaders(2).await.expect("leaders");
        let leaders: Vec<_> = leaders
            .iter()
            .map(|tally| (tally.candidate.as_str(), tally.votes))
            .collect();
        assert_eq!(leaders, [("a", 6), ("c", 3)]);
        assert_eq!(store.leaders(9).await.expect("leaders").len(), 3);
    }
}
