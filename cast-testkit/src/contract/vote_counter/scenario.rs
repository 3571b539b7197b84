//! What the clauses start from: the adapter under test, and what they do with it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition},
    ports::{Checkpoint, PendingVotes, Reading, VoteCounter},
};

use crate::contract::{Harness, Skipped};
use crate::fixtures::Fixtures;

/// Opens a counter for the clauses, and does to it what they ask for.
#[async_trait]
pub trait VoteCounterHarness: Harness {
    /// A handle to the counter under test. It knows no candidate at first, and all handles of one harness
    /// see the same counter: an adapter of a server gives each its own connections.
    async fn open(&self) -> Arc<dyn VoteCounter>;

    /// A time that the counter can tell from none: 200 ms for a server, anything where time stands
    /// still.
    fn while_passing(&self) -> Duration;

    /// Lets time pass for the counter: at least `duration`.
    async fn pass(&self, duration: Duration);

    /// Forgets a candidate, as a server does that loses a key.
    async fn forget(&self, candidate: &Candidate) -> Result<(), Skipped>;

    /// Makes the counter forget whatever it forgets to save memory.
    async fn save_memory(&self) -> Result<(), Skipped>;
}

pub(super) const P0: Partition = Partition::new(0);
pub(super) const P1: Partition = Partition::new(1);

/// A counter, and who records and reconciles there.
pub(super) struct Scenario<'a> {
    pub(super) harness: &'a dyn VoteCounterHarness,
    pub(super) counter: Arc<dyn VoteCounter>,
    pub(super) fixtures: Fixtures,
    /// Whom most clauses are about.
    pub(super) alice: Candidate,
    pub(super) bob: Candidate,
}

impl<'a> Scenario<'a> {
    pub(super) async fn start(harness: &'a dyn VoteCounterHarness) -> Self {
        let fixtures = Fixtures::new();
        Self {
            harness,
            counter: harness.open().await,
            alice: fixtures.candidate("alice"),
            bob: fixtures.candidate("bob"),
            fixtures,
        }
    }

    /// Records, and asks for no readings.
    pub(super) async fn record(&self, recordings: &[PendingVotes]) {
        self.record_and_show(recordings, &[]).await;
    }

    pub(super) async fn record_and_show(
        &self,
        recordings: &[PendingVotes],
        show: &[Candidate],
    ) -> Vec<Reading> {
        let readings = self.counter.record(recordings, show).await;
        readings.expect("the counter records")
    }

    pub(super) async fn reconcile(&self, checkpoints: &[Checkpoint]) {
        let reconciled = self.counter.reconcile(checkpoints).await;
        reconciled.expect("the counter reconciles");
    }

    pub(super) async fn reconcile_part(&self, candidate: &Candidate, totals: &[AppliedTotal]) {
        self.reconcile(&[part(candidate, totals)]).await;
    }

    pub(super) async fn reconcile_whole(&self, candidate: &Candidate, totals: &[AppliedTotal]) {
        self.reconcile(&[whole(candidate, totals)]).await;
    }

    pub(super) async fn read(&self, candidate: &Candidate) -> Reading {
        let candidates = std::slice::from_ref(candidate);
        let readings = self.counter.read(candidates).await;
        let [reading] = <[Reading; 1]>::try_from(readings.expect("the counter reads"))
            .expect("one reading for one candidate");
        assert_eq!(reading.tally.candidate, *candidate);
        reading
    }

    /// The votes and the version.
    pub(super) async fn shown(&self, candidate: &Candidate) -> (u64, u64) {
        let tally = self.read(candidate).await.tally;
        (tally.votes, tally.version.get())
    }

    pub(super) async fn votes(&self, candidate: &Candidate) -> u64 {
        self.read(candidate).await.tally.votes
    }
}

/// What the record at `offset` gives to some candidates.
pub(super) fn pending(
    partition: Partition,
    offset: u64,
    votes: &[(&Candidate, u64)],
) -> PendingVotes {
    PendingVotes {
        position: LogPosition {
            partition,
            offset: Offset::new(offset),
        },
        votes: votes
            .iter()
            .map(|(candidate, votes)| ((*candidate).clone(), *votes))
            .collect(),
    }
}

/// `votes` in the records of a partition before `as_of`.
pub(super) fn total(partition: Partition, votes: u64, as_of: u64) -> AppliedTotal {
    AppliedTotal {
        partition,
        votes,
        as_of: Offset::new(as_of),
    }
}

/// Some of what the store knows of a candidate.
pub(super) fn part(candidate: &Candidate, applied_totals: &[AppliedTotal]) -> Checkpoint {
    Checkpoint {
        candidate: candidate.clone(),
        applied_totals: applied_totals.to_vec(),
        whole: false,
    }
}

/// All that the store knows of a candidate.
pub(super) fn whole(candidate: &Candidate, applied_totals: &[AppliedTotal]) -> Checkpoint {
    Checkpoint {
        whole: true,
        ..part(candidate, applied_totals)
    }
}
