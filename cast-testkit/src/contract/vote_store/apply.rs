//! Apply: the fence, the answers, the rejections.

use std::sync::Arc;

use cast_core::{
    domain::{Fate, Offset, Rejection, Unreadable},
    ports::Applied,
};

use super::scenario::{P0, P1, Scenario, at, counted, next, rejected, rejecting};
use crate::contract::{RACERS, Skipped, race_over_two_handles};
use crate::fixtures::step;
use crate::waiting::race;

pub(super) async fn a_step_at_the_progress_is_applied(scenario: Scenario<'_>) {
    let (one, two, three) = (
        scenario.for_alice(1),
        scenario.for_alice(10),
        scenario.for_alice(100),
    );
    let ids = [one.id, two.id, three.id];
    // Offsets may be missing within a step, and at its end.
    scenario.fold(&step(P0, (0, 9), [(0, one), (4, two)])).await;
    assert_eq!(scenario.progress(P0).await, Offset::new(9));
    assert_eq!(scenario.votes(&scenario.alice).await, 11);
    scenario.fold(&step(P0, (9, 10), [(9, three)])).await;
    assert_eq!(scenario.progress(P0).await, Offset::new(10));
    assert_eq!(scenario.votes(&scenario.alice).await, 111);
    let fates = scenario.view(&ids).await.fates;
    assert_eq!(
        fates,
        [
            Some(counted(P0, 0)),
            Some(counted(P0, 4)),
            Some(counted(P0, 9))
        ]
    );

    let again = Scenario {
        store: scenario.harness.open().await,
        ..scenario
    };
    assert_eq!(
        again.progress(P0).await,
        Offset::new(10),
        "through another handle"
    );
    assert_eq!(again.votes(&again.alice).await, 111);
}

pub(super) async fn a_step_that_starts_elsewhere_is_fenced(scenario: Scenario<'_>) {
    scenario
        .fold(&step(P0, (0, 5), [(2, scenario.for_alice(1))]))
        .await;
    let late = scenario.for_alice(10);
    let lost = scenario.for_alice(10);
    let before = scenario.view(&[late.id, lost.id]).await;
    for (start, end) in [(0, 5), (4, 6), (6, 7), (0, 1), (5_000, 5_001)] {
        let mut fenced = step(P0, (start, end), [(start, late.clone())]);
        fenced.rejections = rejecting(P0, start, &lost).rejections;
        let progress = Offset::new(5);
        assert_eq!(scenario.apply(&fenced).await, Applied::Fenced { progress });
        assert_eq!(
            scenario.view(&[late.id, lost.id]).await,
            before,
            "after {start} to {end}"
        );
    }
    // A partition never folded has a fence too.
    let progress = Offset::START;
    let fenced = step(P1, (1, 2), [(1, late.clone())]);
    assert_eq!(scenario.apply(&fenced).await, Applied::Fenced { progress });
    assert_eq!(scenario.view(&[late.id, lost.id]).await, before);
}

pub(super) async fn of_racing_steps_with_the_same_start_one_is_applied(scenario: Scenario<'_>) {
    let other = scenario.harness.open().await;
    let mut total = 0;
    for start in 0..8 {
        // The first round races for a partition that was never folded.
        let applied =
            race_over_two_handles(RACERS / 4, [&scenario.store, &other], |racer, store| {
                let ballot = scenario.for_alice(u32::try_from(racer).expect("a few") + 1);
                let step = next(P0, start, &[&ballot]);
                async move {
                    (
                        ballot,
                        store.apply(&step).await.expect("the store applies a step"),
                    )
                }
            })
            .await;
        let mut winners = 0;
        for (ballot, applied) in applied {
            match applied {
                Applied::Folded { counted, totals } => {
                    winners += 1;
                    total += u64::from(ballot.selections[0].votes.get());
                    assert_eq!(
                        (counted, totals),
                        (1, vec![(scenario.alice.clone(), total)])
                    );
                    assert!(
                        scenario.fate(ballot.id).await.is_some(),
                        "the winner counts"
                    );
                }
                Applied::Fenced { progress } => {
                    assert_eq!(progress, Offset::new(start + 1));
                    assert_eq!(scenario.fate(ballot.id).await, None, "the fenced do not");
                }
            }
        }
        assert_eq!(winners, 1, "of the steps from {start}");
        assert_eq!(scenario.votes(&scenario.alice).await, total);
    }
}

pub(super) async fn rejections_count_nothing(scenario: Scenario<'_>) {
    let (good, bad) = (scenario.for_alice(1), scenario.for_alice(1_000));
    let mut mixed = rejecting(P0, 0, &bad);
    mixed.ballots = next(P0, 0, &[&good]).ballots;
    let (totals, new) = scenario.fold(&mixed).await;
    assert_eq!((totals, new), (vec![(scenario.alice.clone(), 1)], 1));
    let view = scenario.view(&[good.id, bad.id]).await;
    assert_eq!(view.fates, [Some(counted(P0, 0)), Some(rejected(P0, 0))]);
    assert_eq!(view.recount, [(scenario.alice.clone(), 1)]);
    assert_eq!(scenario.votes(&scenario.alice).await, 1);

    let (totals, new) = scenario
        .fold(&rejecting(P0, 1, &scenario.for_alice(5)))
        .await;
    assert_eq!((totals, new), (vec![], 0), "a step of rejections alone");
    assert_eq!(scenario.progress(P0).await, Offset::new(2));
}

pub(super) async fn rejections_are_kept(scenario: Scenario<'_>) -> Result<(), Skipped> {
    let mut broken = rejecting(P1, 0, &scenario.for_alice(1));
    broken.next = Offset::new(4);
    // The bytes are as the log has them: no text, and with a NUL.
    broken.rejections.push(Rejection::Record {
        offset: Offset::new(3),
        content: Unreadable {
            bytes: Arc::from(&b"\xff\x00 no record"[..]),
            reason: "not a record".into(),
        },
    });
    scenario.fold(&broken).await;
    assert_eq!(scenario.progress(P1).await, Offset::new(4));
    let mut kept = scenario.harness.rejections().await?;
    kept.sort_unstable();
    assert_eq!(kept, [at(P1, 0), at(P1, 3)]);
    Ok(())
}

pub(super) async fn any_rejection_can_be_held(scenario: Scenario<'_>) {
    let reasons = [
        String::new(),
        "with a \0, a \u{ffff} and a \u{10ffff}".into(),
        "'; DROP TABLE \"votes\"; -- {\\".into(),
        "\u{1f5f3}".repeat(50_000),
    ];
    for (start, reason) in (0..).zip(reasons) {
        let ballot = scenario.for_alice(u32::MAX);
        let mut hostile = rejecting(P0, start, &ballot);
        for rejection in &mut hostile.rejections {
            if let Rejection::Ballot { reason: why, .. } = rejection {
                why.clone_from(&reason);
            }
        }
        hostile.rejections.push(Rejection::Record {
            offset: Offset::new(start),
            content: Unreadable {
                bytes: Arc::from([]),
                reason,
            },
        });
        let dry_run = scenario.store.dry_run(&hostile).await;
        dry_run.expect("a rejection can be held");
        scenario.fold(&hostile).await;
        let fate = scenario.fate(ballot.id).await;
        assert!(
            matches!(fate, Some(Fate::Rejected { position, .. }) if position == at(P0, start)),
            "{fate:?}"
        );
    }
}

pub(super) async fn partitions_move_independently(scenario: Scenario<'_>) {
    const STEPS: u64 = 12;
    scenario
        .fold(&step(P1, (0, 7), [(6, scenario.for_alice(1))]))
        .await;
    assert_eq!(scenario.progress(P0).await, Offset::START);
    scenario
        .fold(&next(P0, 0, &[&scenario.for_alice(10)]))
        .await;
    assert_eq!(scenario.progress(P1).await, Offset::new(7));
    assert_eq!(scenario.votes(&scenario.alice).await, 11);

    // Consumers of several partitions, at once, about the same candidates in different orders.
    let partitions = 4;
    race(partitions, |number| {
        let store = Arc::clone(&scenario.store);
        let partition = cast_core::domain::Partition::new(10 + u32::try_from(number).expect("few"));
        let mut whom = [(&scenario.alice, 1), (&scenario.bob, 2)];
        whom.rotate_left(number % 2);
        let steps: Vec<_> = (0..STEPS)
            .map(|start| next(partition, start, &[&scenario.fixtures.ballot(&whom)]))
            .collect();
        async move {
            for step in steps {
                let applied = store.apply(&step).await.expect("the store applies a step");
                assert!(
                    matches!(applied, Applied::Folded { counted: 1, .. }),
                    "{applied:?}"
                );
            }
        }
    })
    .await;
    let applied = STEPS * partitions as u64;
    assert_eq!(scenario.votes(&scenario.alice).await, 11 + applied);
    assert_eq!(scenario.votes(&scenario.bob).await, 2 * applied);
}

pub(super) async fn the_answer_holds_the_new_totals_of_that_partition(scenario: Scenario<'_>) {
    let Scenario {
        fixtures,
        alice,
        bob,
        ..
    } = &scenario;
    let carol = fixtures.candidate("carol");
    let both = fixtures.ballot(&[(bob, 2), (alice, 1)]);
    let twice = fixtures.ballot(&[(alice, 10), (&carol, 5), (alice, 10)]);
    let (totals, new) = scenario.fold(&next(P0, 0, &[&twice, &both])).await;
    let expected = [(alice.clone(), 21), (bob.clone(), 2), (carol.clone(), 5)];
    assert_eq!(
        (&totals[..], new),
        (&expected[..], 2),
        "in the candidates' order"
    );

    let (totals, new) = scenario.fold(&next(P1, 0, &[&scenario.for_alice(3)])).await;
    assert_eq!(
        (totals, new),
        (vec![(alice.clone(), 3)], 1),
        "of this partition alone"
    );
    let (totals, new) = scenario
        .fold(&next(P0, 1, &[&both, &scenario.for_alice(100)]))
        .await;
    let expected = vec![(alice.clone(), 121), (bob.clone(), 2)];
    assert_eq!(
        (totals, new),
        (expected, 1),
        "of those too whose ballots had been counted"
    );
}

pub(super) async fn an_empty_step_moves_the_progress(scenario: Scenario<'_>) {
    scenario.fold(&next(P0, 0, &[&scenario.for_alice(1)])).await;
    let (totals, new) = scenario.fold(&step(P0, (1, 40), [])).await;
    assert_eq!((totals, new), (vec![], 0));
    assert_eq!(scenario.progress(P0).await, Offset::new(40));
    assert_eq!(scenario.votes(&scenario.alice).await, 1);
    scenario.fold(&step(P1, (0, 3), [])).await;
    assert_eq!(
        scenario.progress(P1).await,
        Offset::new(3),
        "of a partition never folded"
    );
}
