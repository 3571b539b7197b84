//! Apply as a whole, or not at all.

use std::sync::Arc;

use cast_core::{domain::StoredTally, ports::PortErrorKind};

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
    let both = [scenario.alice.clone(), scenario.bob.clone()];
    let (store, candidates) = (Arc::clone(&scenario.store), both.clone());
    let read = move || {
        let (store, candidates) = (Arc::clone(&store), candidates.clone());
        async move {
            let tallies = store.tallies(&candidates).await;
            assert_consistent(&tallies.expect("the store reads tallies"));
        }
    };
    scenario.fold_while_read(read, &both).await;
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
