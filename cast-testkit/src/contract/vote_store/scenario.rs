//! What the clauses start from: the adapter under test, and what they do with it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use cast_core::{
    domain::{
        BallotId, Candidate, Fate, FoldStep, LogPosition, LoggedBallot, Offset, Partition,
        Progress, Rejection, StoredTally,
    },
    ports::{Applied, PortErrorKind, VoteStore},
};
use tokio::task::JoinHandle;

use crate::contract::{Harness, Skipped};
use crate::fixtures::{Fixtures, step};

/// Opens a store for the clauses, and does to it what they ask for.
#[async_trait]
pub trait VoteStoreHarness: Harness {
    /// A handle to the store under test. It is empty at first, holds nothing of other tests, and
    /// all handles of one harness see the same: an adapter of a server gives each its own
    /// connections.
    async fn open(&self) -> Arc<dyn VoteStore>;

    /// A ballot that the store cannot hold, whatever a step has beside it. It may take some
    /// preparing: a total close to the largest number, say, of the candidate that it votes for.
    async fn unholdable(&self, fixtures: &Fixtures) -> Result<LoggedBallot, Skipped>;

    /// The positions of all rejections that the store has kept.
    async fn rejections(&self) -> Result<Vec<LogPosition>, Skipped>;
}

pub(super) const P0: Partition = Partition::new(0);
pub(super) const P1: Partition = Partition::new(1);

/// A store, and a consumer that folds into it.
pub(super) struct Scenario<'a> {
    pub(super) harness: &'a dyn VoteStoreHarness,
    pub(super) store: Arc<dyn VoteStore>,
    pub(super) fixtures: Fixtures,
    /// Whom most clauses are about.
    pub(super) alice: Candidate,
    pub(super) bob: Candidate,
}

/// All that a store returns of some candidates and ballots.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) progress: [Progress; 2],
    pub(super) tallies: Vec<StoredTally>,
    pub(super) fates: Vec<Option<Fate>>,
    pub(super) recount: Vec<(Candidate, u64)>,
}

impl<'a> Scenario<'a> {
    pub(super) async fn start(harness: &'a dyn VoteStoreHarness) -> Self {
        let fixtures = Fixtures::new();
        Self {
            harness,
            store: harness.open().await,
            alice: fixtures.candidate("alice"),
            bob: fixtures.candidate("bob"),
            fixtures,
        }
    }

    /// A fresh ballot that gives `votes` to alice.
    pub(super) fn for_alice(&self, votes: u32) -> LoggedBallot {
        self.fixtures.ballot(&[(&self.alice, votes)])
    }

    pub(super) async fn apply(&self, step: &FoldStep) -> Applied {
        self.store
            .apply(step)
            .await
            .expect("the store applies a step")
    }

    /// Applies a step that must be the next; its totals, and how many ballots were new.
    pub(super) async fn fold(&self, step: &FoldStep) -> (Vec<(Candidate, u64)>, usize) {
        match self.apply(step).await {
            Applied::Folded { totals, counted } => (totals, counted),
            Applied::Fenced { progress } => panic!("{step:?} was fenced at {progress:?}"),
        }
    }

    /// Applies a step that cannot be held; what kind of error that is.
    pub(super) async fn refused(&self, step: &FoldStep) -> PortErrorKind {
        match self.store.apply(step).await {
            Ok(applied) => panic!("what cannot be held was applied: {applied:?}"),
            Err(error) => error.kind(),
        }
    }

    /// Folds steps of one record, of a ballot for each of `candidates`, into both partitions, while two readers
    /// `read` without a pause until the last step is folded. A fast store folds more steps, until each reader has
    /// read often enough.
    pub(super) async fn fold_while_read<F>(
        &self,
        read: impl Fn() -> F + Clone + Send + 'static,
        candidates: &[Candidate],
    ) where
        F: Future<Output = ()> + Send,
    {
        const LEAST_STEPS: u64 = 60;
        let readers = [(), ()].map(|()| Reader::start(read.clone()));
        for start in 0.. {
            if start >= LEAST_STEPS && readers.iter().all(Reader::has_read_enough) {
                break;
            }
            for partition in [P0, P1] {
                let ballot = |who| self.fixtures.ballot(&[(who, 1)]);
                let ballots: Vec<_> = candidates.iter().map(ballot).collect();
                let step = next(partition, start, &ballots.iter().collect::<Vec<_>>());
                assert_eq!(self.fold(&step).await.1, ballots.len());
                tokio::task::yield_now().await;
            }
        }
        for reader in readers {
            reader.stop().await;
        }
    }

    pub(super) async fn place(&self, partition: Partition) -> Progress {
        let progress = self.store.progress(partition).await;
        progress.expect("the store knows its progress")
    }

    pub(super) async fn progress(&self, partition: Partition) -> Offset {
        self.place(partition).await.next
    }

    pub(super) async fn tally(&self, candidate: &Candidate) -> StoredTally {
        let tallies = self.store.tallies(std::slice::from_ref(candidate)).await;
        let tally = tallies.expect("the store reads tallies").pop();
        let tally = tally.expect("one for one");
        assert_eq!(tally.candidate, *candidate);
        tally
    }

    pub(super) async fn votes(&self, candidate: &Candidate) -> u64 {
        self.tally(candidate).await.tally().votes
    }

    pub(super) async fn fate(&self, id: BallotId) -> Option<Fate> {
        let fate = self.store.ballot(id).await;
        fate.expect("the store knows a fate")
    }

    pub(super) async fn view(&self, ballots: &[BallotId]) -> View {
        let mut fates = Vec::new();
        for id in ballots {
            fates.push(self.fate(*id).await);
        }
        let candidates = [self.alice.clone(), self.bob.clone()];
        let tallies = self.store.tallies(&candidates).await;
        let recount = self.store.recount().await;
        View {
            progress: [self.place(P0).await, self.place(P1).await],
            tallies: tallies.expect("the store reads tallies"),
            fates,
            recount: recount.expect("the store recounts").votes(),
        }
    }
}

/// Reads again and again, while others write.
struct Reader {
    reads: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    reading: JoinHandle<()>,
}

impl Reader {
    fn start<F>(read: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let (reads, done) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (counted, stopped) = (Arc::clone(&reads), Arc::clone(&done));
        let reading = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                read().await;
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
        Self {
            reads,
            done,
            reading,
        }
    }

    /// Whether it has read often enough, or found what is wrong.
    fn has_read_enough(&self) -> bool {
        const LEAST_READS: u64 = 40;
        self.reads.load(Ordering::Relaxed) >= LEAST_READS || self.reading.is_finished()
    }

    /// Ends it, and panics if it found something wrong.
    async fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        if let Err(died) = self.reading.await {
            std::panic::resume_unwind(died.into_panic());
        }
    }
}

pub(super) fn at(partition: Partition, offset: u64) -> LogPosition {
    LogPosition {
        partition,
        offset: Offset::new(offset),
    }
}

pub(super) fn counted(partition: Partition, offset: u64) -> Fate {
    Fate::Counted(at(partition, offset))
}

/// A step of one record at `start`.
pub(super) fn next(partition: Partition, start: u64, ballots: &[&LoggedBallot]) -> FoldStep {
    let positioned = ballots.iter().map(|ballot| (start, (*ballot).clone()));
    step(partition, (start, start + 1), positioned)
}

/// A step of one record at `start`, one ballot of which the store could not hold.
pub(super) fn rejecting(partition: Partition, start: u64, ballot: &LoggedBallot) -> FoldStep {
    let mut rejecting = next(partition, start, &[ballot]);
    let positioned = rejecting.ballots.pop().expect("one ballot");
    rejecting.rejections.push(Rejection::Ballot {
        positioned,
        reason: "too much".into(),
    });
    rejecting
}

pub(super) fn rejected(partition: Partition, offset: u64) -> Fate {
    Fate::Rejected {
        position: at(partition, offset),
        reason: "too much".into(),
    }
}
