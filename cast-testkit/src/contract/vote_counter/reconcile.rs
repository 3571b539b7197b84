//! Reconcile.

use cast_core::ports::{Checkpoint, PendingVotes};

use super::scenario::{P0, P1, Scenario, part, pending, total, whole};
use crate::contract::{RACERS, race_over_two_handles};

pub(super) async fn reconciling_replaces_what_is_before_and_leaves_the_rest(
    scenario: Scenario<'_>,
) {
    let alice = &scenario.alice;
    for (offset, votes) in [(1, 1), (2, 10), (3, 100), (4, 1_000)] {
        scenario
            .record(&[pending(P0, offset, &[(alice, votes)])])
            .await;
    }
    // The store deduplicated: what it counted is less than what was recorded.
    scenario.reconcile_part(alice, &[total(P0, 7, 3)]).await;
    assert_eq!(scenario.votes(alice).await, 7 + 100 + 1_000);
    scenario.reconcile_whole(alice, &[total(P0, 107, 4)]).await;
    assert_eq!(scenario.votes(alice).await, 107 + 1_000);
}

pub(super) async fn a_total_no_newer_changes_nothing(scenario: Scenario<'_>) {
    let alice = &scenario.alice;
    scenario.record(&[pending(P0, 12, &[(alice, 1)])]).await;
    scenario.reconcile_part(alice, &[total(P0, 70, 10)]).await;
    let before = scenario.read(alice).await.tally;
    assert_eq!((before.votes, before.version.get()), (71, 13));
    for (votes, as_of) in [(3, 4), (69, 9), (0, 0), (70, 10), (99, 10)] {
        scenario
            .reconcile_part(alice, &[total(P0, votes, as_of)])
            .await;
        scenario
            .reconcile_whole(alice, &[total(P0, votes, as_of)])
            .await;
        assert_eq!(
            scenario.read(alice).await.tally,
            before,
            "after {votes} votes as of {as_of}"
        );
    }
}

/// One call of a counter.
#[derive(Clone)]
enum CounterCall {
    PendingVotes(PendingVotes),
    Checkpoint(Checkpoint),
}

pub(super) async fn reconciling_in_any_order_ends_the_same(scenario: Scenario<'_>) {
    const RECORDS: u64 = 12;
    let other = scenario.harness.open().await;
    for round in 0..8 {
        let who = scenario.fixtures.candidate(&format!("candidate {round}"));
        let recordings =
            (0..RECORDS).map(|at| CounterCall::PendingVotes(pending(P0, at, &[(&who, at + 1)])));
        // The total of n records, each sent as a part and as a whole; the last records stay pending.
        let reconciled = |n: u64| total(P0, n * (n + 1) / 2, n);
        let checkpoints = (1..RECORDS - 2)
            .flat_map(|n| [part(&who, &[reconciled(n)]), whole(&who, &[reconciled(n)])])
            .map(CounterCall::Checkpoint);
        let mut all: Vec<CounterCall> = recordings.chain(checkpoints).collect();
        scenario.fixtures.entropy().shuffle(&mut all);

        // Sent in that order, and then once more by racing tasks.
        for call in &all {
            send(&*scenario.counter, call).await;
        }
        race_over_two_handles(RACERS / 4, [&scenario.counter, &other], |_, counter| {
            scenario.fixtures.entropy().shuffle(&mut all);
            let all = all.clone();
            async move {
                for call in &all {
                    send(&*counter, call).await;
                }
            }
        })
        .await;
        let shown = scenario.read(&who).await.tally;
        let total = RECORDS * (RECORDS + 1) / 2;
        assert_eq!(
            (shown.votes, shown.version.get()),
            (total, RECORDS),
            "in round {round}"
        );
    }
}

async fn send(counter: &dyn cast_core::ports::VoteCounter, call: &CounterCall) {
    match call {
        CounterCall::PendingVotes(pending) => {
            let recorded = counter.record(std::slice::from_ref(pending), &[]).await;
            drop(recorded.expect("the counter records"));
        }
        CounterCall::Checkpoint(checkpoint) => {
            let reconciled = counter.reconcile(std::slice::from_ref(checkpoint)).await;
            reconciled.expect("the counter reconciles");
        }
    }
}

pub(super) async fn totals_of_different_partitions_do_not_touch(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let recordings = [
        pending(P0, 2, &[(alice, 1)]),
        pending(P1, 2, &[(alice, 10), (bob, 5)]),
    ];
    scenario.record(&recordings).await;
    scenario.reconcile_part(alice, &[total(P0, 100, 9)]).await;
    assert_eq!(
        scenario.votes(alice).await,
        110,
        "the other partition's votes stay"
    );
    // Older than what is reconciled of the other partition, and news for its own.
    scenario.reconcile_part(alice, &[total(P1, 1_000, 4)]).await;
    assert_eq!(scenario.shown(alice).await, (1_100, 9 + 4));
    scenario
        .reconcile_part(alice, &[total(P0, 200, 12), total(P1, 9, 3)])
        .await;
    assert_eq!(
        scenario.votes(alice).await,
        1_200,
        "one of two applied_totals is old"
    );
    assert_eq!(
        scenario.votes(bob).await,
        5,
        "nor do candidates touch each other"
    );
}

pub(super) async fn reconciling_everything_leaves_exactly_its_votes(scenario: Scenario<'_>) {
    let alice = &scenario.alice;
    let recordings: Vec<_> = (0..20).map(|at| pending(P0, at, &[(alice, 5)])).collect();
    scenario.record(&recordings).await;
    scenario.reconcile_whole(alice, &[total(P0, 61, 20)]).await;
    assert_eq!(scenario.shown(alice).await, (61, 20));
    // None of the pending votes come back later.
    scenario.record(&[pending(P0, 20, &[(alice, 1)])]).await;
    assert_eq!(scenario.votes(alice).await, 62);
}

pub(super) async fn a_total_for_an_unknown_candidate_is_stored(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    scenario
        .reconcile(&[
            part(alice, &[total(P1, 3, 8)]),
            whole(bob, &[total(P0, 4, 9)]),
        ])
        .await;
    assert_eq!(scenario.shown(alice).await, (3, 8));
    assert_eq!(scenario.votes(bob).await, 4);
    scenario.record(&[pending(P1, 7, &[(alice, 100)])]).await;
    assert_eq!(scenario.votes(alice).await, 3, "what it takes in is known");
}

pub(super) async fn reconciling_as_a_whole_takes_nothing_away(scenario: Scenario<'_>) {
    let alice = &scenario.alice;
    scenario.reconcile_part(alice, &[total(P1, 5, 3)]).await;
    scenario.record(&[pending(P1, 4, &[(alice, 2)])]).await;
    scenario.reconcile_whole(alice, &[total(P0, 1, 1)]).await;
    assert_eq!(
        scenario.shown(alice).await,
        (8, 6),
        "votes and version, with a partition that was not named"
    );
    let reconciled = scenario
        .counter
        .applied_totals(std::slice::from_ref(alice))
        .await;
    assert_eq!(
        reconciled.expect("the counter reads its applied totals"),
        [[total(P0, 1, 1), total(P1, 5, 3)]]
    );
}
