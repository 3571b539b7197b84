//! Read.

use cast_core::domain::{AppliedTotal, Candidate, LogFingerprint, Offset, Progress};

use super::scenario::{P0, P1, Scenario, counted, next, rejected, rejecting};
use crate::fixtures::step;

pub(super) async fn a_partition_never_folded_is_at_the_start(scenario: Scenario<'_>) {
    assert_eq!(scenario.progress(P0).await, Offset::START);
    scenario.fold(&next(P0, 0, &[&scenario.for_alice(1)])).await;
    assert_eq!(scenario.progress(P1).await, Offset::START);
}

pub(super) async fn progress_tells_the_last_ballot_that_was_taken_in(scenario: Scenario<'_>) {
    let [one, two, three, bad] = [1, 2, 3, 4].map(|votes| scenario.for_alice(votes));
    let progress = |next, at: Option<(u64, &cast_core::domain::LoggedBallot)>| Progress {
        next: Offset::new(next),
        last: at.map(|(offset, ballot)| LogFingerprint {
            offset: Offset::new(offset),
            ballot: ballot.id,
        }),
    };
    scenario.fold(&step(P0, (0, 2), [])).await;
    assert_eq!(
        scenario.place(P0).await,
        progress(2, None),
        "there was none"
    );
    // Several records in a step, several ballots in a record.
    let ballots = [(3, three.clone()), (5, two.clone()), (5, one.clone())];
    scenario.fold(&step(P0, (2, 9), ballots)).await;
    assert_eq!(scenario.place(P0).await, progress(9, Some((5, &one))));
    assert_eq!(
        scenario.place(P1).await,
        progress(0, None),
        "of each partition"
    );

    scenario.fold(&step(P0, (9, 12), [])).await;
    scenario.fold(&rejecting(P0, 12, &bad)).await;
    assert_eq!(scenario.place(P0).await, progress(13, Some((5, &one))));
    // Of one that was counted before, the log has another record.
    scenario
        .fold(&step(P0, (13, 15), [(14, two.clone())]))
        .await;
    assert_eq!(scenario.place(P0).await, progress(15, Some((14, &two))));
}

pub(super) async fn totals_are_as_of_the_progress(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let applied_totals = async |who: &Candidate| {
        let mut applied_totals = scenario.tally(who).await.applied_totals;
        applied_totals.sort_by_key(|total| total.partition);
        applied_totals
    };
    let of = |partition, votes, as_of| AppliedTotal {
        partition,
        votes,
        as_of: Offset::new(as_of),
    };
    assert_eq!(applied_totals(alice).await, [], "nothing was ever folded");
    scenario
        .fold(&step(P0, (0, 4), [(1, scenario.for_alice(3))]))
        .await;
    assert_eq!(applied_totals(alice).await, [of(P0, 3, 4)]);
    scenario
        .fold(&next(
            P1,
            0,
            &[&scenario.fixtures.ballot(&[(bob, 5), (alice, 1)])],
        ))
        .await;
    // Steps that do not name a candidate move its applied total forward all the same.
    scenario
        .fold(&step(
            P0,
            (4, 9),
            [(8, scenario.fixtures.ballot(&[(bob, 7)]))],
        ))
        .await;
    assert_eq!(applied_totals(alice).await, [of(P0, 3, 9), of(P1, 1, 1)]);
    assert_eq!(applied_totals(bob).await, [of(P0, 7, 9), of(P1, 5, 1)]);

    let in_order = [bob.clone(), alice.clone()];
    let tallies = scenario
        .store
        .tallies(&in_order)
        .await
        .expect("the store reads tallies");
    let candidates = tallies.into_iter().map(|tally| tally.candidate);
    assert_eq!(candidates.collect::<Vec<_>>(), in_order);
}

pub(super) async fn an_unknown_candidate_has_totals_of_no_votes(scenario: Scenario<'_>) {
    scenario
        .fold(&step(P0, (0, 4), [(1, scenario.for_alice(3))]))
        .await;
    scenario.fold(&step(P1, (0, 2), [])).await;
    let mut stranger = scenario
        .tally(&scenario.fixtures.candidate("stranger"))
        .await;
    stranger.applied_totals.sort_by_key(|total| total.partition);
    let nothing = |partition, as_of| AppliedTotal {
        partition,
        votes: 0,
        as_of: Offset::new(as_of),
    };
    assert_eq!(stranger.applied_totals, [nothing(P0, 4), nothing(P1, 2)]);
}

pub(super) async fn leaders_come_by_votes_and_then_by_name(scenario: Scenario<'_>) {
    let leaders = async |first| {
        let leaders = scenario
            .store
            .leaders(first)
            .await
            .expect("the store reads the leaders");
        let names = leaders
            .into_iter()
            .map(|tally| (tally.candidate, tally.votes));
        names.collect::<Vec<_>>()
    };
    assert_eq!(leaders(10).await, [], "no candidate was voted for");
    // In the order of their bytes, which is not that of any language.
    let names =
        ["B", "Z", "_", "a", "ab", "é", "神田"].map(|name| scenario.fixtures.candidate(name));
    for (start, who) in (0..).zip(names.iter().rev()) {
        let partition = if start % 2 == 0 { P0 } else { P1 };
        scenario
            .fold(&next(
                partition,
                start / 2,
                &[&scenario.fixtures.ballot(&[(who, 5)])],
            ))
            .await;
    }
    // Their votes come from several partitions.
    let top = scenario.fixtures.candidate("y");
    scenario
        .fold(&next(P0, 4, &[&scenario.fixtures.ballot(&[(&top, 3)])]))
        .await;
    scenario
        .fold(&next(P1, 3, &[&scenario.fixtures.ballot(&[(&top, 3)])]))
        .await;

    let expected: Vec<_> = [(top, 6)]
        .into_iter()
        .chain(names.into_iter().map(|name| (name, 5)))
        .collect();
    assert_eq!(leaders(100).await, expected);
    assert_eq!(leaders(3).await, expected[..3]);
    assert_eq!(leaders(1).await, expected[..1]);
    assert_eq!(leaders(0).await, []);
}

pub(super) async fn the_fate_of_a_ballot_is_that_of_its_first_position(scenario: Scenario<'_>) {
    let (good, bad) = (scenario.for_alice(1), scenario.for_alice(2));
    assert_eq!(scenario.fate(good.id).await, None, "not known");
    scenario
        .fold(&step(P1, (0, 9), [(3, good.clone()), (6, good.clone())]))
        .await;
    scenario.fold(&rejecting(P1, 9, &bad)).await;
    assert_eq!(scenario.fate(good.id).await, Some(counted(P1, 3)));
    assert_eq!(scenario.fate(bad.id).await, Some(rejected(P1, 9)));

    scenario.fold(&next(P1, 10, &[&good])).await;
    scenario.fold(&rejecting(P1, 11, &bad)).await;
    assert_eq!(
        scenario.fate(good.id).await,
        Some(counted(P1, 3)),
        "the first, whatever comes later"
    );
    assert_eq!(
        scenario.fate(bad.id).await,
        Some(rejected(P1, 9)),
        "the first, whatever comes later"
    );
    assert_eq!(scenario.fate(scenario.fixtures.ballot_id()).await, None);
}

pub(super) async fn a_ballot_both_counted_and_rejected_was_counted(scenario: Scenario<'_>) {
    let (counted_first, rejected_first) = (scenario.for_alice(1), scenario.for_alice(10));
    scenario.fold(&next(P0, 0, &[&counted_first])).await;
    scenario.fold(&rejecting(P0, 1, &counted_first)).await;
    assert_eq!(scenario.fate(counted_first.id).await, Some(counted(P0, 0)));
    scenario.fold(&rejecting(P0, 2, &rejected_first)).await;
    scenario.fold(&next(P0, 3, &[&rejected_first])).await;
    assert_eq!(scenario.fate(rejected_first.id).await, Some(counted(P0, 3)));
    assert_eq!(scenario.votes(&scenario.alice).await, 11);
}
