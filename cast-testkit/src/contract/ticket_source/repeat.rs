//! Redeem, where a ballot id comes again.

use std::time::Duration;

use super::scenario::{ALTERED, EXHAUSTED, GRANTED, Issued, REPEATED, Scenario, count};
use crate::contract::{RACERS, race_over_two_handles};

pub(super) async fn a_repeated_id_costs_nothing_in_the_same_call(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(2).await;
    let (one, two) = (scenario.fixtures.claim(), scenario.fixtures.claim());
    let answers = scenario.redeem(&issued, &[one, one, two, one, two]).await;
    assert_eq!(answers, [GRANTED, REPEATED, GRANTED, REPEATED, REPEATED]);
    assert_eq!(scenario.uses_left().await, 0);
}

pub(super) async fn a_repeated_id_costs_nothing_in_a_later_call(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(3).await;
    let claims = scenario.fixtures.claims(2);
    scenario.redeem(&issued, &claims[..1]).await;
    assert_eq!(scenario.redeem(&issued, &claims).await, [REPEATED, GRANTED]);
    assert_eq!(scenario.redeem(&issued, &claims).await, [REPEATED; 2]);
    assert_eq!(scenario.uses_left().await, 1);
}

pub(super) async fn a_repeated_id_costs_nothing_with_a_newer_ticket(scenario: Scenario<'_>) {
    let claims = scenario.fixtures.claims(2);
    let older = scenario.issue(scenario.now().await, 1, 3);
    scenario.publish(&older).await;
    assert_eq!(scenario.redeem(&older, &claims[..1]).await, [GRANTED]);

    scenario.until(older.period.valid_until).await;
    let newer = scenario.issue_now(3).await;
    assert_eq!(scenario.redeem(&newer, &claims).await, [REPEATED, GRANTED]);
    assert_eq!(scenario.uses_left().await, 2);
}

pub(super) async fn a_repeated_id_costs_nothing_when_its_copies_race(scenario: Scenario<'_>) {
    let other = scenario.harness.open().await;
    // Copies of a ballot may race with the same ticket, and with an older and a newer one.
    let older = scenario.issue_now(1_000).await;
    scenario.pass(Duration::from_millis(1)).await;
    let newer = scenario.issue_now(1_000).await;
    for _ in 0..20 {
        let claims = scenario.fixtures.claims(2);
        let answers = race_over_two_handles(RACERS, [&scenario.source, &other], |racer, source| {
            let Issued { genuine, .. } = if racer % 3 == 0 { older } else { newer };
            let claims = claims.clone();
            async move {
                let answers = source.redeem(&genuine, &claims).await;
                answers.expect("the source answers a redemption")
            }
        })
        .await
        .concat();
        assert_eq!(
            count(&answers, GRANTED),
            claims.len(),
            "each ballot once: {answers:?}"
        );
        assert_eq!(count(&answers, REPEATED), answers.len() - claims.len());
    }
}

pub(super) async fn a_repeated_id_is_repeated_by_an_exhausted_ticket(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(2).await;
    let claims = scenario.fixtures.claims(3);
    let answers = scenario.redeem(&issued, &claims).await;
    assert_eq!(answers, [GRANTED, GRANTED, EXHAUSTED]);
    assert_eq!(
        scenario.redeem(&issued, &claims).await,
        [REPEATED, REPEATED, EXHAUSTED]
    );
}

pub(super) async fn other_contents_are_refused_as_altered(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(3).await;
    let (one, two) = (scenario.fixtures.claim(), scenario.fixtures.claim());
    let (other_one, other_two) = (
        scenario.fixtures.altered(one),
        scenario.fixtures.altered(two),
    );
    assert_eq!(
        scenario.redeem(&issued, &[one, other_one]).await,
        [GRANTED, ALTERED]
    );
    assert_eq!(
        scenario.redeem(&issued, &[other_one, two, other_two]).await,
        [ALTERED, GRANTED, ALTERED]
    );
    assert_eq!(
        scenario.redeem(&issued, &[one, two]).await,
        [REPEATED; 2],
        "the first stand"
    );
    assert_eq!(scenario.uses_left().await, 1);

    scenario.pass(Duration::from_millis(1)).await;
    let newer = scenario.issue_now(3).await;
    assert_eq!(
        scenario.redeem(&newer, &[other_two]).await,
        [ALTERED],
        "with a newer ticket too"
    );
    assert_eq!(scenario.uses_left().await, 3);
}
