//! Servers that are gone, and errors of theirs: defects 1, 2, 3, 11 and 14.

use cast_testkit::{Seed, servers::free_address};
use serde_json::json;

use super::{cas, lasting, publish_junk, sent, until_stored, vote, with_lasting_tickets};
use crate::{
    check::{Stored, check, drained, tallies},
    ledger::VoteResponse,
    program::Client,
    stack::{Deployment, Own, Role, Stack, until, until_ready},
    voters::{Voter, Voters},
    workload::{VoteInput, Workload},
};

/// Kafka down at first use: the vote answered success, later ones counted and hung, health stayed
/// 200.
#[tokio::test]
async fn defect_01_a_log_that_is_down_at_first_use_takes_no_vote_and_is_no_health() {
    let own = Own {
        kafka: true,
        ..Own::default()
    };
    let Some(mut stack) = Stack::start_on(own).await else {
        return;
    };
    lasting(&mut stack, 1_000);
    let _generator = stack.run(Role::Generator).await;
    stack.kafka.own().kill().await;
    // It prints no address before it is ready: it is given one.
    let address = free_address().to_string();
    let mut process = stack.launch(Role::Api, &[("CAST_LISTEN", &address)]);
    let api = Client::new(&format!("http://{address}"));
    until("its first word", async || {
        let live = api
            .http
            .get(format!("{}/livez", api.url))
            .send()
            .await
            .ok()?;
        (live.status() == 200).then_some(())
    })
    .await;
    until("what it waits for", async || {
        let said = until_ready(&api, 503).await;
        said.contains("log").then_some(())
    })
    .await;
    let refused = sent(&api, &"0".repeat(64), json!(["ada"]), json!([1])).await;
    assert_eq!(
        (refused.status, refused.code()),
        (503, "UNAVAILABLE"),
        "{refused:?}"
    );

    stack.kafka.own().restart().await;
    process.until_listening().await;
    assert_eq!(vote(&api, &[("ada", 1)]).await["code"], "ACCEPTED");
    let _consumer = stack.run(Role::Consumer).await;
    until_stored(&stack, "ada", 1).await;

    // And when it is lost later, every voter gets an error, and can vote again.
    stack.kafka.own().kill().await;
    let workload = Workload::new(vec![api.clone()]);
    let mut voter = Voter::new("late", Seed::random(), &workload);
    let ballot = VoteInput::one("bo");
    let response = voter.vote_once(&api, "late", &ballot).await;
    assert!(
        matches!(
            response,
            VoteResponse::Unknown(_) | VoteResponse::Unavailable(_)
        ),
        "{response:?}"
    );
    until_ready(&api, 503).await;
    stack.kafka.own().restart().await;
    until_ready(&api, 200).await;
    voter.again(&api, "late", &ballot).await;
    until_stored(&stack, "bo", 1).await;
}

/// Redis lost: versions began at 1 again, and the database took no newer count for good.
#[tokio::test]
async fn defect_02_a_redis_that_lost_everything_freezes_nothing() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let apis = deployment.clients();
    let workload = Workload::new(apis.clone());
    let mut voters = Voters::start(Seed::from_env_or_random(), &workload, 8);
    voters.until_acknowledged(40).await;
    let before = version(&apis[0], "ada").await;
    stack.redis.empty().await;
    voters.until_acknowledged(40).await;
    voters.stop().await;
    check(&stack, &workload, &apis).await;
    assert!(version(&apis[0], "ada").await > before);
    deployment.drain().await;
}

async fn version(api: &Client, name: &str) -> u64 {
    let query = "query($name: String!) { tally(username: $name) { version } }";
    let data = api.data(query, json!({"name": name})).await;
    data["tally"]["version"].as_u64().unwrap()
}

/// A database error was swallowed and the offset committed: the vote was gone.
#[tokio::test]
async fn defect_03_a_database_error_loses_no_vote() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let apis = deployment.clients();
    let workload = Workload::new(apis.clone());
    let mut voters = Voters::start(Seed::from_env_or_random(), &workload, 8);
    voters.until_acknowledged(20).await;
    // As a disk that is full says it.
    let broken = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS \
                  $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$; \
                  CREATE TRIGGER full_disk BEFORE INSERT ON ballots EXECUTE FUNCTION full_disk()";
    stack.database.sql(broken).await;
    voters.until_acknowledged(40).await;
    let errors = until("the consumer's word", async || {
        let said = deployment.consumer.said();
        said.contains("applying a step").then_some(said)
    });
    errors.await;
    stack.database.sql("DROP FUNCTION full_disk CASCADE").await;
    voters.until_acknowledged(20).await;
    voters.stop().await;
    check(&stack, &workload, &apis).await;
    deployment.drain().await;
}

/// A script error half way left half a vote.
#[tokio::test]
async fn defect_11_a_script_error_leaves_no_half_a_vote() {
    let Some(stack) = Stack::start().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 1).await;
    let api = &deployment.clients()[0];
    // A key of the wrong type: the script of one of the two fails.
    stack.redis.cli(["SET", "{cast:tally:bo}", "junk"]).await;
    until("an acknowledgement", async || {
        // A ticket may end in between.
        let result = vote(api, &[("ada", 1), ("bo", 2)]).await;
        (result["code"] == "ACCEPTED").then_some(())
    })
    .await;
    until_stored(&stack, "ada", 1).await;
    until_stored(&stack, "bo", 2).await;
    stack.redis.cli(["DEL", "{cast:tally:bo}"]).await;
    until("the tallies", async || {
        let shown = tallies(api, &["ada".into(), "bo".into()]).await;
        (shown == [("ada".into(), 1), ("bo".into(), 2)]).then_some(())
    })
    .await;

    // And where the ticket's script fails, there is no vote at all.
    let (ticket, _) = cas(api).await;
    stack.redis.cli(["DEL", "{cast:tickets}:uses"]).await;
    stack
        .redis
        .cli(["SET", "{cast:tickets}:uses", "junk"])
        .await;
    let reply = sent(api, &ticket, json!(["ada", "bo"]), json!([1, 1])).await;
    assert!(!reply.code().is_empty(), "{reply:?}");
    stack.redis.cli(["DEL", "{cast:tickets}:uses"]).await;
    let workload = Workload::new(deployment.clients());
    drained(&stack, &workload).await;
    let votes = Stored::read(&stack).await.votes;
    assert_eq!((votes["ada"], votes["bo"]), (1, 2));
    deployment.drain().await;
}

/// One bad message made the consumer crash, start, and crash again.
#[tokio::test]
async fn defect_14_a_record_that_cannot_be_read_stops_nothing_and_is_written_down() {
    let Some((stack, deployment)) = with_lasting_tickets(1_000, 1).await else {
        return;
    };
    let apis = deployment.clients();
    let api = &apis[0];
    assert_eq!(vote(api, &[("ada", 1)]).await["code"], "ACCEPTED");
    for partition in 0..i32::from(crate::stack::PARTITIONS) {
        publish_junk(&stack, partition).await;
    }
    let workload = Workload::new(apis.clone());
    drained(&stack, &workload).await;
    let stored = Stored::read(&stack).await;
    assert_eq!(stored.rejected, u64::from(crate::stack::PARTITIONS));
    assert_eq!(stored.votes["ada"], 1);
    let reasons = "SELECT count(*) FROM rejected WHERE bytes = 'junk' AND reason <> ''";
    assert_eq!(
        stack.database.sql(reasons).await,
        crate::stack::PARTITIONS.to_string()
    );
    deployment.drain().await;
}
