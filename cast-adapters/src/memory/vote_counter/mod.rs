//! The tallies, under one lock.

mod count;
mod counts;

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{AppliedTotal, Candidate, Clock},
    ports::{Checkpoint, PendingVotes, PortError, Reading, VoteCounter},
};
use parking_lot::Mutex;

use self::counts::Counts;

/// The bound of [`MemoryCounter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterOptions {
    /// The most candidates without pending votes, about 300 bytes each. Beyond it, those that were read
    /// or reconciled longest ago are forgotten.
    pub max_idle_candidates: usize,
}

impl Default for CounterOptions {
    /// 100,000 candidates.
    fn default() -> Self {
        Self {
            max_idle_candidates: 100_000,
        }
    }
}

/// A [`VoteCounter`] in this process.
///
/// Candidates with pending votes are never forgotten; the bound of the log on uncommitted ballots bounds
/// their number. Ages are measured with the monotonic clock.
pub struct MemoryCounter {
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
}

impl MemoryCounter {
    /// An empty counter, with the default options.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_options(clock, CounterOptions::default())
    }

    /// An empty counter.
    pub fn with_options(clock: Arc<dyn Clock>, options: CounterOptions) -> Self {
        Self {
            clock,
            counts: Mutex::new(Counts::new(options.max_idle_candidates)),
        }
    }

    /// Forgets everything, including pending votes, like a server without persistence that restarts.
    pub fn forget(&self) {
        self.counts.lock().clear();
    }

    /// Forgets a candidate, including its pending votes, like a server that evicts its key.
    pub fn forget_candidate(&self, candidate: &Candidate) {
        self.counts.lock().remove(candidate);
    }
}

#[async_trait]
impl VoteCounter for MemoryCounter {
    async fn record(
        &self,
        pending: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let now = self.clock.monotonic();
        let mut counts = self.counts.lock();
        for PendingVotes { position, votes } in pending {
            for (candidate, votes) in votes {
                counts.record(candidate, *position, *votes);
            }
        }
        Ok(show.iter().map(|who| counts.read(who, now)).collect())
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        let now = self.clock.monotonic();
        let mut counts = self.counts.lock();
        for checkpoint in checkpoints {
            counts.reconcile(checkpoint, now);
        }
        Ok(())
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        self.record(&[], candidates).await
    }

    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError> {
        let counts = self.counts.lock();
        let totals = candidates.iter().map(|who| counts.applied_totals(who));
        Ok(totals.collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cast_core::domain::{AppliedTotal, Offset, Partition};

    use super::*;
    use crate::memory::fixtures::{ManualClock, candidate, position};

    fn counter(max_idle_candidates: usize) -> (Arc<ManualClock>, MemoryCounter) {
        let clock = Arc::new(ManualClock::new());
        let options = CounterOptions {
            max_idle_candidates,
        };
        let counter = MemoryCounter::with_options(Arc::clone(&clock) as Arc<dyn Clock>, options);
        (clock, counter)
    }

    fn whole(name: &str, votes: u64, as_of: u64) -> Checkpoint {
        let total = AppliedTotal {
            partition: Partition::new(0),
            votes,
            as_of: Offset::new(as_of),
        };
        Checkpoint {
            candidate: candidate(name),
            applied_totals: vec![total],
            whole: true,
        }
    }

    fn pending(offset: u64, name: &str, votes: u64) -> PendingVotes {
        PendingVotes {
            position: position(0, offset),
            votes: vec![(candidate(name), votes)],
        }
    }

    async fn read(counter: &MemoryCounter, name: &str) -> (u64, u64, Option<Duration>) {
        let readings = counter.read(&[candidate(name)]).await.expect("a reading");
        let tally = &readings[0].tally;
        assert_eq!(tally.candidate, candidate(name));
        (tally.votes, tally.version.get(), readings[0].age)
    }

    #[tokio::test]
    async fn the_candidate_that_was_read_longest_ago_is_forgotten_first() {
        let (_, counter) = counter(2);
        for name in ["a", "b"] {
            counter
                .reconcile(&[whole(name, 1, 1)])
                .await
                .expect("reconciled");
        }
        read(&counter, "a").await;
        counter
            .reconcile(&[whole("c", 1, 1)])
            .await
            .expect("reconciled");
        let known = [
            read(&counter, "a").await,
            read(&counter, "b").await,
            read(&counter, "c").await,
        ];
        assert_eq!(known.map(|(votes, ..)| votes), [1, 0, 1]);
        assert_eq!(counter.counts.lock().len(), 2);
    }

    #[tokio::test]
    async fn a_candidate_is_not_forgotten_before_its_pending_votes_are_reconciled() {
        let (_, counter) = counter(1);
        let recorded = counter.record(&[pending(5, "a", 3)], &[]).await;
        assert_eq!(recorded.expect("recorded"), []);
        counter
            .reconcile(&[whole("a", 2, 4)])
            .await
            .expect("reconciled");
        for name in ["b", "c", "d"] {
            counter
                .reconcile(&[whole(name, 1, 1)])
                .await
                .expect("reconciled");
        }
        assert_eq!(read(&counter, "a").await, (5, 6, Some(Duration::ZERO)));
        assert_eq!(counter.counts.lock().len(), 2);

        counter
            .reconcile(&[whole("a", 5, 6)])
            .await
            .expect("reconciled");
        counter
            .reconcile(&[whole("b", 1, 1)])
            .await
            .expect("reconciled");
        assert_eq!(read(&counter, "a").await, (0, 0, None));
        assert_eq!(counter.counts.lock().len(), 1);
    }

    #[tokio::test]
    async fn pending_votes_keep_an_idle_candidate_from_being_forgotten() {
        let (_, counter) = counter(1);
        counter
            .reconcile(&[whole("a", 2, 4)])
            .await
            .expect("reconciled");
        counter
            .record(&[pending(4, "a", 3)], &[])
            .await
            .expect("recorded");
        counter
            .reconcile(&[whole("b", 1, 1)])
            .await
            .expect("reconciled");
        counter
            .reconcile(&[whole("c", 1, 1)])
            .await
            .expect("reconciled");
        assert_eq!(read(&counter, "a").await.0, 5);
    }

    #[tokio::test]
    async fn reading_unknown_candidates_remembers_nothing() {
        let (_, counter) = counter(10);
        assert_eq!(read(&counter, "unknown").await, (0, 0, None));
        assert_eq!(counter.counts.lock().len(), 0);
    }

    #[tokio::test]
    async fn a_candidate_that_is_forgotten_by_hand_is_a_miss() {
        let (clock, counter) = counter(100_000);
        counter
            .reconcile(&[whole("a", 1, 1), whole("b", 1, 1)])
            .await
            .expect("reconciled");
        counter
            .record(&[pending(7, "a", 3)], &[])
            .await
            .expect("recorded");
        clock.advance(Duration::from_secs(3));
        counter.forget_candidate(&candidate("a"));
        assert_eq!(read(&counter, "a").await, (0, 0, None));
        assert_eq!(read(&counter, "b").await.2, Some(Duration::from_secs(3)));
        counter.forget();
        assert_eq!(read(&counter, "b").await, (0, 0, None));
        assert_eq!(counter.counts.lock().len(), 0);
        // Later votes are recorded as for a new candidate.
        counter
            .record(&[pending(8, "a", 3)], &[])
            .await
            .expect("recorded");
        assert_eq!(read(&counter, "a").await, (3, 9, None));
    }

    #[tokio::test]
    async fn the_bound_holds_for_many_candidates() {
        let (_, counter) = counter(16 * 1_024);
        let checkpoints: Vec<_> = (0..40_000).map(|n| whole(&n.to_string(), 1, 1)).collect();
        counter.reconcile(&checkpoints).await.expect("reconciled");
        assert_eq!(counter.counts.lock().len(), 16 * 1_024);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn recording_from_many_tasks_adds_up() {
        let (_, counter) = counter(100_000);
        let counter = Arc::new(counter);
        let tasks: Vec<_> = (0..8_u64)
            .map(|task| {
                let counter = Arc::clone(&counter);
                tokio::spawn(async move {
                    for at in 0..100 {
                        let pending = [pending(task * 100 + at, "a", 1)];
                        let shown = counter.record(&pending, &[candidate("a")]).await;
                        assert!(shown.expect("recorded")[0].tally.votes > at);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("the task ends well");
        }
        assert_eq!(read(&counter, "a").await, (800, 800, None));
    }
}
