//! Record.

use cast_core::{
    domain::{Candidate, Version},
    ports::{PendingVotes, Reading},
};

use super::scenario::{P0, P1, Scenario, pending, total};
use crate::contract::{RACERS, race_over_two_handles};
use crate::waiting::dropped_after;

pub(super) async fn the_version_sums_the_offsets_behind_the_last_records(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let shows = async |candidate: &Candidate| scenario.read(candidate).await.tally.version.get();
    assert_eq!(shows(alice).await, 0, "of a candidate never voted for");
    scenario.record(&[pending(P0, 4, &[(alice, 1)])]).await;
    assert_eq!(shows(alice).await, 5);
    scenario
        .record(&[pending(P1, 2, &[(alice, 1)]), pending(P0, 1, &[(alice, 1)])])
        .await;
    assert_eq!(
        shows(alice).await,
        5 + 3,
        "an earlier position takes in nothing later"
    );
    scenario.reconcile_part(alice, &[total(P0, 2, 10)]).await;
    assert_eq!(shows(alice).await, 10 + 3);
    scenario.record(&[pending(P0, 12, &[(alice, 1)])]).await;
    assert_eq!(shows(alice).await, 13 + 3);
    assert_eq!(shows(bob).await, 0, "versions are a candidate's own");
}

pub(super) async fn votes_add_up_over_positions(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    scenario
        .record(&[pending(P0, 0, &[(alice, 1), (bob, 5)])])
        .await;
    assert_eq!(scenario.votes(alice).await, 1);
    scenario.record(&[pending(P0, 1, &[(alice, 10)])]).await;
    scenario.record(&[pending(P0, 7, &[(alice, 100)])]).await;
    scenario.record(&[pending(P1, 1, &[(alice, 1_000)])]).await;
    assert_eq!(scenario.votes(alice).await, 1_111);
    assert_eq!(scenario.votes(bob).await, 5);
    let by_another_handle = scenario
        .harness
        .open()
        .await
        .read(std::slice::from_ref(alice))
        .await;
    assert_eq!(
        by_another_handle.expect("the counter reads")[0].tally.votes,
        1_111
    );
}

pub(super) async fn recording_a_position_again_changes_nothing(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let first = [
        pending(P0, 3, &[(alice, 2), (bob, 1)]),
        pending(P1, 3, &[(alice, 5)]),
    ];
    scenario.record(&first).await;
    let before = scenario.read(alice).await.tally;
    assert_eq!(before.votes, 7);
    for again in [
        &first[..],
        &first[..1],
        &first[1..],
        &[first[0].clone(), first[0].clone()],
    ] {
        scenario.record(again).await;
        assert_eq!(scenario.read(alice).await.tally, before);
        assert_eq!(scenario.votes(bob).await, 1);
    }
    let twice_at_once = pending(P0, 9, &[(bob, 4)]);
    scenario
        .record(&[twice_at_once.clone(), twice_at_once])
        .await;
    assert_eq!(scenario.votes(bob).await, 5);
}

pub(super) async fn racing_recordings_count_each_position_once(scenario: Scenario<'_>) {
    const POSITIONS: u64 = 50;
    let other = scenario.harness.open().await;
    let Scenario { alice, bob, .. } = &scenario;
    let mut recordings: Vec<PendingVotes> = (0..POSITIONS)
        .flat_map(|at| {
            [
                pending(P0, at, &[(alice, 1), (bob, 2)]),
                pending(P1, at, &[(alice, 3)]),
            ]
        })
        .collect();
    // Each racer records everything, in an order of its own.
    race_over_two_handles(RACERS, [&scenario.counter, &other], |racer, counter| {
        scenario.fixtures.entropy().shuffle(&mut recordings);
        let flushes: Vec<Vec<PendingVotes>> = recordings
            .chunks(1 + racer % 9)
            .map(<[_]>::to_vec)
            .collect();
        async move {
            for flush in flushes {
                let recorded = counter.record(&flush, &[]).await;
                recorded.expect("the counter records");
            }
        }
    })
    .await;
    assert_eq!(scenario.shown(alice).await, (POSITIONS * 4, POSITIONS * 2));
    assert_eq!(scenario.votes(bob).await, POSITIONS * 2);
}

pub(super) async fn votes_that_are_reconciled_change_nothing(scenario: Scenario<'_>) {
    let alice = &scenario.alice;
    scenario.reconcile_whole(alice, &[total(P0, 7, 5)]).await;
    for reconciled in [3, 4, 0] {
        scenario
            .record(&[pending(P0, reconciled, &[(alice, 100)])])
            .await;
        assert_eq!(
            scenario.shown(alice).await,
            (7, 5),
            "with position {reconciled} recorded"
        );
    }
    scenario.record(&[pending(P0, 5, &[(alice, 1)])]).await;
    assert_eq!(
        scenario.votes(alice).await,
        8,
        "the first position that is not reconciled"
    );
    scenario.record(&[pending(P1, 2, &[(alice, 10)])]).await;
    assert_eq!(
        scenario.votes(alice).await,
        18,
        "another partition's position"
    );
}

pub(super) async fn the_answers_are_readings_after_the_recording(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let stranger = scenario.fixtures.candidate("stranger");
    scenario.reconcile_whole(alice, &[total(P0, 40, 3)]).await;
    let show = [stranger.clone(), bob.clone(), alice.clone()];
    let recordings = [pending(P0, 3, &[(alice, 2), (bob, 1)])];

    let answers = scenario.record_and_show(&recordings, &show).await;
    let of = |reading: &Reading| (reading.tally.candidate.clone(), reading.tally.votes);
    let expected = [(stranger, 0), (bob.clone(), 1), (alice.clone(), 42)];
    assert_eq!(answers.iter().map(of).collect::<Vec<_>>(), expected);
    assert_eq!(answers[0].tally.version, Version::new(0));
    assert!(answers[0].age.is_none() && answers[1].age.is_none() && answers[2].age.is_some());
    let read = scenario
        .counter
        .read(&show)
        .await
        .expect("the counter reads");
    assert_eq!(
        read.iter().map(of).collect::<Vec<_>>(),
        expected,
        "as does reading"
    );

    assert_eq!(
        scenario.record_and_show(&recordings, &[]).await,
        [],
        "none asked for, none shown"
    );
    let only = scenario
        .record_and_show(&[], std::slice::from_ref(alice))
        .await;
    assert_eq!(
        only.iter().map(of).collect::<Vec<_>>(),
        [(alice.clone(), 42)]
    );
}

pub(super) async fn several_recordings_in_one_call_all_count(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let recordings = [
        pending(P0, 2, &[(alice, 1)]),
        pending(P1, 0, &[(bob, 7), (alice, 10)]),
        pending(P0, 0, &[(alice, 100)]),
        pending(P1, 1, &[(alice, 1_000)]),
    ];
    let answers = scenario
        .record_and_show(&recordings, &[alice.clone(), bob.clone()])
        .await;
    assert_eq!(answers[0].tally.votes, 1_111);
    assert_eq!(answers[1].tally.votes, 7);
    assert_eq!(scenario.votes(alice).await, 1_111);
}

pub(super) async fn a_dropped_recording_happened_as_a_whole_or_not_at_all(scenario: Scenario<'_>) {
    let (mut alices, mut bobs) = (0, 0);
    for polls in 0..6 {
        let Scenario { alice, bob, .. } = &scenario;
        let at = polls as u64 * 2;
        let recordings = [
            pending(P0, at, &[(alice, 3), (bob, 3)]),
            pending(P0, at + 1, &[(alice, 4)]),
        ];
        drop(dropped_after(polls, scenario.counter.record(&recordings, &[])).await);
        // Candidates are atomic each for itself.
        let shown = scenario.votes(alice).await - alices;
        assert!(
            [0, 7].contains(&shown),
            "{shown} votes of 3 and 4, after {polls} polls"
        );
        let shown = scenario.votes(bob).await - bobs;
        assert!(
            [0, 3].contains(&shown),
            "{shown} votes of 3, after {polls} polls"
        );
        scenario.record(&recordings).await;
        (alices, bobs) = (alices + 7, bobs + 3);
        assert_eq!(
            (scenario.votes(alice).await, scenario.votes(bob).await),
            (alices, bobs)
        );
    }
}
