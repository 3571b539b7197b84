//! Apply as a whole, or not at all.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use cast_core::{
    domain::{Candidate, StoredTally},
    ports::{Applied, PortErrorKind, VoteStore},
};

use tokio::task::JoinHandle;

use super::scenario::{P0, P1, Scenario, at, next, rejecting};
use crate::contract::Skipped;
use crate::fixtures::step;
use crate::waiting::dropped_after;

pub(super) async fn a_step_is_applied_as_a_whole_or_not_at_all(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let unholdable = scenario.harness.unholdable(&scenario.fixtures).await?;
    let (before, after) = (scenario.for_alice(1), scenario.for_alice(10));
    let rejected = scenario.for_alice(100);
    let ids = [before.id, unholdable.id, after.id, rejected.id];
    let mut step = step(P1, (0, 6), [(0, before), (2, unholdable), (4, after)]);
    step.rejections = rejecting(P1, 5, &rejected).rejections;
    let untouched = scenario.view(&ids).await;
    scenario.refused(&step).await;
    assert_eq!(
        scenario.view(&ids).await,
        untouched,
        "a part of the step was applied"
    );

    step.ballots.remove(1);
    let (totals, new) = scenario.fold(&step).await;
    assert_eq!(
        (totals, new),
        (vec![(scenario.alice.clone(), 11)], 2),
        "without it, it is all there"
    );
    if let Ok(kept) = scenario.harness.rejections().await {
        assert_eq!(kept, [at(P1, 5)], "once, not once a try");
    }
    Ok(())
}

pub(super) async fn a_step_that_cannot_be_held_is_corrupt_and_changes_nothing(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    scenario.fold(&next(P0, 0, &[&scenario.for_alice(1)])).await;
    let unholdable = scenario.harness.unholdable(&scenario.fixtures).await?;
    let untouched = scenario.view(&[unholdable.id]).await;
    for _ in 0..2 {
        let refusal = scenario.refused(&next(P0, 1, &[&unholdable])).await;
        assert_eq!(refusal, PortErrorKind::Corrupt);
        assert_eq!(scenario.view(&[unholdable.id]).await, untouched);
    }
    scenario.fold(&rejecting(P0, 1, &unholdable)).await;
    scenario.fold(&next(P0, 2, &[&scenario.for_alice(1)])).await;
    assert_eq!(
        scenario.votes(&scenario.alice).await,
        2,
        "the partition goes on"
    );
    Ok(())
}

pub(super) async fn a_dropped_step_is_applied_as_a_whole_or_not_at_all(scenario: Scenario<'_>) {
    let mut votes = 0;
    for polls in 0..8 {
        let start = polls as u64;
        let ballots: Vec<_> = (0..20).map(|_| scenario.for_alice(1)).collect();
        let step = next(P0, start, &ballots.iter().collect::<Vec<_>>());
        drop(dropped_after(polls, scenario.store.apply(&step)).await);
        // One view of it: what was dropped may still be on its way.
        let seen = scenario.tally(&scenario.alice).await.tally();
        let whole = [(votes, start), (votes + 20, start + 1)];
        let seen = (seen.votes, seen.version.get());
        assert!(whole.contains(&seen), "{seen:?} after {polls} polls");

        votes += 20;
        scenario.apply(&step).await;
        assert_eq!(
            scenario.votes(&scenario.alice).await,
            votes,
            "after {polls} polls and a retry"
        );
    }
}

pub(super) async fn readers_see_one_consistent_view(scenario: Scenario<'_>) {
    const STEPS: u64 = 60;
    let both = [scenario.alice.clone(), scenario.bob.clone()];
    let readers: Vec<_> = (0..2)
        .map(|_| Reader::start(&scenario.store, &both))
        .collect();
    // Each step gives a vote to each of the two, and there is one step an offset. A fast store goes
    // on until the slowest reader has looked often enough.
    for start in 0.. {
        if start >= STEPS && readers.iter().all(Reader::has_read_enough) {
            break;
        }
        for partition in [P0, P1] {
            let ballots = both
                .each_ref()
                .map(|who| scenario.fixtures.ballot(&[(who, 1)]));
            let applied = scenario
                .apply(&next(partition, start, &ballots.each_ref()))
                .await;
            assert!(matches!(applied, Applied::Folded { counted: 2, .. }));
        }
        tokio::task::yield_now().await;
    }
    for reader in readers {
        reader.stop().await;
    }
}

/// Reads over and over, while others write.
struct Reader {
    reads: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    reading: JoinHandle<()>,
}

impl Reader {
    fn start(store: &Arc<dyn VoteStore>, candidates: &[Candidate; 2]) -> Self {
        let (reads, done) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let reading = {
            let (reads, done) = (Arc::clone(&reads), Arc::clone(&done));
            let (store, candidates) = (Arc::clone(store), candidates.clone());
            async move {
                while !done.load(Ordering::Relaxed) {
                    let tallies = store.tallies(&candidates).await;
                    assert_consistent(&tallies.expect("the store tells tallies"));
                    reads.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            }
        };
        Self {
            reads,
            done,
            reading: tokio::spawn(reading),
        }
    }

    /// Whether it has read often enough, or found what is wrong.
    fn has_read_enough(&self) -> bool {
        const READS: u64 = 40;
        self.reads.load(Ordering::Relaxed) >= READS || self.reading.is_finished()
    }

    async fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        if let Err(died) = self.reading.await {
            std::panic::resume_unwind(died.into_panic());
        }
    }
}

/// Each applied total of both candidates has one vote for each record that it includes.
fn assert_consistent(tallies: &[StoredTally]) {
    for total in tallies.iter().flat_map(|tally| &tally.applied_totals) {
        assert_eq!(total.votes, total.as_of.get(), "a torn view: {tallies:?}");
    }
    assert_eq!(
        tallies[0].applied_totals, tallies[1].applied_totals,
        "two views in one answer"
    );
}
