//! A consumer without new votes, or with a port that stays broken.

mod world;

use std::{sync::Arc, time::Duration};

use cast_core::{
    Cast, Roles,
    domain::{Clock as _, Offset, Partition},
    ports::{PendingVotes, PortErrorKind, VoteCounter as _, VoteStore as _},
};
use cast_testkit::{
    faults::{Counts, Fault, FaultPlan, Operation},
    fixtures,
};
use tokio_util::sync::CancellationToken;
use world::{World, candidate, id};

const P0: Partition = Partition::new(0);
const P1: Partition = Partition::new(1);
const SOON: Duration = Duration::from_secs(20);

async fn append(world: &World, partition: Partition, number: u128, name: &str) {
    let ballot = fixtures::ballot(id(number), &[(&candidate(name), 1)]);
    world.append(partition, vec![ballot]).await;
}

async fn stored(world: &World, name: &str) -> u64 {
    let tallies = world.store.tallies(&[candidate(name)]).await;
    tallies.expect("tallies")[0].tally().votes
}

/// Waits for `votes` in the store while the clock advances.
async fn until_stored(world: &World, name: &str, votes: u64) {
    cast_testkit::eventually(SOON, format!("{votes} for {name}"), async || {
        world.clock.advance(Duration::from_millis(100));
        (stored(world, name).await == votes).then_some(())
    })
    .await;
}

/// A CAST that only folds, over ports that fail as `plan` says.
async fn folding(world: &World, plan: &Arc<FaultPlan>) -> Cast {
    let roles = Roles {
        api: false,
        generator: false,
        consumers: 1,
    };
    let cast = Cast::builder(world.ports().intercepted(plan), world.keys.clone());
    let cast = cast.settings(world.settings.clone()).roles(roles);
    cast.start().await.expect("started")
}

#[tokio::test]
async fn a_store_that_is_restored_while_there_are_no_votes_is_folded_again() {
    let world = World::new(2);
    let quiet = FaultPlan::quiet(world.clock.clone());
    let backup = world.store.snapshot();
    let cast = folding(&world, &quiet).await;
    append(&world, P0, 1, "alice").await;
    append(&world, P1, 2, "alice").await;
    until_stored(&world, "alice", 2).await;
    world.store.restore(backup);
    until_stored(&world, "alice", 2).await;
    // As a consumer that never folded anything itself does.
    cast.shutdown().await;
    let backup = world.store.snapshot();
    append(&world, P0, 3, "alice").await;
    world.drain().await;
    let cast = folding(&world, &quiet).await;
    world.clock.until_sleepers(1).await;
    world.store.restore(backup);
    until_stored(&world, "alice", 3).await;
    cast.shutdown().await;
}

/// The look at the first partition finds it out, and the look at the second fails.
#[tokio::test]
async fn a_store_that_is_restored_and_then_fails_is_folded_again() {
    let world = World::new(2);
    let plan = FaultPlan::quiet(world.clock.clone());
    let backup = world.store.snapshot();
    let cast = folding(&world, &plan).await;
    append(&world, P0, 1, "alice").await;
    append(&world, P1, 2, "alice").await;
    until_stored(&world, "alice", 2).await;
    world.store.restore(backup);
    plan.next(Operation::Progress, Fault::None);
    plan.next(Operation::Progress, Fault::Refused);
    until_stored(&world, "alice", 2).await;
    cast.shutdown().await;
}

#[tokio::test]
async fn a_partition_that_is_refused_holds_no_other_up_and_the_process_is_not_ready() {
    let world = World::new(2);
    // The store comes from another log: it is further on than this one's partition 0.
    append(&world, P0, 1, "elsewhere").await;
    append(&world, P0, 2, "elsewhere").await;
    world.drain().await;
    let (elsewhere, world) = (world.store, World::new(2));
    let world = World {
        store: elsewhere,
        ..world
    };
    let cast = folding(&world, &FaultPlan::quiet(world.clock.clone())).await;
    for number in 3..13 {
        append(&world, P1, number, "alice").await;
    }
    until_stored(&world, "alice", 10).await;
    let checks = cast.readiness().await;
    let fold = checks.iter().find(|check| check.name == "fold");
    let fold = fold.expect("there is a consumer");
    assert!(fold.needed);
    let fault = fold.result.as_ref().expect_err("a partition is not folded");
    let error = fault.port_error().expect("of the log");
    assert_eq!(error.kind(), PortErrorKind::Misconfigured);
    cast.shutdown().await;
}

#[tokio::test]
async fn a_consumer_is_ready_again_after_a_fault_without_new_votes() {
    let world = World::new(1);
    let plan = FaultPlan::quiet(world.clock.clone());
    plan.next(Operation::Subscribe, Fault::Refused);
    let cast = folding(&world, &plan).await;
    let is_ready = async || {
        let checks = cast.readiness().await;
        checks.iter().all(|check| check.result.is_ok())
    };
    cast_testkit::eventually(SOON, "the refusal", async || {
        (!is_ready().await).then_some(())
    })
    .await;
    cast_testkit::eventually(SOON, "readiness", async || {
        world.clock.advance(Duration::from_millis(100));
        is_ready().await.then_some(())
    })
    .await;
    cast.shutdown().await;
}

#[tokio::test]
async fn what_could_not_be_reconciled_is_reconciled_when_the_counter_is_back_and_leaves_no_tail() {
    let world = World::new(1);
    let position = cast_core::domain::LogPosition {
        partition: P0,
        offset: Offset::START,
    };
    let votes = vec![(candidate("alice"), 1)];
    let pending = PendingVotes { position, votes };
    world
        .counter
        .record(&[pending], &[])
        .await
        .expect("recorded");
    let plan = FaultPlan::quiet(world.clock.clone());
    plan.next(Operation::Reconcile, Fault::Refused);
    let cast = folding(&world, &plan).await;
    append(&world, P0, 1, "alice").await;
    until_stored(&world, "alice", 1).await;
    cast_testkit::eventually(SOON, "a reconciled alice", async || {
        world.clock.advance(Duration::from_millis(100));
        let reconciled = world.counter.applied_totals(&[candidate("alice")]).await;
        let applied_totals = reconciled.expect("an answer").remove(0);
        applied_totals
            .iter()
            .any(|total| total.as_of == Offset::new(1))
            .then_some(())
    })
    .await;
    cast.shutdown().await;
}

#[tokio::test]
async fn a_store_that_does_not_answer_holds_no_drain_up() {
    let world = World::new(1);
    append(&world, P0, 1, "alice").await;
    let plan = FaultPlan::quiet(world.clock.clone());
    plan.always(Operation::Apply, Fault::LostNoReply);
    let ports = world.ports().intercepted(&plan);
    let consumer = cast_core::Consumer::new(&ports, world.settings.fold.clone());
    let stop = CancellationToken::new();
    let run = tokio::spawn(consumer.run(stop.clone()));
    cast_testkit::eventually(SOON, "an apply", async || {
        let fired = plan.injected_in_all(Fault::LostNoReply);
        (fired > 0).then_some(())
    })
    .await;
    stop.cancel();
    // Its deadline is far longer than a drain may take.
    let grace = world.settings.fold.reconcile_deadline;
    assert!(world.settings.fold.apply_deadline > grace * 10);
    world.clock.until_sleepers(1).await;
    let stopped = cast_testkit::eventually(SOON, "the end of the consumer", async || {
        tokio::task::yield_now().await;
        let passed = world.clock.advance_to_next_sleeper(grace);
        (run.is_finished() || passed.is_none() && run.is_finished()).then_some(())
    });
    stopped.await;
    run.await.expect("no panic");
    assert!(
        world.now().since(cast_testkit::ManualClock::START) <= grace * 3,
        "it did not wait for the store"
    );
}

#[tokio::test]
async fn a_store_that_takes_longer_than_it_is_to_the_next_look_is_resumed_from() {
    let world = World::new(2);
    append(&world, P0, 1, "alice").await;
    append(&world, P1, 2, "alice").await;
    let plan = FaultPlan::quiet(world.clock.clone());
    let slow = world.settings.fold.progress_interval * 3;
    plan.always(Operation::Progress, Fault::Delayed(slow));
    let cast = folding(&world, &plan).await;
    until_stored(&world, "alice", 2).await;
    cast.shutdown().await;
}

/// Each look takes long enough for some batches of the other partition to come.
#[tokio::test]
async fn a_slow_look_that_batches_come_in_between_is_looked_to_its_end() {
    let world = World::new(2);
    let plan = FaultPlan::quiet(world.clock.clone());
    let cast = folding(&world, &plan).await;
    append(&world, P1, 1, "alice").await;
    until_stored(&world, "alice", 1).await;
    plan.always(Operation::Progress, Fault::Delayed(SECOND));
    // All later votes are in partition 0.
    world
        .store
        .restore(cast_adapters::memory::MemoryStore::new().snapshot());
    let ballots = std::cell::Cell::new(2);
    cast_testkit::eventually(SOON, "alice again", async || {
        append(&world, P0, ballots.replace(ballots.get() + 1), "bob").await;
        world.clock.advance(Duration::from_millis(100));
        (stored(&world, "alice").await == 1).then_some(())
    })
    .await;
    cast.shutdown().await;
}

#[tokio::test]
async fn a_look_that_the_store_does_not_answer_holds_no_drain_up() {
    let world = World::new(1);
    append(&world, P0, 1, "alice").await;
    let plan = FaultPlan::quiet(world.clock.clone());
    let ports = world.ports().intercepted(&plan);
    let consumer = cast_core::Consumer::new(&ports, world.settings.fold.clone());
    let stop = CancellationToken::new();
    let run = tokio::spawn(consumer.run(stop.clone()));
    until_stored(&world, "alice", 1).await;
    plan.always(Operation::Progress, Fault::LostNoReply);
    cast_testkit::eventually(SOON, "a look", async || {
        world.clock.advance(Duration::from_millis(100));
        (plan.injected_in_all(Fault::LostNoReply) > 0).then_some(())
    })
    .await;
    stop.cancel();
    // No time passes.
    let stopped = cast_testkit::within(SOON, "the end of the consumer", run).await;
    stopped.expect("no panic");
}

/// How long a consumer stays in its group when every reading fails.
async fn joined_again_after(world: &World, plan: &Arc<FaultPlan>) -> Duration {
    let counts = Counts::new();
    let ports = world.ports().intercepted(&counts).intercepted(plan);
    let mut settings = world.settings.fold.clone();
    (settings.min_backoff, settings.max_backoff) = (10 * SECOND, 10 * SECOND);
    settings.join_deadline = 30 * SECOND;
    let consumer = cast_core::Consumer::new(&ports, settings);
    let run = tokio::spawn(consumer.run(CancellationToken::new()));
    while world.clock.monotonic() < 100 * SECOND {
        world.clock.until_sleepers(1).await;
        if counts.calls(Operation::Subscribe) > 1 {
            break;
        }
        world.clock.advance_to_next_sleeper(100 * SECOND);
    }
    run.abort();
    world.clock.monotonic()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_log_that_cannot_be_read_is_joined_again_after_a_pause_and_one_that_refuses_after_many() {
    let world = World::new(1);
    let plan = FaultPlan::quiet(world.clock.clone());
    plan.always(Operation::Next, Fault::Refused);
    assert_eq!(joined_again_after(&world, &plan).await, 10 * SECOND);

    // The store is further on than the log, which says so each time.
    let world = World::new(1);
    let elsewhere = fixtures::step(P0, (0, 2), []);
    world.store.apply(&elsewhere).await.expect("applied");
    let quiet = FaultPlan::quiet(world.clock.clone());
    // Refused for as long as joining may take, and a pause after that.
    assert_eq!(joined_again_after(&world, &quiet).await, (30 + 10) * SECOND);
}

/// Lets the consumer look at the store again, so many times.
async fn look_again(world: &World, times: usize) {
    for _ in 0..times {
        world.clock.until_sleepers(1).await;
        world.clock.advance(world.settings.fold.progress_interval);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_reconciliation_that_succeeds_on_retry_is_not_repeated() {
    let world = World::new(1);
    let (plan, counts) = (FaultPlan::quiet(world.clock.clone()), Counts::new());
    let ports = world.ports().intercepted(&counts).intercepted(&plan);
    plan.next(Operation::Reconcile, Fault::Refused);
    append(&world, P0, 1, "alice").await;
    let consumer = cast_core::Consumer::new(&ports, world.settings.fold.clone());
    let run = tokio::spawn(consumer.run(CancellationToken::new()));
    look_again(&world, 3).await;
    assert_eq!(world.counted("alice").await, 1);
    assert_eq!(
        counts.calls(Operation::Reconcile),
        1,
        "the one that was not refused"
    );
    look_again(&world, 3).await;
    assert_eq!(counts.calls(Operation::Reconcile), 1);
    run.abort();
}

#[tokio::test]
async fn who_is_given_no_partition_any_more_does_not_ask_the_store_about_it() {
    let world = World::new(1);
    let (plan, counts) = (FaultPlan::quiet(world.clock.clone()), Counts::new());
    let ports = world.ports().intercepted(&counts).intercepted(&plan);
    append(&world, P0, 1, "alice").await;
    let consumer = cast_core::Consumer::new(&ports, world.settings.fold.clone());
    let run = tokio::spawn(consumer.run(CancellationToken::new()));
    look_again(&world, 2).await;
    assert_eq!(stored(&world, "alice").await, 1);
    assert!(
        counts.calls(Operation::Progress) > 1,
        "it has the partition"
    );
    // Another one waits for it, and is given it when the first leaves for a moment.
    let heir = world.consumer().subscribe().await.expect("subscribed");
    plan.next(Operation::Next, Fault::Refused);
    // The wait that is under way ends with a batch; the next one is refused.
    append(&world, P0, 2, "alice").await;
    look_again(&world, 2).await;
    assert_eq!(counts.calls(Operation::Subscribe), 2, "it is back");
    counts.reset();
    look_again(&world, 3).await;
    assert_eq!(counts.calls(Operation::Progress), 0);
    run.abort();
    heir.close().await.expect("closed");
}

#[tokio::test]
async fn failed_reconciliations_are_kept_up_to_a_limit() {
    const LIMIT: u64 = 65_536;
    let world = World::new(1);
    let (plan, counts) = (FaultPlan::quiet(world.clock.clone()), Counts::new());
    let ports = world.ports().intercepted(&counts).intercepted(&plan);
    let one_more = u128::from(LIMIT) + 1;
    let ballots = (0..one_more).step_by(16).map(|first| {
        let names = (first..one_more.min(first + 16)).map(|n| candidate(&format!("c{n}")));
        let votes: Vec<_> = names.map(|name| (name, 1)).collect();
        let votes: Vec<_> = votes.iter().map(|(name, votes)| (name, *votes)).collect();
        fixtures::ballot(id(first + 1), &votes)
    });
    world.append(P0, ballots.collect()).await;
    plan.always(Operation::Reconcile, Fault::Refused);
    let consumer = cast_core::Consumer::new(&ports, world.settings.fold.clone());
    let mut log = consumer.subscribe().await.expect("subscribed");
    consumer.step(&mut *log).await.expect("folded");
    log.close().await.expect("closed");
    plan.clear();
    let run = tokio::spawn(consumer.run(CancellationToken::new()));
    let rounds = usize::try_from(LIMIT / 1_000).expect("it fits") + 3;
    look_again(&world, rounds).await;
    assert_eq!(counts.items(Operation::Reconcile), LIMIT);
    run.abort();
}
