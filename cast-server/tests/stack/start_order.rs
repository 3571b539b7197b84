//! Processes may be started in any order, and before the servers that they need.

use cast_testkit::{Seed, servers::free_address};

use crate::{
    check::check,
    program::{Client, Process},
    stack::{Deployment, Own, Role, Stack, until, until_logged, until_ready},
    voters::Voters,
    workload::Workload,
};

/// A process that was started too early.
async fn early(stack: &Stack, role: Role, waits_for: &str) -> (Process, Client) {
    let address = free_address().to_string();
    let process = stack.launch(role, &[("CAST_LISTEN", &address)]);
    let client = Client::new(&format!("http://{address}"));
    let live = async || {
        let reply = client
            .try_send(client.http.get(format!("{}/livez", client.url)))
            .await;
        (reply.ok()?.status == 200).then_some(())
    };
    until("life", live).await;
    until_logged(&process, waits_for).await;
    let named = async || (until_ready(&client, 503).await.lines().count() > 1).then_some(());
    until("readiness that names what is missing", named).await;
    (process, client)
}

#[tokio::test]
async fn roles_wait_for_servers_that_come_later_and_say_for_which() {
    let own = Own {
        kafka: true,
        postgres: true,
        ..Own::default()
    };
    let Some(mut stack) = Stack::start_on(own).await else {
        return;
    };
    stack.redis.kill().await;
    stack.kafka.own().kill().await;
    stack.postgres.own().kill().await;
    let mut migration = stack.launch_migration();
    let (mut generator, _) = early(&stack, Role::Generator, "waiting for a server").await;
    let (mut consumer, folds) = early(&stack, Role::Consumer, "store (").await;
    let (mut api, votes) = early(&stack, Role::Api, "waiting for a server").await;

    stack.postgres.own().restart().await;
    let log_is_missing = async || {
        let text = until_ready(&folds, 503).await;
        (text.contains("log (") && !text.contains("store (")).then_some(())
    };
    until("a store that is there", log_is_missing).await;
    stack.kafka.own().restart().await;
    let ended = migration_ended(&mut migration).await;
    assert_eq!(ended, Some(0));
    consumer.until_listening().await;
    let ticket_is_missing = async || {
        let text = until_ready(&votes, 503).await;
        text.contains("tickets (").then_some(())
    };
    until("a log that is there", ticket_is_missing).await;
    stack.redis.restart_empty().await;
    generator.until_listening().await;
    api.until_listening().await;

    let apis = vec![votes];
    let workload = Workload::new(apis.clone());
    let mut voters = Voters::start(Seed::from_env_or_random(), &workload, 6);
    voters.until_acknowledged(20).await;
    voters.stop().await;
    check(&stack, &workload, &apis).await;
    let apis = vec![api];
    let deployment = Deployment {
        generator,
        consumer,
        apis,
    };
    deployment.drain().await;
}

async fn migration_ended(migration: &mut tokio::process::Child) -> Option<i32> {
    let ended = cast_testkit::within(crate::stack::LATER, "a migration", migration.wait());
    ended.await.unwrap().code()
}
