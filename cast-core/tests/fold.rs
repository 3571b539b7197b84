//! The fold: it is exact with redeliveries, restored backups, races, and ballots that cannot be stored.

mod world;

use std::{sync::Arc, time::Duration};

use cast_adapters::memory::StoreOptions;
use cast_core::{
    Consumer,
    domain::{Fate, LogPosition, LoggedBallot, MAX_REASON_BYTES, Offset, Partition, Rejection},
    ports::{PendingVotes, PortErrorKind, VoteCounter as _, VoteStore as _},
};
use cast_testkit::{
    faults::{Counts, Fault, FaultPlan, Operation},
    fixtures,
};
use tokio_util::sync::CancellationToken;
use tracing::Level;
use world::{World, candidate, id, log::Log, tally_of, votes_of};

const P0: Partition = Partition::new(0);

fn gives(number: u128, name: &str, votes: u32) -> LoggedBallot {
    fixtures::ballot(id(number), &[(&candidate(name), votes)])
}

#[tokio::test]
async fn what_is_folded_is_reconciled_and_committed() {
    let world = World::new(1);
    world
        .append(P0, vec![gives(1, "alice", 2), gives(2, "bob", 3)])
        .await;
    world.append(P0, vec![gives(3, "alice", 4)]).await;
    world.drain().await;
    assert_eq!(
        [world.stored("alice").await, world.stored("bob").await],
        [6, 3]
    );
    assert_eq!(
        [world.counted("alice").await, world.counted("bob").await],
        [6, 3]
    );
    assert_eq!(world.behind().await, 0);
}

#[tokio::test]
async fn a_repeated_ballot_counts_once_in_a_record_and_over_records() {
    let world = World::new(1);
    world
        .append(P0, vec![gives(1, "alice", 2), gives(1, "alice", 2)])
        .await;
    world.append(P0, vec![gives(1, "alice", 2)]).await;
    world.drain().await;
    assert_eq!(world.stored("alice").await, 2);
}

#[tokio::test]
async fn a_reason_that_a_store_might_not_hold_is_made_fit_for_it() {
    let world = World::new(1);
    let hostile = format!("\0{}\0", "\u{1f5f3}".repeat(100_000));
    let appended = world.bus.append_unreadable(P0, *b"\0", hostile);
    appended.expect("appended");
    world.append(P0, vec![gives(1, "alice", 1)]).await;
    world.drain().await;
    assert_eq!(world.stored("alice").await, 1);
    let rejections = world.store.rejections();
    let [(_, rejection)] = &rejections[..] else {
        panic!("{rejections:?}");
    };
    let reason = rejection.reason();
    assert!(reason.starts_with("\u{fffd}\u{1f5f3}"), "{reason}");
    assert!(!reason.contains(char::is_control) && reason.len() <= MAX_REASON_BYTES);
}

#[tokio::test]
async fn a_consumer_resumes_where_the_store_is_whatever_was_committed() {
    let world = World::new(1);
    for number in 1..=4 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    world.drain().await;
    let backup = world.store.snapshot();
    for number in 5..=9 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    world.drain().await;
    assert_eq!(world.stored("alice").await, 9);

    // A new consumer asks the store, which has forgotten five ballots; the group's commit says 9.
    world.store.restore(backup);
    world.append(P0, vec![gives(10, "alice", 1)]).await;
    world.drain().await;
    assert_eq!(world.stored("alice").await, 10);
}

#[tokio::test]
async fn a_store_that_is_restored_under_a_running_consumer_is_folded_again() {
    let world = World::new(1);
    let consumer = world.consumer();
    let mut log = consumer.subscribe().await.expect("subscribed");
    let backup = world.store.snapshot();
    for number in 1..=5 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    world.drain_with(&consumer, &mut *log).await;
    world.store.restore(backup);

    world.append(P0, vec![gives(6, "alice", 1)]).await;
    let until = Offset::new(6);
    while world.store.progress(P0).await.expect("progress").next < until {
        consumer.step(&mut *log).await.expect("folded");
    }
    assert_eq!(world.stored("alice").await, 6);
}

#[tokio::test]
async fn a_step_that_the_store_refuses_is_read_again_by_the_next() {
    let world = World::new(1);
    world.append(P0, vec![gives(1, "alice", 1)]).await;
    let (plan, counts) = (FaultPlan::quiet(world.clock.clone()), Counts::new());
    let ports = world.ports().intercepted(&counts).intercepted(&plan);
    let consumer = Consumer::new(&ports, world.settings.fold.clone());
    let mut log = consumer.subscribe().await.expect("subscribed");
    plan.next(Operation::Apply, Fault::Refused);
    let error = consumer.step(&mut *log).await.expect_err("refused");
    assert_eq!(error.kind(), PortErrorKind::Unavailable);
    assert_eq!(
        counts.calls(Operation::DryRun),
        0,
        "nothing is at fault in it"
    );
    consumer.step(&mut *log).await.expect("folded");
    assert_eq!(world.stored("alice").await, 1);
}

#[tokio::test]
async fn a_new_consumer_reads_from_where_the_store_is_and_not_what_is_gone() {
    let world = World::retaining(1, 1);
    for number in 1..=5 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    world.drain().await;
    world.append(P0, vec![gives(6, "alice", 1)]).await;
    world.drain().await;
    assert_eq!(world.stored("alice").await, 6);
}

#[tokio::test]
async fn where_nothing_is_rejected_the_store_is_not_read_for_the_tallies() {
    let world = World::new(1);
    world.append(P0, vec![gives(1, "alice", 1)]).await;
    let counts = Counts::new();
    let ports = world.ports().intercepted(&counts);
    let consumer = Consumer::new(&ports, world.settings.fold.clone());
    let mut log = consumer.subscribe().await.expect("subscribed");
    consumer.step(&mut *log).await.expect("folded");
    assert_eq!(counts.calls(Operation::Tallies), 0);
}

#[tokio::test]
async fn a_store_that_fails_is_asked_less_and_less_often_and_anew_after_a_success() {
    let world = World::new(1);
    let plan = FaultPlan::quiet(world.clock.clone());
    plan.always(Operation::Apply, Fault::Refused);
    let ports = world.ports().intercepted(&plan);
    let consumer = Consumer::new(&ports, world.settings.fold.clone());
    let _running = tokio::spawn(consumer.run(CancellationToken::new()));
    let refused = || plan.injected_in_all(Fault::Refused);
    let mut refusals = 0;
    let mut pause = async || {
        refusals += 1;
        let failed = async || (refused() == refusals).then_some(());
        cast_testkit::eventually(Duration::from_secs(10), "a refusal", failed).await;
        let pause = world.clock.advance_to_next_sleeper(Duration::MAX);
        pause.expect("it sleeps").as_millis()
    };
    for (number, expected) in [(1, [50, 100, 200]), (2, [50, 100, 200])] {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
        let pauses = [pause().await, pause().await, pause().await];
        assert_eq!(pauses, expected);
        plan.clear();
        let folded = async || (world.behind().await == 0).then_some(());
        cast_testkit::eventually(Duration::from_secs(10), "the fold", folded).await;
        plan.always(Operation::Apply, Fault::Refused);
    }
}

/// Unavailable is not corrupt: what could not be looked at is not thrown away.
#[tokio::test]
async fn a_store_that_goes_away_while_a_record_is_narrowed_rejects_nothing_that_it_could_hold() {
    let world = World::with_store(
        1,
        StoreOptions {
            largest_total: 10,
            ..StoreOptions::default()
        },
    );
    let ballots = [(1, "alice"), (2, "greedy"), (3, "bob")];
    let gives = |(number, name)| gives(number, name, if name == "greedy" { 11 } else { 1 });
    world.append(P0, ballots.map(gives).into()).await;
    let plan = FaultPlan::quiet(world.clock.clone());
    let ports = world.ports().intercepted(&plan);
    let consumer = Consumer::new(&ports, world.settings.fold.clone());
    let mut log = consumer.subscribe().await.expect("subscribed");
    plan.next(Operation::DryRun, Fault::Refused);
    let error = consumer.step(&mut *log).await.expect_err("refused");
    assert_eq!(error.kind(), PortErrorKind::Unavailable);
    assert_eq!(world.store.rejections(), []);
    consumer.step(&mut *log).await.expect("folded");
    let rejected: Vec<_> = world.store.rejections().into_iter().collect();
    assert!(
        matches!(&rejected[..], [(_, r)] if r.ballot() == Some(id(2))),
        "{rejected:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_rejected_and_the_rest_counts() {
    // One thread, so that all that is logged goes to the log of the test.
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    let world = World::new(1);
    world.append(P0, vec![gives(1, "alice", 1)]).await;
    world
        .bus
        .append_unreadable(P0, *b"not a record", "it is no record")
        .expect("appended");
    world.append(P0, vec![gives(2, "alice", 1)]).await;
    world.drain().await;
    assert_eq!(world.stored("alice").await, 2);
    let rejections = world.store.rejections();
    assert_eq!(rejections.len(), 1);
    assert_eq!(rejections[0].1.reason(), "it is no record");
    assert_eq!(rejections[0].1.offset(), Offset::new(1));
    let line = "at=0@1 ballot=None reason=\"it is no record\"";
    assert_eq!(log.count(Level::ERROR, line), 1, "{:?}", log.lines());
}

#[tokio::test]
async fn a_ballot_that_cannot_be_held_is_narrowed_down_to_and_the_rest_counts() {
    let world = World::with_store(
        1,
        StoreOptions {
            largest_total: 1_000,
            ..StoreOptions::default()
        },
    );
    for record in 0..8 {
        let ballots = (0..8).map(|n| match (record, n) {
            (5, 3) => gives(53, "greedy", 2_000),
            _ => gives(record * 100 + n + 1_000, "alice", 1),
        });
        world.append(P0, ballots.collect()).await;
    }
    // The vote service has recorded the record, with the ballot that the store cannot hold.
    let position = LogPosition {
        partition: P0,
        offset: Offset::new(5),
    };
    let votes = vec![(candidate("greedy"), 2_000)];
    let pending = PendingVotes { position, votes };
    world
        .counter
        .record(&[pending], &[])
        .await
        .expect("recorded");
    world.drain().await;
    assert_eq!(
        world.counted("greedy").await,
        0,
        "its pending votes are reconciled"
    );
    assert_eq!(world.stored("alice").await, 63);
    assert_eq!(world.stored("greedy").await, 0);
    let rejections = world.store.rejections();
    assert!(
        matches!(&rejections[..], [(_, Rejection::Ballot { positioned, .. })]
            if positioned.ballot.id == id(53) && positioned.offset == Offset::new(5)),
        "{rejections:?}"
    );
    let fate = world.store.ballot(id(53)).await.expect("a fate");
    assert!(matches!(fate, Some(Fate::Rejected { .. })), "{fate:?}");
}

#[tokio::test]
async fn ballots_that_are_too_many_only_together_are_rejected_from_the_first_that_does_not_fit() {
    let world = World::with_store(
        1,
        StoreOptions {
            largest_total: 10,
            ..StoreOptions::default()
        },
    );
    let ballots = (1..=6).map(|number| gives(number, "alice", 3)).collect();
    world.append(P0, ballots).await;
    world.drain().await;
    assert_eq!(world.stored("alice").await, 9);
    let rejected: Vec<_> = world
        .store
        .rejections()
        .iter()
        .filter_map(|(_, r)| r.ballot())
        .collect();
    assert_eq!(rejected, [id(4), id(5), id(6)]);
}

#[tokio::test]
async fn a_lost_reconciliation_is_repaired_when_the_old_tally_is_refreshed() {
    let world = World::new(1);
    let cast = world.api().await;
    world.append(P0, vec![gives(1, "alice", 1)]).await;
    world.drain().await;
    assert_eq!(votes_of(&cast, "alice").await, 1);

    // Folded by a consumer that died before it could reconcile; there are no more votes for alice.
    world.append(P0, vec![gives(2, "alice", 1)]).await;
    let elsewhere = cast_adapters::memory::MemoryCounter::new(world.clock.clone());
    let mut ports = world.ports();
    ports.counter = Arc::new(elsewhere);
    let consumer = Consumer::new(&ports, world.settings.fold.clone());
    let mut log = consumer.subscribe().await.expect("subscribed");
    world.drain_with(&consumer, &mut *log).await;
    assert_eq!(
        votes_of(&cast, "alice").await,
        1,
        "the counter has not heard of it"
    );

    world.clock.advance(world.settings.tallies.refresh_after);
    cast_testkit::eventually(Duration::from_secs(10), "alice is refreshed", async || {
        (votes_of(&cast, "alice").await == 2).then_some(())
    })
    .await;
    assert_eq!(tally_of(&cast, "alice").await.version.get(), 2);
}

#[tokio::test]
async fn a_running_consumer_gets_over_every_fault_of_the_log_and_the_store() {
    for operation in [
        Operation::Subscribe,
        Operation::Next,
        Operation::Progress,
        Operation::Apply,
    ] {
        for fault in [
            Fault::Refused,
            Fault::Lost,
            Fault::DoneOutcomeUnknown,
            Fault::LostNoReply,
            Fault::DoneNoReply,
        ] {
            // Waiting for the next batch has no end of its own: silence is what it is made of.
            let is_silent = matches!(fault, Fault::LostNoReply | Fault::DoneNoReply);
            if operation == Operation::Next && is_silent {
                continue;
            }
            assert_eq!(
                folded_by_a_run(operation, fault).await,
                6,
                "{operation}: {fault:?}"
            );
        }
    }
}

/// What is stored of six votes when a consumer runs that meets a fault, and stops when it has them.
async fn folded_by_a_run(operation: Operation, fault: Fault) -> u64 {
    let world = World::new(1);
    for number in 1..=3 {
        world.append(P0, vec![gives(number, "alice", 2)]).await;
    }
    let plan = FaultPlan::quiet(world.clock.clone());
    plan.next(operation, fault);
    let ports = world.ports().intercepted(&plan);
    let consumer = Consumer::new(&ports, world.settings.fold.clone());
    let stop = CancellationToken::new();
    let run = tokio::spawn(consumer.run(stop.clone()));
    let what = format!("{operation}: {fault:?}");
    cast_testkit::eventually(Duration::from_secs(20), what, async || {
        world.clock.advance(Duration::from_millis(100));
        (world.stored("alice").await == 6 && world.behind().await == 0).then_some(())
    })
    .await;
    stop.cancel();
    let stopped = cast_testkit::within(Duration::from_secs(20), "it stops", run);
    stopped.await.expect("no panic");
    world.stored("alice").await
}
