//! The procedures of docs/OPERATIONS.md, step by step.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    check::audited,
    program::{Client, run},
    rolling::{Load, Pair, no_vote_failed, until_voted},
    stack::{PARTITIONS, Role, Stack, drain, until},
    voters::ticket,
};

/// How many votes are enough to see that all is well.
const VOTES: u64 = 200;

/// Waits until tickets of a key were current for three periods in a row: whatever was issued before
/// has ended.
async fn until_issued_with(api: &Client, key: &str) {
    let mut seen = BTreeSet::new();
    until("tickets of the new key", async || {
        let current = ticket(api).await?;
        if !current.starts_with(key) {
            seen.clear();
            return None;
        }
        seen.insert(current);
        (seen.len() >= 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_replaced_in_three_steps_and_no_vote_fails() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    stack.set("CAST_TICKET_USES", "1000000");
    let old = stack.setting("CAST_TICKET_SECRET");
    let new = format!("8:{}", "0b".repeat(32));
    let (mut generators, consumer, mut apis) = tokio::join!(
        Pair::start(&stack, Role::Generator),
        stack.run(Role::Consumer),
        Pair::start(&stack, Role::Api),
    );
    let clients = apis.clients();
    let load = Load::start(&stack, &apis.addresses);
    until_issued_with(&clients[0], "07").await;
    // The new key behind the old one; in front of it; alone.
    for (ring, key) in [
        (format!("{old},{new}"), "07"),
        (format!("{new},{old}"), "08"),
        (new.clone(), "08"),
    ] {
        stack.set("CAST_TICKET_SECRET", &ring);
        apis.roll(&stack, &clients).await;
        generators.roll(&stack, &clients).await;
        until_issued_with(&clients[0], key).await;
    }
    let report = load.stop().await;
    no_vote_failed(&report);
    apis.end().await;
    generators.end().await;
    drain(consumer).await;
}

/// Votes over two servers for a while; the report.
async fn some_votes(stack: &Stack, apis: &Pair) -> Value {
    let load = Load::start(stack, &apis.addresses);
    until_voted(&apis.clients()[0], VOTES).await;
    load.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_added_while_no_votes_arrive_and_all_is_counted() {
    let Some(mut stack) = Stack::start().await else {
        return;
    };
    stack.set("CAST_TICKET_USES", "1000000");
    let (generator, consumer, apis) = tokio::join!(
        stack.run(Role::Generator),
        stack.run(Role::Consumer),
        Pair::start(&stack, Role::Api),
    );
    no_vote_failed(&some_votes(&stack, &apis).await);
    apis.end().await;
    drain(consumer).await;
    stack.grow(PARTITIONS + 2).await;

    // A process without the new setting refuses to start, and says what to do.
    for role in [Role::Api, Role::Consumer] {
        let (code, _, stderr) = run(stack.command(role.command(), &[])).await;
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.contains("partitions=5"), "{stderr}");
    }

    let before = stack.setting("CAST_BUS_URL");
    stack.set("CAST_BUS_URL", &format!("{before}?partitions=5"));
    let consumer = stack.run(Role::Consumer).await;
    let apis = Pair::start(&stack, Role::Api).await;
    no_vote_failed(&some_votes(&stack, &apis).await);
    audited(&stack).await;
    let partitions = "SELECT count(*) FROM progress WHERE next > 0";
    assert_eq!(stack.database.sql(partitions).await.trim(), "5");

    // From now on the log itself says how many there are.
    stack.set("CAST_BUS_URL", &before);
    drain(stack.run(Role::Consumer).await).await;
    apis.end().await;
    drain(consumer).await;
    drain(generator).await;
}
