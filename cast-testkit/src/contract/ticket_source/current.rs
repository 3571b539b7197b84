//! Current.

use std::time::Duration;

use super::scenario::{GRANTED, Scenario};

pub(super) async fn the_current_ticket_is_the_one_begun_last(scenario: Scenario<'_>) {
    let first = scenario.issue_now(3).await;
    let look = async |_| scenario.current_id().await;
    let (next, seen) = scenario.ahead_of_its_period(100, look).await;
    // When time was faster, tickets of the attempts before have begun since the first.
    if scenario.harness.time_stands_still() {
        assert_eq!(seen, Some(first.period.ticket));
    }
    scenario.until(next.period.valid_from()).await;
    assert_eq!(scenario.current_id().await, Some(next.period.ticket));
    // A period that began earlier does not become current by being published later.
    let late = scenario.issue(
        first.period.valid_from().plus(Duration::from_millis(1)),
        100,
        3,
    );
    scenario.publish(&late).await;
    assert_eq!(scenario.current_id().await, Some(next.period.ticket));
    assert_eq!(
        scenario.redeem_one(&first).await,
        GRANTED,
        "still valid, if not current"
    );
}

pub(super) async fn there_is_none_before_the_first_and_after_the_last(scenario: Scenario<'_>) {
    assert_eq!(scenario.current().await, None, "nothing was published");
    let look = async |_| scenario.current().await;
    let (only, shown) = scenario.ahead_of_its_period(2, look).await;
    assert_eq!(shown, None, "the first period has not begun");

    scenario.until(only.period.valid_from()).await;
    assert_eq!(scenario.current_id().await, Some(only.period.ticket));
    if scenario.harness.time_stands_still() {
        let last_moment = only.period.valid_until.minus(Duration::from_millis(1));
        scenario.until(last_moment).await;
        assert_eq!(scenario.current_id().await, Some(only.period.ticket));
    }
    scenario.until(only.period.valid_until).await;
    assert_eq!(scenario.current().await, None, "the last period has ended");
}

pub(super) async fn the_uses_left_are_the_limit_less_the_grants(scenario: Scenario<'_>) {
    let issued = scenario.issue_now(4).await;
    let shown = scenario.current().await.expect("a ticket is current");
    assert_eq!(shown.valid_until, issued.period.valid_until);
    assert_eq!(shown.uses_left, 4);

    let claims = scenario.fixtures.claims(6);
    scenario.redeem(&issued, &claims[..3]).await;
    assert_eq!(scenario.uses_left().await, 1);
    scenario.redeem(&issued, &claims[1..3]).await;
    assert_eq!(scenario.uses_left().await, 1, "repeated ids take no use");
    scenario.redeem(&issued, &claims[3..]).await;
    assert_eq!(
        scenario.uses_left().await,
        0,
        "an exhausted ticket is shown as such"
    );
}
