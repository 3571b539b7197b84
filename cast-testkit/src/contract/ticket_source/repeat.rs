//! Redeem, where a ballot id comes again.

use std::{sync::Arc, time::Duration};

use super::{
    super::RACERS, ALTERED, EXHAUSTED, GRANTED, Issued, REPEATED, Skipped, Stage,
    TicketSourceHarness, count,
};
use crate::waiting::race;

pub(super) async fn a_repeated_id_costs_nothing_in_the_same_call(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(2).await;
    let (one, two) = (stage.fixtures.claim(), stage.fixtures.claim());
    let answers = stage.redeem(&issued, &[one, one, two, one, two]).await;
    assert_eq!(answers, [GRANTED, REPEATED, GRANTED, REPEATED, REPEATED]);
    assert_eq!(stage.uses_left().await, 0);
    Ok(())
}

pub(super) async fn a_repeated_id_costs_nothing_in_a_later_call(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(3).await;
    let claims = stage.fixtures.claims(2);
    stage.redeem(&issued, &claims[..1]).await;
    assert_eq!(stage.redeem(&issued, &claims).await, [REPEATED, GRANTED]);
    assert_eq!(stage.redeem(&issued, &claims).await, [REPEATED; 2]);
    assert_eq!(stage.uses_left().await, 1);
    Ok(())
}

pub(super) async fn a_repeated_id_costs_nothing_with_a_newer_ticket(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let claims = stage.fixtures.claims(2);
    let older = stage.issue(stage.now().await, 1, 3);
    stage.publish(&older).await;
    assert_eq!(stage.redeem(&older, &claims[..1]).await, [GRANTED]);

    stage.until(older.period.valid_until).await;
    let newer = stage.issue_now(3).await;
    assert_eq!(stage.redeem(&newer, &claims).await, [REPEATED, GRANTED]);
    assert_eq!(stage.uses_left().await, 2);
    Ok(())
}

pub(super) async fn a_repeated_id_costs_nothing_when_its_copies_race(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let other = harness.open().await;
    // Copies of a ballot may race with the same ticket, and with an older and a newer one.
    let older = stage.issue_now(1_000).await;
    stage
        .until(stage.now().await.plus(Duration::from_millis(1)))
        .await;
    let newer = stage.issue_now(1_000).await;
    for _ in 0..20 {
        let claims = stage.fixtures.claims(2);
        let answers = race(RACERS, |racer| {
            let source = Arc::clone(if racer % 2 == 0 {
                &stage.source
            } else {
                &other
            });
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
    Ok(())
}

pub(super) async fn a_repeated_id_is_repeated_by_an_exhausted_ticket(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(2).await;
    let claims = stage.fixtures.claims(3);
    let answers = stage.redeem(&issued, &claims).await;
    assert_eq!(answers, [GRANTED, GRANTED, EXHAUSTED]);
    assert_eq!(
        stage.redeem(&issued, &claims).await,
        [REPEATED, REPEATED, EXHAUSTED]
    );
    Ok(())
}

pub(super) async fn other_contents_are_refused_as_altered(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(3).await;
    let (one, two) = (stage.fixtures.claim(), stage.fixtures.claim());
    let (other_one, other_two) = (stage.fixtures.altered(one), stage.fixtures.altered(two));
    assert_eq!(
        stage.redeem(&issued, &[one, other_one]).await,
        [GRANTED, ALTERED]
    );
    assert_eq!(
        stage.redeem(&issued, &[other_one, two, other_two]).await,
        [ALTERED, GRANTED, ALTERED]
    );
    assert_eq!(
        stage.redeem(&issued, &[one, two]).await,
        [REPEATED; 2],
        "the first stand"
    );
    assert_eq!(stage.uses_left().await, 1);

    stage
        .until(stage.now().await.plus(Duration::from_millis(1)))
        .await;
    let newer = stage.issue_now(3).await;
    assert_eq!(
        stage.redeem(&newer, &[other_two]).await,
        [ALTERED],
        "with a newer ticket too"
    );
    assert_eq!(stage.uses_left().await, 3);
    Ok(())
}
