//! Read.

use super::scenario::{P0, P1, Scenario, part, pending, total, whole};
use crate::contract::Skipped;

pub(super) async fn reading_no_candidates_shows_whether_it_answers(scenario: Scenario<'_>) {
    let readings = scenario.counter.read(&[]).await;
    assert_eq!(readings.expect("the counter answers"), []);
}

pub(super) async fn what_was_never_reconciled_as_a_whole_is_a_miss(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let nothing = scenario.read(alice).await;
    assert_eq!(
        (nothing.tally.votes, nothing.age),
        (0, None),
        "of a candidate never seen"
    );
    scenario.record(&[pending(P0, 3, &[(alice, 2)])]).await;
    scenario.reconcile_part(bob, &[total(P0, 5, 3)]).await;
    for (who, votes) in [(alice, 2), (bob, 5)] {
        let known = scenario.read(who).await;
        assert_eq!(
            (known.tally.votes, known.age),
            (votes, None),
            "what is known is shown"
        );
    }
}

pub(super) async fn what_was_reconciled_as_a_whole_has_an_age(scenario: Scenario<'_>) {
    let (alice, a_while) = (&scenario.alice, scenario.harness.while_passing());
    // No votes yet is as good to know as a number.
    scenario.reconcile_whole(alice, &[]).await;
    let fresh = scenario.read(alice).await;
    assert_eq!(fresh.tally.votes, 0);
    let fresh = fresh.age.expect("a hit");
    scenario.harness.pass(a_while).await;
    let later = scenario.read(alice).await.age.expect("a hit");
    assert!(
        later >= fresh + a_while,
        "{a_while:?} later the age is {fresh:?} and then {later:?}"
    );
    // As a whole again, with news and with what is old.
    for (votes, as_of) in [(3, 4), (1, 2)] {
        scenario.harness.pass(a_while).await;
        let old = scenario.read(alice).await.age.expect("a hit");
        scenario
            .reconcile_whole(alice, &[total(P0, votes, as_of)])
            .await;
        let young = scenario.read(alice).await.age.expect("a hit");
        assert!(
            young < old,
            "reconciled as a whole at {old:?}, it is still {young:?} old"
        );
    }
}

pub(super) async fn reconciling_a_part_makes_no_candidate_younger(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let a_while = scenario.harness.while_passing();
    scenario.reconcile_whole(alice, &[total(P0, 3, 4)]).await;
    scenario.harness.pass(a_while).await;
    scenario
        .reconcile(&[
            part(alice, &[total(P0, 4, 6)]),
            part(bob, &[total(P0, 1, 6)]),
        ])
        .await;
    scenario.reconcile_part(alice, &[total(P1, 5, 2)]).await;
    scenario.record(&[pending(P0, 8, &[(alice, 1)])]).await;
    let partly = scenario.read(alice).await;
    assert_eq!(partly.tally.votes, 10);
    let age = partly.age.expect("a hit");
    assert!(
        age >= a_while,
        "reconciled as a whole {a_while:?} ago, it is {age:?} old"
    );
    assert_eq!(
        scenario.read(bob).await.age,
        None,
        "nor is a miss made a hit"
    );
}

pub(super) async fn a_forgotten_candidate_is_a_miss(scenario: Scenario<'_>) -> Result<(), Skipped> {
    let Scenario { alice, bob, .. } = &scenario;
    let known = [
        whole(alice, &[total(P0, 3, 4)]),
        whole(bob, &[total(P0, 1, 4)]),
    ];
    scenario.reconcile(&known).await;
    scenario.record(&[pending(P0, 5, &[(alice, 1)])]).await;

    scenario.harness.forget(alice).await?;
    assert_eq!(scenario.read(alice).await.age, None);
    let after = scenario
        .record_and_show(
            &[pending(P0, 6, &[(alice, 2)])],
            std::slice::from_ref(alice),
        )
        .await;
    assert_eq!(
        after[0].age, None,
        "new votes do not hide that the old ones are gone"
    );
    scenario.reconcile_part(alice, &[total(P0, 4, 6)]).await;
    assert_eq!(scenario.read(alice).await.age, None, "nor does a part");
    assert!(
        scenario.read(bob).await.age.is_some(),
        "others are still known"
    );
    scenario.reconcile_whole(alice, &[total(P0, 4, 6)]).await;
    let refreshed = scenario.read(alice).await;
    assert!(refreshed.age.is_some());
    assert_eq!(refreshed.tally.votes, 6);
    Ok(())
}

pub(super) async fn only_a_candidate_without_pending_votes_is_evicted(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let Scenario { alice, bob, .. } = &scenario;
    let known = [
        whole(alice, &[total(P0, 30, 4), total(P1, 1, 1)]),
        whole(bob, &[total(P0, 1, 4)]),
    ];
    scenario.reconcile(&known).await;
    scenario
        .record(&[pending(P0, 4, &[(alice, 7)]), pending(P0, 6, &[(alice, 2)])])
        .await;
    let before = scenario.read(alice).await.tally;

    scenario.harness.save_memory().await?;
    let with_pending_votes = scenario.read(alice).await;
    assert_eq!(with_pending_votes.tally, before);
    assert!(with_pending_votes.age.is_some(), "it is known as a whole");
    let without = scenario.read(bob).await;
    assert!(
        without.age.is_some() || without.tally.votes <= 1,
        "known, or a miss"
    );
    Ok(())
}

pub(super) async fn applied_totals_come_without_pending_votes(scenario: Scenario<'_>) {
    let Scenario { alice, bob, .. } = &scenario;
    let stranger = scenario.fixtures.candidate("stranger");
    scenario
        .record(&[
            pending(P0, 9, &[(alice, 5), (bob, 6)]),
            pending(P1, 2, &[(alice, 7)]),
        ])
        .await;
    scenario.reconcile_part(alice, &[total(P1, 3, 1)]).await;
    scenario.reconcile_part(alice, &[total(P0, 20, 4)]).await;
    scenario
        .reconcile_whole(alice, &[total(P0, 30, 7), total(P1, 2, 1)])
        .await;
    scenario.reconcile_part(alice, &[total(P0, 25, 6)]).await;
    let candidates = [stranger, alice.clone(), bob.clone()];
    let reconciled = scenario.counter.applied_totals(&candidates);
    assert_eq!(
        reconciled
            .await
            .expect("the counter reads its applied totals"),
        [vec![], vec![total(P0, 30, 7), total(P1, 3, 1)], vec![]]
    );
}
