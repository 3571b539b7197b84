//! Redeem, and loss.

use std::time::Duration;

use cast_core::domain::Redemption;

use super::scenario::{EXHAUSTED, EXPIRED, GRANTED, REPEATED, Scenario, UNKNOWN, count};
use crate::contract::{RACERS, Skipped, race_over_two_handles};
use crate::waiting::dropped_after;

pub(super) async fn uses_are_granted_in_order_as_many_as_are_left(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(5).await;
    let claims = scenario.fixtures.claims(7);
    assert_eq!(scenario.redeem(&issued, &claims[..2]).await, [GRANTED; 2]);
    let answers = scenario.redeem(&issued, &claims[2..]).await;
    assert_eq!(answers, [GRANTED, GRANTED, GRANTED, EXHAUSTED, EXHAUSTED]);
}

pub(super) async fn racing_grants_add_up_to_the_limit(scenario: Scenario<'_>) {
    let other = scenario.harness.open().await;
    for limit in [37, 100] {
        let start = scenario.now().await.plus(Duration::from_millis(1));
        scenario.until(start).await;
        let issued = scenario.issue_now(limit).await;
        let answers = race_over_two_handles(RACERS, [&scenario.source, &other], |racer, source| {
            let claims: Vec<_> = (0..4)
                .map(|_| scenario.fixtures.claims(1 + racer % 3))
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
}

pub(super) async fn a_ticket_never_published_is_unknown(scenario: Scenario<'_>) {
    let unpublished = scenario.issue(scenario.now().await, 100, 3);
    assert_eq!(
        scenario.redeem_one(&unpublished).await,
        UNKNOWN,
        "in an empty source"
    );
    scenario.issue_now(3).await;
    assert_eq!(
        scenario.redeem_one(&unpublished).await,
        UNKNOWN,
        "beside another ticket"
    );
}

pub(super) async fn a_ticket_whose_period_has_not_begun_is_unknown(scenario: Scenario<'_>) {
    let claims = scenario.fixtures.claims(3);
    let look = async |early| scenario.redeem(&early, &claims).await;
    let (early, answers) = scenario.ahead_of_its_period(100, look).await;
    assert_eq!(answers, [UNKNOWN; 3]);
    if scenario.harness.time_stands_still() {
        scenario
            .until(early.period.valid_from().minus(Duration::from_millis(1)))
            .await;
        assert_eq!(
            scenario.redeem_one(&early).await,
            UNKNOWN,
            "until its very start"
        );
    }
    scenario.until(early.period.valid_from()).await;
    assert_eq!(
        scenario.uses_left().await,
        3,
        "too early a redemption took no use"
    );
}

pub(super) async fn a_ticket_is_expired_from_its_end_on(scenario: Scenario<'_>) {
    let issued = scenario.issue(scenario.now().await, 2, 9);
    scenario.publish(&issued).await;
    let claim = scenario.fixtures.claim();
    assert_eq!(scenario.redeem(&issued, &[claim]).await, [GRANTED]);

    let end = issued.period.valid_until;
    if scenario.harness.time_stands_still() {
        scenario.until(end.minus(Duration::from_millis(1))).await;
        assert_eq!(
            scenario.redeem_one(&issued).await,
            GRANTED,
            "until its very end"
        );
    }
    scenario.until(end).await;
    assert_eq!(scenario.redeem_one(&issued).await, EXPIRED);
    let altered = scenario.fixtures.altered(claim);
    assert_eq!(
        scenario.redeem(&issued, &[claim, altered]).await,
        [EXPIRED; 2],
        "repeated ids too"
    );
}

pub(super) async fn a_ticket_long_past_is_never_granted(scenario: Scenario<'_>) {
    let issued = scenario.issue(scenario.now().await, 1, 9);
    scenario.publish(&issued).await;
    let claims = scenario.fixtures.claims(2);
    scenario.redeem(&issued, &claims[..1]).await;

    for _ in 0..3 {
        scenario.pass(scenario.periods(4)).await;
        let answers = scenario.redeem(&issued, &claims).await;
        assert!(
            answers
                .iter()
                .all(|answer| [EXPIRED, UNKNOWN].contains(answer)),
            "{answers:?}"
        );
        // Other tickets come and go; they are what makes a source tidy up.
        scenario.issue_now(1).await;
    }
}

pub(super) async fn what_was_refused_is_not_remembered(scenario: Scenario<'_>) {
    let [exhausted, unknown, early, expired] = *scenario.fixtures.claims(4) else {
        unreachable!("four claims were asked for")
    };
    let (spent, past) = (
        scenario.issue(scenario.now().await, 1, 0),
        scenario.issue_now(1).await,
    );
    assert_eq!(scenario.redeem(&spent, &[unknown]).await, [UNKNOWN]);
    scenario.redeem(&past, &scenario.fixtures.claims(1)).await;
    assert_eq!(scenario.redeem(&past, &[exhausted]).await, [EXHAUSTED]);
    let look = async |ticket| scenario.redeem(&ticket, &[early]).await;
    assert_eq!(scenario.ahead_of_its_period(1, look).await.1, [UNKNOWN]);
    let short = scenario.issue(scenario.now().await.plus(Duration::from_millis(1)), 1, 1);
    scenario.publish(&short).await;
    scenario.until(short.period.valid_until).await;
    assert_eq!(scenario.redeem(&short, &[expired]).await, [EXPIRED]);

    scenario.pass(scenario.periods(2)).await;
    let good = scenario.issue_now(9).await;
    let answers = scenario
        .redeem(&good, &[exhausted, unknown, early, expired])
        .await;
    assert_eq!(answers, [GRANTED; 4]);
}

pub(super) async fn no_claims_no_answers_no_effect(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(2).await;
    let unpublished = scenario.issue(scenario.now().await, 100, 3);
    assert_eq!(scenario.redeem(&issued, &[]).await, []);
    assert_eq!(scenario.redeem(&unpublished, &[]).await, []);
    assert_eq!(scenario.uses_left().await, 2);
    assert_eq!(scenario.redeem_one(&unpublished).await, UNKNOWN);
}

pub(super) async fn a_ticket_whose_use_counter_was_lost_is_unknown(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let issued = scenario.issue_now(5).await;
    let claims = scenario.fixtures.claims(4);
    scenario.redeem(&issued, &claims[..2]).await;

    scenario.harness.lose_use_counters().await?;
    assert_eq!(scenario.redeem(&issued, &claims[2..]).await, [UNKNOWN; 2]);
    let again = scenario.redeem(&issued, &claims[..2]).await;
    assert_eq!(count(&again, GRANTED), 0, "{again:?}");
    assert_eq!(
        scenario.redeem(&issued, &claims[2..]).await,
        [UNKNOWN; 2],
        "and it stays so"
    );
    Ok(())
}

pub(super) async fn a_new_ticket_after_a_loss_lets_voters_go_on(
    scenario: Scenario<'_>,
) -> Result<(), Skipped> {
    let lost = scenario.issue_now(5).await;
    scenario.redeem(&lost, &scenario.fixtures.claims(2)).await;
    scenario.harness.lose_use_counters().await?;

    let new = scenario.issue(lost.period.valid_from(), 100, 3);
    assert_eq!(scenario.publish(&new).await, new.period);
    assert_eq!(scenario.current_id().await, Some(new.period.ticket));
    let answers = scenario.redeem(&new, &scenario.fixtures.claims(4)).await;
    assert_eq!(answers, [GRANTED, GRANTED, GRANTED, EXHAUSTED]);
    assert_eq!(
        scenario.redeem_one(&lost).await,
        UNKNOWN,
        "the lost one stays lost"
    );
    Ok(())
}

pub(super) async fn a_dropped_redemption_happened_as_a_whole_or_not_at_all(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(1_000).await;
    let mut taken = 0;
    for polls in 0..6 {
        let claims = scenario.fixtures.claims(5);
        let redeeming = scenario.source.redeem(&issued.genuine, &claims);
        drop(dropped_after(polls, redeeming).await);
        let answers: Vec<Redemption> = scenario.redeem(&issued, &claims).await;
        assert!(
            [[GRANTED; 5], [REPEATED; 5]]
                .iter()
                .any(|whole| answers == whole),
            "after {polls} polls: {answers:?}"
        );
        taken += 5;
    }
    assert_eq!(scenario.uses_left().await, 1_000 - taken);
}
