//! Redis may lose its data at any moment, all or in part: under load no ticket exceeds its limit,
//! and the tallies recover.

#[path = "redis/calls.rs"]
mod calls;
#[path = "redis/faults.rs"]
mod faults;
#[path = "redis/load.rs"]
mod load;
mod redis;

use cast_core::{
    domain::{Redemption::Refused, RedemptionRefusal::Unknown},
    ports::{PortErrorKind, TicketSource, VoteCounter as _},
};
use cast_testkit::{eventually, fixtures::Fixtures};

use self::{
    calls::calls_of,
    faults::{issue, private_server, with_short_timeouts},
    load::{Load, USES},
    redis::PATIENCE,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_scripts_are_sent_again_unnoticed() {
    let Some((_server, namespace)) = private_server().await else {
        return;
    };
    let (load, tasks) = Load::begin(4, || namespace.open());
    for _ in 0..10 {
        load.wait_for_answers().await;
        let _: String = namespace.ask(&["SCRIPT", "FLUSH"]).await;
    }
    load.end(tasks).await;
    assert_eq!(load.errors(), [], "the scripts were sent again");
    load.tally_recovers(&namespace.open().counter()).await;
}

/// The sources of all calls after a restart would be more than the server reads in time.
#[tokio::test]
async fn a_forgotten_script_is_sent_once_for_all_calls_of_a_pipeline() {
    let Some((_server, namespace)) = private_server().await else {
        return;
    };
    let (counter, fixtures) = (namespace.open().counter(), Fixtures::new());
    // More than one pipeline has.
    let names = (0..2_500).map(|name| fixtures.candidate(&name.to_string()));
    let candidates: Vec<_> = names.collect();
    let sources = async || calls_of(&namespace, "cmdstat_eval:").await;
    for _ in 0..2 {
        let _: String = namespace.ask(&["SCRIPT", "FLUSH"]).await;
        let before = sources().await;
        let read = counter.read(&candidates).await.expect("read");
        assert_eq!(read.len(), candidates.len());
        let sent = sources().await - before;
        assert!((1..=3).contains(&sent), "one a pipeline, and it was {sent}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flushed_under_load_it_exceeds_no_limit_and_recovers() {
    let Some((mut server, namespace)) = private_server().await else {
        return;
    };
    let (load, tasks) = Load::begin(6, || namespace.open());
    for _ in 0..15 {
        load.wait_for_answers().await;
        server.empty().await;
    }
    load.end(tasks).await;
    assert_eq!(load.errors(), [], "to lose everything is no error");
    load.tally_recovers(&namespace.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_keys_deleted_under_load_exceed_no_limit_and_recover() {
    let Some((_server, namespace)) = private_server().await else {
        return;
    };
    let (load, tasks) = Load::begin(6, || namespace.open());
    for round in 0..40 {
        load.wait_for_answers().await;
        let keys = namespace.keys().await;
        let _: i64 = namespace.ask(&["DEL", &keys[round % keys.len()]]).await;
    }
    load.end(tasks).await;
    assert_eq!(load.errors(), []);
    load.tally_recovers(&namespace.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_are_replaced() {
    let Some((_server, namespace)) = private_server().await else {
        return;
    };
    let (load, tasks) = Load::begin(4, || {
        with_short_timeouts(&namespace, &namespace.options.url)
    });
    for _ in 0..10 {
        load.wait_for_answers().await;
        let killed: i64 = namespace.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        assert!(killed >= 4, "{killed}");
    }
    load.end(tasks).await;
    load.assert_honest();
    load.tally_recovers(&namespace.open().counter()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_without_data_votes_are_accepted_with_the_next_ticket() {
    let Some((mut server, namespace)) = private_server().await else {
        return;
    };
    let redis = with_short_timeouts(&namespace, server.url());
    let (load, tasks) = Load::begin(4, || {
        with_short_timeouts(&namespace, &namespace.options.url)
    });
    let old = issue(&redis.tickets(), &load.fixtures, USES).await;
    let old = old.expect("published");
    for _ in 0..3 {
        load.wait_for_answers().await;
        server.kill().await;
        eventually(PATIENCE, "a dead server is unavailable", async || {
            let error = redis.ping().await.err()?;
            (error.kind() == PortErrorKind::Unavailable).then_some(())
        })
        .await;
        // Without candidates, a reading is a health check, which must fail too.
        let counter = redis.counter().read(&[]).await;
        let kind = counter.expect_err("no server answers").kind();
        assert_eq!(kind, PortErrorKind::Unavailable);
        server.restart_empty().await;
    }
    load.end(tasks).await;
    load.assert_honest();
    let errors = load.errors();
    assert!(errors.contains(&PortErrorKind::Unavailable), "{errors:?}");
    let answers = redis.tickets().redeem(&old, &load.fixtures.claims(1)).await;
    assert_eq!(answers.expect("it is back"), [Refused(Unknown)]);
    load.tally_recovers(&redis.counter()).await;
}
