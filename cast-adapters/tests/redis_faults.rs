//! Redis may vanish at any moment, whole or in part: under load no ticket buys more than its limit,
//! and the tallies heal.

#[path = "redis/breaking.rs"]
mod breaking;
#[path = "redis/load.rs"]
mod load;
mod redis;

use cast_core::{
    domain::{Redemption::Refused, RedemptionRefusal::Unknown},
    ports::{PortErrorKind, TicketSource, VoteCounter as _},
};
use cast_testkit::eventually;

use self::{
    breaking::{impatient, issue, to_break},
    load::{Load, USES},
    redis::PATIENCE,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_scripts_are_sent_again_unnoticed() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let (load, tasks) = Load::begin(4, || corner.open());
    for _ in 0..10 {
        load.more_answers().await;
        let _: String = corner.ask(&["SCRIPT", "FLUSH"]).await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    assert_eq!(load.errors(), [], "nobody noticed");
    load.tally_heals(&corner.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushed_under_load_it_exceeds_no_limit_and_heals() {
    let Some((mut server, corner)) = to_break().await else {
        return;
    };
    let (load, tasks) = Load::begin(6, || corner.open());
    for _ in 0..15 {
        load.more_answers().await;
        server.empty().await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    assert_eq!(load.errors(), [], "to lose everything is no error");
    load.tally_heals(&corner.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_keys_deleted_under_load_exceed_no_limit_and_heal() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let (load, tasks) = Load::begin(6, || corner.open());
    for round in 0..40 {
        load.more_answers().await;
        let keys = corner.keys().await;
        let _: i64 = corner.ask(&["DEL", &keys[round % keys.len()]]).await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    assert_eq!(load.errors(), []);
    load.tally_heals(&corner.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_are_replaced() {
    let Some((_server, corner)) = to_break().await else {
        return;
    };
    let (load, tasks) = Load::begin(4, || impatient(&corner, &corner.options.url));
    for _ in 0..10 {
        load.more_answers().await;
        let killed: i64 = corner.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        assert!(killed >= 4, "{killed}");
    }
    load.more_answers().await;
    load.end(tasks).await;
    let errors = load.errors();
    let honest = [PortErrorKind::OutcomeUnknown, PortErrorKind::Unavailable];
    assert!(
        errors.iter().all(|kind| honest.contains(kind)),
        "{errors:?}"
    );
    load.tally_heals(&corner.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_restarted_empty_it_goes_on_with_the_next_ticket() {
    let Some((mut server, corner)) = to_break().await else {
        return;
    };
    let redis = impatient(&corner, server.url());
    let (load, tasks) = Load::begin(4, || impatient(&corner, &corner.options.url));
    let old = issue(&redis.tickets(), &load.fixtures, USES).await;
    let old = old.expect("published");
    for _ in 0..3 {
        load.more_answers().await;
        server.kill().await;
        eventually(PATIENCE, "a dead server is unavailable", async || {
            let error = redis.ping().await.err()?;
            (error.kind() == PortErrorKind::Unavailable).then_some(())
        })
        .await;
        // So that whoever asks whether it can do its job is not told yes by nobody.
        let counter = redis.counter().read(&[]).await;
        let kind = counter.expect_err("nobody answers").kind();
        assert_eq!(kind, PortErrorKind::Unavailable);
        server.restart_empty().await;
    }
    load.more_answers().await;
    load.end(tasks).await;
    let errors = load.errors();
    let honest = [PortErrorKind::OutcomeUnknown, PortErrorKind::Unavailable];
    assert!(
        errors.iter().all(|kind| honest.contains(kind)),
        "{errors:?}"
    );
    assert!(errors.contains(&PortErrorKind::Unavailable), "{errors:?}");
    let answers = redis.tickets().redeem(&old, &load.fixtures.claims(1)).await;
    assert_eq!(answers.expect("it is back"), [Refused(Unknown)]);
    load.tally_heals(&redis.counter()).await;
}
