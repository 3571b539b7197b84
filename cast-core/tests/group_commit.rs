//! Group commit: one flush for all that wait, exact for each of them.

mod world;

use std::{collections::BTreeSet, sync::Arc};

use cast_core::{
    Cast,
    domain::{BallotId, Outcome, Partitions, Refusal},
    ports::{Call, EventBus as _, Interceptor, Reply},
};
use cast_testkit::{
    faults::{Counts, Fault, FaultPlan, Gate, Moment, Operation},
    race,
};
use world::{World, ballot, current, receipt, refusal, votes_of};

/// Has `count` ballots gather behind one flush that is held, lets them go, and returns the answers.
async fn flushed_together(cast: &Cast, gate: &Gate, count: usize) -> Vec<Outcome> {
    let ticket = current(cast).await;
    gate.close(Operation::Redeem, Moment::Before);
    let vote = |name: &'static str| {
        let cast = cast.clone();
        tokio::spawn(async move { cast.vote(ballot(ticket, name, 1)).await })
    };
    let first = vote("first");
    gate.until_waiting(Operation::Redeem, Moment::Before, 1)
        .await;
    let votes: Vec<_> = (0..count).map(|_| vote("alice")).collect();
    tokio::task::yield_now().await;
    gate.open(Operation::Redeem, Moment::Before);
    first.await.expect("no panic").expect("an answer");
    let mut outcomes = Vec::new();
    for vote in votes {
        outcomes.push(vote.await.expect("no panic").expect("an answer"));
    }
    outcomes
}

async fn one_slot(partitions: u32) -> (World, Arc<Gate>, Arc<Counts>, Cast) {
    let mut world = World::new(partitions);
    world.settings.ingest.flushes_in_flight = 1;
    let (gate, counts) = (Gate::new(), Counts::new());
    let ports = world.ports().intercepted(&counts).intercepted(&gate);
    let cast = world.api_over(ports).await;
    (world, gate, counts, cast)
}

#[tokio::test]
async fn what_waits_goes_together_as_one_call_of_each_port_and_one_record() {
    let (world, gate, counts, cast) = one_slot(5).await;
    let outcomes = flushed_together(&cast, &gate, 50).await;
    assert_eq!(outcomes.len(), 50);
    for operation in [Operation::Redeem, Operation::Publish, Operation::Record] {
        assert_eq!(
            counts.calls(operation),
            2,
            "{operation}: the first ballot, and the rest"
        );
    }
    let lag = world
        .bus
        .lag(&world.settings.fold.group)
        .await
        .expect("a lag");
    assert_eq!(
        lag.iter().map(|p| p.end.get()).sum::<u64>(),
        2,
        "two records"
    );
}

/// On a runtime that runs next whom a task has just woken, as the server's does.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ballots_that_come_at_once_share_a_flush_although_a_slot_is_free() {
    let (_world, _gate, counts, cast) = one_slot(1).await;
    let ticket = current(&cast).await;
    let voters = tokio::spawn(async move {
        let vote = || {
            let cast = cast.clone();
            tokio::spawn(async move { cast.vote(ballot(ticket, "alice", 1)).await })
        };
        (0..64).map(|_| vote()).collect::<Vec<_>>()
    });
    for vote in voters.await.expect("no panic") {
        receipt(vote.await.expect("no panic").expect("an answer"));
    }
    let flushes = counts.calls(Operation::Publish);
    assert!(flushes <= 8, "64 ballots in {flushes} flushes");
}

/// On a runtime that runs ready tasks in turn: the intake, then the second voter, then the
/// intake again.
#[tokio::test]
async fn a_ballot_that_comes_right_behind_another_shares_its_flush() {
    let (_world, _gate, counts, cast) = one_slot(1).await;
    let ticket = current(&cast).await;
    let vote = || {
        let cast = cast.clone();
        async move { cast.vote(ballot(ticket, "alice", 1)).await }
    };
    receipt(vote().await.expect("an answer"));
    counts.reset();
    let right_behind = async { tokio::spawn(vote()).await.expect("no panic") };
    let (first, second) = tokio::join!(vote(), right_behind);
    for answer in [first, second] {
        receipt(answer.expect("an answer"));
    }
    assert_eq!(counts.calls(Operation::Publish), 1);
}

#[tokio::test]
async fn a_flush_of_more_than_a_record_takes_is_several_records_of_one_call() {
    let (mut world, _, _, _) = one_slot(1).await;
    world.settings.tickets.uses = 2_000;
    world.settings.ingest.flush_limit = 1_000;
    world.tickets.forget();
    let (gate, counts) = (Gate::new(), Counts::new());
    let ports = world.ports().intercepted(&counts).intercepted(&gate);
    let cast = world.api_over(ports).await;
    let outcomes = flushed_together(&cast, &gate, 1_000).await;
    let shown: Vec<u64> = outcomes
        .into_iter()
        .map(|outcome| receipt(outcome).tallies[0].votes)
        .collect();
    assert_eq!(shown, (1..=1_000).collect::<Vec<u64>>());
    assert_eq!(
        counts.calls(Operation::Publish),
        2,
        "the first, and the rest"
    );
    assert_eq!(world.behind().await, 3, "the first, 512, and 488");
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 1_000);
}

#[tokio::test]
async fn each_voter_is_shown_the_tally_after_their_own_ballot() {
    let (_world, gate, _, cast) = one_slot(1).await;
    let outcomes = flushed_together(&cast, &gate, 50).await;
    let shown: Vec<u64> = outcomes
        .into_iter()
        .map(|outcome| receipt(outcome).tallies[0].votes)
        .collect();
    assert_eq!(shown, (1..=50).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_flush_takes_no_more_ballots_than_its_limit() {
    let (mut world, gate, counts, _) = one_slot(1).await;
    world.settings.ingest.flush_limit = 10;
    let ports = world.ports().intercepted(&counts).intercepted(&gate);
    let cast = world.api_over(ports).await;
    counts.reset();
    flushed_together(&cast, &gate, 11).await;
    let flushes = counts.calls(Operation::Redeem);
    assert_eq!(flushes, 3, "the first ballot, ten, and the last");
}

#[tokio::test]
async fn no_more_flushes_are_under_way_than_there_are_slots() {
    let mut world = World::new(1);
    world.settings.ingest.flushes_in_flight = 2;
    let gate = Gate::new();
    let cast = world.api_over(world.ports().intercepted(&gate)).await;
    let ticket = current(&cast).await;
    gate.close(Operation::Redeem, Moment::Before);
    let mut votes = Vec::new();
    for under_way in [1, 2, 2, 2] {
        let cast = cast.clone();
        let vote = async move { cast.vote(ballot(ticket, "alice", 1)).await };
        votes.push(tokio::spawn(vote));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.waiting(Operation::Redeem, Moment::Before), under_way);
    }
    gate.open(Operation::Redeem, Moment::Before);
    for vote in votes {
        receipt(vote.await.expect("no panic").expect("an answer"));
    }
}

/// What is sent again is in the tallies already: showing the others must not take it out of them.
#[tokio::test]
async fn a_repeated_ballot_in_a_flush_does_not_change_what_the_others_are_shown() {
    let (_world, gate, _, cast) = one_slot(1).await;
    let ticket = current(&cast).await;
    let again = ballot(ticket, "alice", 5).with_id(world::id(1));
    receipt(cast.vote(again.clone()).await.expect("an answer"));
    gate.close(Operation::Redeem, Moment::Before);
    let vote = |ballot| {
        let cast = cast.clone();
        tokio::spawn(async move { cast.vote(ballot).await })
    };
    let first = vote(ballot(ticket, "bob", 1));
    gate.until_waiting(Operation::Redeem, Moment::Before, 1)
        .await;
    let (fresh, again) = (vote(ballot(ticket, "alice", 1)), vote(again));
    tokio::task::yield_now().await;
    gate.open(Operation::Redeem, Moment::Before);
    let shown = async |vote: tokio::task::JoinHandle<Result<Outcome, cast_core::Fault>>| {
        receipt(vote.await.expect("no panic").expect("an answer"))
    };
    shown(first).await;
    let (fresh, again) = (shown(fresh).await, shown(again).await);
    assert_eq!((fresh.repeated, fresh.tallies[0].votes), (false, 6));
    assert_eq!((again.repeated, again.tallies[0].votes), (true, 6));
}

#[tokio::test]
async fn without_the_counter_no_tally_is_below_the_stores() {
    let mut world = World::new(1);
    world.settings.ingest.flushes_in_flight = 1;
    let (gate, plan) = (Gate::new(), FaultPlan::quiet(world.clock.clone()));
    let ports = world.ports().intercepted(&plan).intercepted(&gate);
    let cast = world.api_over(ports).await;
    flushed_together(&cast, &gate, 10).await;
    world.drain().await;
    plan.always(Operation::Record, Fault::Refused);
    for outcome in flushed_together(&cast, &gate, 10).await {
        let receipt = receipt(outcome);
        assert!(receipt.stale);
        assert_eq!(receipt.tallies[0].votes, 10);
    }
}

#[tokio::test]
async fn a_flush_that_finds_three_uses_for_five_ballots_grants_the_first_three() {
    let (mut world, _, _, _) = one_slot(1).await;
    world.settings.tickets.uses = 4;
    world.tickets.forget();
    let gate = Gate::new();
    let cast = world.api_over(world.ports().intercepted(&gate)).await;
    let outcomes = flushed_together(&cast, &gate, 5).await;
    let granted: Vec<bool> = outcomes
        .iter()
        .map(|outcome| matches!(outcome, Outcome::Accepted(_)))
        .collect();
    assert_eq!(granted, [true, true, true, false, false]);
    assert_eq!(refusal(outcomes[4].clone()), Refusal::TicketExhausted);
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 3);
}

#[tokio::test]
async fn ids_that_voters_bring_go_to_the_partition_that_is_theirs() {
    let world = World::new(4);
    let cast = world.api().await;
    let partitions = Partitions::new(4).expect("four");
    for number in 1..=40 {
        let id: BallotId = world::id(number * 7_919);
        let ticket = current(&cast).await;
        let answer = cast.vote(ballot(ticket, "alice", 1).with_id(id)).await;
        let position = receipt(answer.expect("an answer"))
            .position
            .expect("a position");
        assert_eq!(position.partition, partitions.partition_of(id));
    }
    let minted: BTreeSet<_> = {
        let mut reached = BTreeSet::new();
        for _ in 0..4 {
            let ticket = current(&cast).await;
            let answer = cast
                .vote(ballot(ticket, "bob", 1))
                .await
                .expect("an answer");
            let receipt = receipt(answer);
            let position = receipt.position.expect("a position");
            assert_eq!(position.partition, partitions.partition_of(receipt.ballot));
            reached.insert(position.partition);
        }
        reached
    };
    assert_eq!(minted.len(), 4, "flushes take the partitions in turn");
}

/// Votes from `tasks` tasks at once, over ports that answer a little later, as those behind a
/// network do; returns the calls that ports took for each ballot.
async fn calls_a_ballot(tasks: usize) -> f64 {
    const VOTES: usize = 50;
    let mut world = World::new(1);
    world.settings.tickets.uses = 1_000_000;
    let counts = Counts::new();
    let ports = world
        .ports()
        .intercepted(&counts)
        .intercepted(&Arc::new(Yielding));
    let cast = world.api_over(ports).await;
    let ticket = current(&cast).await;
    counts.reset();
    let answers = race(tasks, |_| {
        let cast = cast.clone();
        async move {
            for _ in 0..VOTES {
                receipt(
                    cast.vote(ballot(ticket, "alice", 1))
                        .await
                        .expect("an answer"),
                );
            }
        }
    });
    answers.await;
    let ballots = tasks * VOTES;
    assert_eq!(
        votes_of(&cast, "alice").await,
        u64::try_from(ballots).expect("it fits")
    );
    let operations = [Operation::Redeem, Operation::Publish, Operation::Record];
    let calls = operations
        .iter()
        .map(|operation| counts.calls(*operation))
        .sum::<u64>();
    f64::from(u32::try_from(calls).expect("it fits"))
        / f64::from(u32::try_from(ballots).expect("it fits"))
}

/// Lets other tasks run while a port is asked.
struct Yielding;

impl Interceptor for Yielding {
    async fn around<R: Reply>(&self, _: Call<'_, R>, run: impl Future<Output = R> + Send) -> R {
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
        run.await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn port_calls_a_ballot_fall_as_load_rises() {
    let alone = calls_a_ballot(1).await;
    let some = calls_a_ballot(8).await;
    let many = calls_a_ballot(64).await;
    assert!(
        (alone - 3.0).abs() < f64::EPSILON,
        "a lonely ballot is flushed alone: {alone}"
    );
    assert!(some < alone / 1.5, "{some} calls a ballot at 8 tasks");
    assert!(
        many < some / 2.0,
        "{many} calls a ballot at 64 tasks, {some} at 8"
    );
}
