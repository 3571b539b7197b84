//! An API server dies on the path of a ballot.

use cast_testkit::Seed;

use crate::{
    check::{Stored, check, drained, fate, tallies},
    ledger::Told,
    program::{Client, Process},
    stack::{Deployment, Role, Stack, drain, kill, until_failpoint},
    voters::{Book, Crowd, Paper, Voter},
};

/// A server stands still at `failpoint` with one ballot in hand, and is killed there.
async fn a_server_dies_with_a_ballot(stack: &Stack, book: &Book, failpoint: &str) -> Paper {
    let doomed = stack.run_until(Role::Api, failpoint).await;
    let ballot = Paper::one("lonely");
    let door = doomed.client();
    let mut voter = Voter::new("lonely", Seed::random(), book);
    let voting = async { voter.vote_once(&door, "lonely", &ballot).await };
    let (told, ()) = tokio::join!(voting, dies_at_failpoint(doomed));
    assert!(matches!(told, Told::Unknown(_)), "{told:?}");
    ballot
}

async fn dies_at_failpoint(process: Process) {
    until_failpoint(&process).await;
    kill(process).await;
}

/// The voter sends it again at another server: a repeated id, counted once.
async fn again(door: &Client, book: &Book, ballot: &Paper) {
    let mut voter = Voter::new("lonely", Seed::random(), book);
    let told = voter.again(door, "lonely", ballot).await;
    assert_eq!(told, Told::Duplicate);
}

async fn lonely_in_store(stack: &Stack) -> Option<u64> {
    Stored::read(stack).await.votes.get("lonely").copied()
}

/// The same under load: voters at a server that dies there and at another that goes on.
async fn under_load(stack: &Stack, deployment: Deployment, book: &Book, failpoint: &str) {
    let doomed = stack.run_until(Role::Api, &format!("{failpoint}:20")).await;
    let doors = deployment.doors();
    book.set_doors([doors.clone(), vec![doomed.client()]].concat());
    let mut crowd = Crowd::gather(Seed::from_env_or_random(), book, 12);
    dies_at_failpoint(doomed).await;
    crowd.until_acknowledged(60).await;
    crowd.stop().await;
    book.set_doors(doors.clone());
    check(stack, book, &doors).await;
    let in_the_dark = book.ledger().told(Told::leaves_in_the_dark);
    assert!(in_the_dark > 1, "nobody was at the server that died");
    deployment.drain().await;
}

/// Tickets that last, so that what is left of one can be told.
async fn stack_with_a_lasting_ticket() -> Option<Stack> {
    let mut stack = Stack::start().await?;
    stack.set("CAST_TICKET_PERIOD", "1h");
    stack.set("CAST_TICKET_TTL", "2h");
    stack.set("CAST_TICKET_USES", "100000");
    Some(stack)
}

async fn uses_left(door: &Client) -> u64 {
    let data = door.data("{ cas { remainingUsage } }", serde_json::Value::Null);
    data.await["cas"]["remainingUsage"].as_u64().unwrap()
}

#[tokio::test]
async fn after_redeem_before_publish_a_use_is_wasted_and_nothing_counts() {
    let Some(stack) = stack_with_a_lasting_ticket().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 2).await;
    let doors = deployment.doors();
    let book = Book::new(doors.clone());
    let before = uses_left(&doors[0]).await;
    let ballot = a_server_dies_with_a_ballot(&stack, &book, "after-tickets.redeem").await;
    assert_eq!(uses_left(&doors[0]).await, before - 1, "a wasted use");
    drained(&stack, &book).await;
    assert_eq!(lonely_in_store(&stack).await, None, "no vote");
    assert_eq!(fate(&doors[0], ballot.id.unwrap()).await, None);

    let before = uses_left(&doors[0]).await;
    again(&doors[1], &book, &ballot).await;
    assert_eq!(uses_left(&doors[0]).await, before, "a repeated id is free");
    drained(&stack, &book).await;
    assert_eq!(lonely_in_store(&stack).await, Some(1));
    under_load(&stack, deployment, &book, "after-tickets.redeem").await;
}

#[tokio::test]
async fn after_publish_before_record_the_tally_shows_the_ballot_when_it_reconciles() {
    let Some(stack) = stack_with_a_lasting_ticket().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 2).await;
    let doors = deployment.doors();
    let book = Book::new(doors.clone());
    // While nobody folds, nothing reconciles.
    let Deployment {
        generator,
        consumer,
        apis,
    } = deployment;
    drain(consumer).await;
    let ballot = a_server_dies_with_a_ballot(&stack, &book, "after-bus.publish").await;
    let names = ["lonely".to_owned()];
    assert_eq!(tallies(&doors[0], &names).await[0].1, 0, "not recorded");
    assert_eq!(lonely_in_store(&stack).await, None);
    let consumer = stack.run(Role::Consumer).await;
    drained(&stack, &book).await;
    assert_eq!(
        lonely_in_store(&stack).await,
        Some(1),
        "logged, so it counts"
    );
    crate::stack::until("the reconciled ballot", async || {
        (tallies(&doors[0], &names).await[0].1 == 1).then_some(())
    })
    .await;

    again(&doors[1], &book, &ballot).await;
    let deployment = Deployment {
        generator,
        consumer,
        apis,
    };
    under_load(&stack, deployment, &book, "after-bus.publish").await;
}

#[tokio::test]
async fn after_publish_before_reply_the_retry_at_another_server_is_counted_once() {
    let Some(stack) = stack_with_a_lasting_ticket().await else {
        return;
    };
    let deployment = Deployment::start(&stack, 2).await;
    let doors = deployment.doors();
    let book = Book::new(doors.clone());
    let ballot = a_server_dies_with_a_ballot(&stack, &book, "after-counter.record").await;
    again(&doors[1], &book, &ballot).await;
    again(&doors[0], &book, &ballot).await;
    drained(&stack, &book).await;
    assert_eq!(lonely_in_store(&stack).await, Some(1));
    under_load(&stack, deployment, &book, "after-counter.record").await;
}
