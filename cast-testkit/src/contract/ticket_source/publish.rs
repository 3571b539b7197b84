//! Publish.

use std::sync::Arc;

use super::{EXHAUSTED, GRANTED, Skipped, Stage, TicketSourceHarness, UNKNOWN};
use crate::waiting::race;

pub(super) async fn the_first_ticket_of_a_period_wins(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let first = stage.issue(stage.now().await, 100, 3);
    let second = stage.issue(first.period.valid_from(), 200, 7);

    assert_eq!(stage.publish(&first).await, first.period);
    assert_eq!(
        stage.publish(&second).await,
        first.period,
        "it is told of the first"
    );
    assert_eq!(stage.current_id().await, Some(first.period.ticket));
    assert_eq!(stage.uses_left().await, 3);
    assert_eq!(stage.redeem_one(&second).await, UNKNOWN);
    assert_eq!(stage.redeem_one(&first).await, GRANTED);
    Ok(())
}

pub(super) async fn generators_that_race_agree_on_one_ticket(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let other = harness.open().await;
    for _ in 0..5 {
        // Each period begins where another has not: a millisecond is enough.
        stage
            .until(stage.now().await.plus(std::time::Duration::from_millis(1)))
            .await;
        let start = stage.now().await;
        let published = race(super::super::RACERS, |racer| {
            let source = Arc::clone(if racer % 2 == 0 {
                &stage.source
            } else {
                &other
            });
            let ticket = stage.issue(start, 100, 5).period;
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
        assert_eq!(stage.current_id().await, Some(published[0].ticket));
    }
    Ok(())
}

pub(super) async fn publishing_again_gives_back_no_uses(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(3).await;
    stage.redeem(&issued, &stage.fixtures.claims(2)).await;

    assert_eq!(stage.publish(&issued).await, issued.period);
    assert_eq!(stage.uses_left().await, 1);
    // Nor does it change the terms of a ticket that is out.
    let mut generous = issued;
    generous.period.use_limit = 9;
    assert_eq!(stage.publish(&generous).await, issued.period);
    assert_eq!(stage.uses_left().await, 1);
    let answers = stage.redeem(&issued, &stage.fixtures.claims(2)).await;
    assert_eq!(answers, [GRANTED, EXHAUSTED]);
    Ok(())
}

pub(super) async fn a_ticket_published_early_waits_for_its_period(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let look = async |early| (stage.current().await, stage.redeem_one(&early).await);
    let (early, (shown, redeemed)) = stage.ahead_of_its_period(100, look).await;
    assert_eq!(shown, None, "a ticket is shown before its period");
    assert_eq!(redeemed, UNKNOWN, "a ticket is redeemed before its period");

    stage.until(early.period.valid_from()).await;
    assert_eq!(stage.current_id().await, Some(early.period.ticket));
    assert_eq!(stage.redeem_one(&early).await, GRANTED);
    Ok(())
}

pub(super) async fn a_ticket_whose_end_has_passed_is_not_kept(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let start = stage.now().await;
    stage.until(start.plus(stage.periods(1))).await;

    let over = stage.issue(start, 1, 3);
    assert_eq!(
        stage.publish(&over).await,
        over.period,
        "its period has none"
    );
    assert_eq!(stage.current().await, None);
    assert_ne!(stage.redeem_one(&over).await, GRANTED);
    // It was not kept, so that it cannot win its period either.
    let good = stage.issue(start, 100, 3);
    assert_eq!(stage.publish(&good).await, good.period);
    assert_eq!(stage.redeem_one(&good).await, GRANTED);
    Ok(())
}
