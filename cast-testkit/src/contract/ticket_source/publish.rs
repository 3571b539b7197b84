//! Publish.

use super::scenario::{EXHAUSTED, GRANTED, Scenario, UNKNOWN};
use crate::contract::{RACERS, race_over_two_handles};

pub(super) async fn the_first_ticket_of_a_period_wins(scenario: Scenario<'_>) {
    let first = scenario.issue(scenario.now().await, 100, 3);
    let second = scenario.issue(first.period.valid_from(), 200, 7);

    assert_eq!(scenario.publish(&first).await, first.period);
    assert_eq!(
        scenario.publish(&second).await,
        first.period,
        "it adopts the first"
    );
    assert_eq!(scenario.current_id().await, Some(first.period.ticket));
    assert_eq!(scenario.uses_left().await, 3);
    assert_eq!(scenario.redeem_one(&second).await, UNKNOWN);
    assert_eq!(scenario.redeem_one(&first).await, GRANTED);
}

pub(super) async fn generators_that_race_agree_on_one_ticket(scenario: Scenario<'_>) {
    let other = scenario.harness.open().await;
    for _ in 0..5 {
        // Each period begins where another has not: a millisecond is enough.
        scenario.pass(std::time::Duration::from_millis(1)).await;
        let start = scenario.now().await;
        let published = race_over_two_handles(RACERS, [&scenario.source, &other], |_, source| {
            let ticket = scenario.issue(start, 100, 5).period;
            async move {
                source
                    .publish(&ticket)
                    .await
                    .expect("the source takes a ticket")
            }
        })
        .await;
        assert!(
            published.iter().all(|adopted| *adopted == published[0]),
            "generators disagree about a period: {published:?}"
        );
        assert_eq!(scenario.current_id().await, Some(published[0].ticket));
    }
}

pub(super) async fn publishing_again_gives_back_no_uses(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(3).await;
    scenario.redeem(&issued, &scenario.fixtures.claims(2)).await;

    assert_eq!(scenario.publish(&issued).await, issued.period);
    assert_eq!(scenario.uses_left().await, 1);
    // Nor does it change the terms of a ticket that is out.
    let mut generous = issued;
    generous.period.use_limit = 9;
    assert_eq!(scenario.publish(&generous).await, issued.period);
    assert_eq!(scenario.uses_left().await, 1);
    let answers = scenario.redeem(&issued, &scenario.fixtures.claims(2)).await;
    assert_eq!(answers, [GRANTED, EXHAUSTED]);
}

pub(super) async fn a_ticket_published_early_waits_for_its_period(scenario: Scenario<'_>) {
    let look = async |early| (scenario.current().await, scenario.redeem_one(&early).await);
    let (early, (shown, redeemed)) = scenario.ahead_of_its_period(100, look).await;
    assert_eq!(shown, None, "a ticket is shown before its period");
    assert_eq!(redeemed, UNKNOWN, "a ticket is redeemed before its period");

    scenario.until(early.period.valid_from()).await;
    assert_eq!(scenario.current_id().await, Some(early.period.ticket));
    assert_eq!(scenario.redeem_one(&early).await, GRANTED);
}

pub(super) async fn a_ticket_whose_end_has_passed_is_not_kept(scenario: Scenario<'_>) {
    let start = scenario.now().await;
    scenario.until(start.plus(scenario.periods(1))).await;

    let over = scenario.issue(start, 1, 3);
    assert_eq!(
        scenario.publish(&over).await,
        over.period,
        "its period has none"
    );
    assert_eq!(scenario.current().await, None);
    assert_ne!(scenario.redeem_one(&over).await, GRANTED);
    // It was not kept, so that it cannot win its period either.
    let good = scenario.issue(start, 100, 3);
    assert_eq!(scenario.publish(&good).await, good.period);
    assert_eq!(scenario.redeem_one(&good).await, GRANTED);
}
