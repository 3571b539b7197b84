//! An API server dies on the path of a ballot.

use cast_testkit::Seed;

use crate::{
    check::{Stored, check, drained, fate, tallies},
    ledger::VoteResponse,
    program::{Client, Process},
    stack::{Deployment, Role, Stack, drain, kill, until_failpoint},
    voters::{Voter, Voters},
    workload::{VoteInput, Workload},
};

/// A server stands still at `failpoint` with one ballot in hand, and is killed there.
async fn a_server_dies_with_a_ballot(
    stack: &Stack,
    workload: &Workload,
    failpoint: &str,
) -> VoteInput {
    let doomed = stack.run_until(Role::Api, failpoint).await;
    let ballot = VoteInput::one("lonely");
    let api = doomed.client();
    let mut voter = Voter::new("lonely", Seed::random(), workload);
    let voting = async { voter.vote_once(&api, "lonely", &ballot).await };
    let (response, ()) = tokio::join!(voting, dies_at_failpoint(doomed));
    assert!(matches!(response, VoteResponse::Unknown(_)), "{response:?}");
    ballot
}

async fn dies_at_failpoint(process: Process) {
    until_failpoint(&process).await;
    kill(process).await;
}

/// The voter sends it again at another server: a repeated id, counted once.
async fn again(api: &Client, workload: &Workload, ballot: &VoteInput) {
    let mut voter = Voter::new("lonely", Seed::random(), workload);
    let response = voter.again(api, "lonely", ballot).await;
    assert_eq!(response, VoteResponse::Duplicate);
}

async fn lonely_in_store(stack: &Stack) -> Option<u64> {
    Stored::read(stack).await.votes.get("lonely").copied()
}

/// The same under load: voters at a server that dies there and at another that goes on.
async fn under_load(stack: &Stack, deployment: Deployment, workload: &Workload, failpoint: &str) {
    let doomed = stack.run_until(Role::Api, &format!("{failpoint}:20")).await;
    let clients = deployment.clients();
    workload.set_apis([clients.clone(), vec![doomed.client()]].concat());
    let mut voters = Voters::start(Seed::from_env_or_random(), workload, 12);
    dies_at_failpoint(doomed).await;
    voters.until_acknowledged(60).await;
    voters.stop().await;
    workload.set_apis(clients.clone());
    check(stack, workload, &clients).await;
    let unknown = workload.ledger().responses(VoteResponse::is_unknown);
    assert!(unknown > 1, "no voter was at the server that died");
    deployment.drain().await;
}

/// Tickets that last, so that the uses left of one can be compared.
async fn stack_with_a_lasting_ticket() -> Option<Stack> {
    let mut stack = Stack::start().await?;
    stack.set("CAST_TICKET_PERIOD", "1h");
    stack.set("CAST_TICKET_TTL", "2h");
    stack.set("CAST_TICKET_USES", "100000");
    Some(stack)
}

async fn uses_left(api: &Client) -> u64 {
    let data = api.data("{ cas { remainingUsage } }", serde_json::Value::Null);
    data.await["cas"]["remainingUsage"].as_u64().unwrap()
}

#[tokio::test]
async fn after_redeem_before_publish_a_use_is_wasted_and_nothing_counts() {
    let Some(stack) = stack_with_a_lasting_ticket().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 2).await;
    let clients = deployment.clients();
    let workload = Workload::new(clients.clone());
    let before = uses_left(&clients[0]).await;
    let ballot = a_server_dies_with_a_ballot(&stack, &workload, "after-tickets.redeem").await;
    assert_eq!(uses_left(&clients[0]).await, before - 1, "a wasted use");
    drained(&stack, &workload).await;
    assert_eq!(lonely_in_store(&stack).await, None, "no vote");
    assert_eq!(fate(&clients[0], ballot.id.unwrap()).await, None);

    let before = uses_left(&clients[0]).await;
    again(&clients[1], &workload, &ballot).await;
    assert_eq!(
        uses_left(&clients[0]).await,
        before,
        "a repeated id is free"
    );
    drained(&stack, &workload).await;
    assert_eq!(lonely_in_store(&stack).await, Some(1));
    under_load(&stack, deployment, &workload, "after-tickets.redeem").await;
}

#[tokio::test]
async fn after_publish_before_record_the_tally_shows_the_ballot_when_it_reconciles() {
    let Some(stack) = stack_with_a_lasting_ticket().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 2).await;
    let clients = deployment.clients();
    let workload = Workload::new(clients.clone());
    // While no consumer runs, nothing reconciles.
    let Deployment {
        generator,
        consumer,
        apis,
    } = deployment;
    drain(consumer).await;
    let ballot = a_server_dies_with_a_ballot(&stack, &workload, "after-bus.publish").await;
    let names = ["lonely".to_owned()];
    assert_eq!(tallies(&clients[0], &names).await[0].1, 0, "not recorded");
    assert_eq!(lonely_in_store(&stack).await, None);
    let consumer = stack.run(Role::Consumer).await;
    drained(&stack, &workload).await;
    assert_eq!(
        lonely_in_store(&stack).await,
        Some(1),
        "logged, so it counts"
    );
    crate::stack::until("the reconciled ballot", async || {
        (tallies(&clients[0], &names).await[0].1 == 1).then_some(())
    })
    .await;

    again(&clients[1], &workload, &ballot).await;
    let deployment = Deployment {
        generator,
        consumer,
        apis,
    };
    under_load(&stack, deployment, &workload, "after-bus.publish").await;
}

#[tokio::test]
async fn after_publish_before_reply_the_retry_at_another_server_is_counted_once() {
    let Some(stack) = stack_with_a_lasting_ticket().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 2).await;
    let clients = deployment.clients();
    let workload = Workload::new(clients.clone());
    let ballot = a_server_dies_with_a_ballot(&stack, &workload, "after-counter.record").await;
    again(&clients[1], &workload, &ballot).await;
    again(&clients[0], &workload, &ballot).await;
    drained(&stack, &workload).await;
    assert_eq!(lonely_in_store(&stack).await, Some(1));
    under_load(&stack, deployment, &workload, "after-counter.record").await;
}
