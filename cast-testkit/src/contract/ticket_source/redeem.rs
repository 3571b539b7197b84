//! Redeem, and loss.

use std::{sync::Arc, time::Duration};

use cast_core::domain::Redemption;

use super::{
    super::RACERS, EXHAUSTED, EXPIRED, GRANTED, REPEATED, Skipped, Stage, TicketSourceHarness,
    UNKNOWN, count,
};
use crate::waiting::{dropped_after, race};

pub(super) async fn uses_are_granted_in_order_as_many_as_are_left(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(5).await;
    let claims = stage.fixtures.claims(7);
    assert_eq!(stage.redeem(&issued, &claims[..2]).await, [GRANTED; 2]);
    let answers = stage.redeem(&issued, &claims[2..]).await;
    assert_eq!(answers, [GRANTED, GRANTED, GRANTED, EXHAUSTED, EXHAUSTED]);
    Ok(())
}

pub(super) async fn racing_grants_add_up_to_the_limit(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let other = harness.open().await;
    for limit in [37, 100] {
        let start = stage.now().await.plus(Duration::from_millis(1));
        stage.until(start).await;
        let issued = stage.issue_now(limit).await;
        let answers = race(RACERS, |racer| {
            let source = Arc::clone(if racer % 2 == 0 {
                &stage.source
            } else {
                &other
            });
            let claims: Vec<_> = (0..4)
                .map(|_| stage.fixtures.claims(1 + racer % 3))
                .collect();
            async move {
                let mut answers = Vec::new();
                for claims in claims {
                    let redeemed = source.redeem(&issued.genuine, &claims).await;
                    answers.extend(redeemed.expect("the source answers a redemption"));
                }
                answers
            }
        })
        .await
        .concat();
        assert!(
            answers.len() > limit as usize,
            "the race asks for more than there is"
        );
        assert_eq!(count(&answers, GRANTED), limit as usize, "of {limit} uses");
        assert_eq!(count(&answers, EXHAUSTED), answers.len() - limit as usize);
    }
    Ok(())
}

pub(super) async fn a_ticket_never_published_is_unknown(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let unpublished = stage.issue(stage.now().await, 100, 3);
    assert_eq!(
        stage.redeem_one(&unpublished).await,
        UNKNOWN,
        "in an empty source"
    );
    stage.issue_now(3).await;
    assert_eq!(
        stage.redeem_one(&unpublished).await,
        UNKNOWN,
        "beside another ticket"
    );
    Ok(())
}

pub(super) async fn a_ticket_whose_period_has_not_begun_is_unknown(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let claims = stage.fixtures.claims(3);
    let look = async |early| stage.redeem(&early, &claims).await;
    let (early, answers) = stage.ahead_of_its_period(100, look).await;
    assert_eq!(answers, [UNKNOWN; 3]);
    if harness.time_stands_still() {
        stage
            .until(early.period.valid_from().minus(Duration::from_millis(1)))
            .await;
        assert_eq!(
            stage.redeem_one(&early).await,
            UNKNOWN,
            "until its very start"
        );
    }
    stage.until(early.period.valid_from()).await;
    assert_eq!(
        stage.uses_left().await,
        3,
        "too early a redemption took no use"
    );
    Ok(())
}

pub(super) async fn a_ticket_is_expired_from_its_end_on(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue(stage.now().await, 2, 9);
    stage.publish(&issued).await;
    let claim = stage.fixtures.claim();
    assert_eq!(stage.redeem(&issued, &[claim]).await, [GRANTED]);

    let end = issued.period.valid_until;
    if harness.time_stands_still() {
        stage.until(end.minus(Duration::from_millis(1))).await;
        assert_eq!(
            stage.redeem_one(&issued).await,
            GRANTED,
            "until its very end"
        );
    }
    stage.until(end).await;
    assert_eq!(stage.redeem_one(&issued).await, EXPIRED);
    let altered = stage.fixtures.altered(claim);
    assert_eq!(
        stage.redeem(&issued, &[claim, altered]).await,
        [EXPIRED; 2],
        "repeated ids too"
    );
    Ok(())
}

pub(super) async fn a_ticket_long_past_is_never_granted(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue(stage.now().await, 1, 9);
    stage.publish(&issued).await;
    let claims = stage.fixtures.claims(2);
    stage.redeem(&issued, &claims[..1]).await;

    for _ in 0..3 {
        stage.until(stage.now().await.plus(stage.periods(4))).await;
        let answers = stage.redeem(&issued, &claims).await;
        assert!(
            answers
                .iter()
                .all(|answer| [EXPIRED, UNKNOWN].contains(answer)),
            "{answers:?}"
        );
        // Other tickets come and go; they are what makes a source tidy up.
        stage.issue_now(1).await;
    }
    Ok(())
}

pub(super) async fn what_was_refused_is_not_remembered(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let [exhausted, unknown, early, expired] = *stage.fixtures.claims(4) else {
        unreachable!("four claims were asked for")
    };
    let (spent, past) = (
        stage.issue(stage.now().await, 1, 0),
        stage.issue_now(1).await,
    );
    assert_eq!(stage.redeem(&spent, &[unknown]).await, [UNKNOWN]);
    stage.redeem(&past, &stage.fixtures.claims(1)).await;
    assert_eq!(stage.redeem(&past, &[exhausted]).await, [EXHAUSTED]);
    let look = async |ticket| stage.redeem(&ticket, &[early]).await;
    assert_eq!(stage.ahead_of_its_period(1, look).await.1, [UNKNOWN]);
    let short = stage.issue(stage.now().await.plus(Duration::from_millis(1)), 1, 1);
    stage.publish(&short).await;
    stage.until(short.period.valid_until).await;
    assert_eq!(stage.redeem(&short, &[expired]).await, [EXPIRED]);

    stage.until(stage.now().await.plus(stage.periods(2))).await;
    let good = stage.issue_now(9).await;
    let answers = stage
        .redeem(&good, &[exhausted, unknown, early, expired])
        .await;
    assert_eq!(answers, [GRANTED; 4]);
    Ok(())
}

pub(super) async fn no_claims_no_answers_no_effect(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(2).await;
    let unpublished = stage.issue(stage.now().await, 100, 3);
    assert_eq!(stage.redeem(&issued, &[]).await, []);
    assert_eq!(stage.redeem(&unpublished, &[]).await, []);
    assert_eq!(stage.uses_left().await, 2);
    assert_eq!(stage.redeem_one(&unpublished).await, UNKNOWN);
    Ok(())
}

pub(super) async fn a_ticket_whose_meter_was_lost_is_unknown(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(5).await;
    let claims = stage.fixtures.claims(4);
    stage.redeem(&issued, &claims[..2]).await;

    harness.lose_meters().await?;
    assert_eq!(stage.redeem(&issued, &claims[2..]).await, [UNKNOWN; 2]);
    let again = stage.redeem(&issued, &claims[..2]).await;
    assert_eq!(count(&again, GRANTED), 0, "{again:?}");
    assert_eq!(
        stage.redeem(&issued, &claims[2..]).await,
        [UNKNOWN; 2],
        "and it stays so"
    );
    Ok(())
}

pub(super) async fn a_new_ticket_after_a_loss_lets_voters_go_on(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let lost = stage.issue_now(5).await;
    stage.redeem(&lost, &stage.fixtures.claims(2)).await;
    harness.lose_meters().await?;

    let new = stage.issue(lost.period.valid_from(), 100, 3);
    assert_eq!(stage.publish(&new).await, new.period);
    assert_eq!(stage.current_id().await, Some(new.period.ticket));
    let answers = stage.redeem(&new, &stage.fixtures.claims(4)).await;
    assert_eq!(answers, [GRANTED, GRANTED, GRANTED, EXHAUSTED]);
    assert_eq!(
        stage.redeem_one(&lost).await,
        UNKNOWN,
        "the lost one stays lost"
    );
    Ok(())
}

pub(super) async fn a_dropped_redemption_happened_as_a_whole_or_not_at_all(
    harness: &dyn TicketSourceHarness,
) -> Result<(), Skipped> {
    let stage = Stage::set(harness).await;
    let issued = stage.issue_now(1_000).await;
    let mut taken = 0;
    for polls in 0..6 {
        let claims = stage.fixtures.claims(5);
        let redeeming = stage.source.redeem(&issued.genuine, &claims);
        drop(dropped_after(polls, redeeming).await);
        let answers: Vec<Redemption> = stage.redeem(&issued, &claims).await;
        assert!(
            [[GRANTED; 5], [REPEATED; 5]]
                .iter()
                .any(|whole| answers == whole),
            "after {polls} polls: {answers:?}"
        );
        taken += 5;
    }
    assert_eq!(stage.uses_left().await, 1_000 - taken);
    Ok(())
}
