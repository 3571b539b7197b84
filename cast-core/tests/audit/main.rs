//! The audit: it finds nothing in a CAST that is in order, whatever happened to it, and it finds what was
//! changed by hand.

mod differences;
mod errors;
#[path = "../world/mod.rs"]
mod world;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_adapters::memory::{MemoryStore, StoreOptions};
use cast_core::{
    Audit, AuditReport, AuditSettings, Finding, Ports,
    domain::{AppliedTotal, LogPosition, LoggedBallot, Offset, Partition},
    ports::{
        Applied, Checkpoint, EventBus as _, ForwardingVoteStore, GroupName, PendingVotes,
        PortError, PortErrorKind, Recount, VoteCounter as _, VoteStore,
    },
};
use cast_testkit::{
    faults::{Counts, Fault, FaultPlan, Operation},
    fixtures,
};
use world::{World, ballot, candidate, current, id, receipt};

pub(crate) const P0: Partition = Partition::new(0);
pub(crate) const P1: Partition = Partition::new(1);

pub(crate) fn gives(number: u128, name: &str, votes: u32) -> LoggedBallot {
    fixtures::ballot(id(number), &[(&candidate(name), votes)])
}

pub(crate) fn at(partition: Partition, offset: u64) -> LogPosition {
    LogPosition {
        partition,
        offset: Offset::new(offset),
    }
}

/// Three records in one partition and one in another: alice 2 + 4, bob 3, and alice 8.
pub(crate) async fn logged() -> World {
    let world = World::new(2);
    world
        .append(P0, vec![gives(1, "alice", 2), gives(2, "bob", 3)])
        .await;
    world.append(P0, vec![gives(3, "alice", 4)]).await;
    world.append(P0, vec![gives(1, "alice", 2)]).await;
    world.append(P1, vec![gives(4, "alice", 8)]).await;
    world
}

pub(crate) async fn folded() -> World {
    let world = logged().await;
    world.drain().await;
    world
}

pub(crate) async fn audit_with(
    world: &World,
    ports: Ports,
    settings: AuditSettings,
) -> Result<AuditReport, PortError> {
    let audit = tokio::spawn(async move { Audit::new(&ports, settings).run().await });
    // Every pause is one of this clock.
    let done = cast_testkit::eventually(Duration::from_secs(20), "the audit to end", async || {
        world.clock.advance(Duration::from_millis(100));
        audit.is_finished().then_some(())
    });
    done.await;
    audit.await.expect("it does not panic")
}

pub(crate) async fn audit(world: &World, ports: Ports) -> AuditReport {
    let report = audit_with(world, ports, AuditSettings::default()).await;
    report.expect("everything answers")
}

pub(crate) async fn audit_store(world: &World, store: impl VoteStore + 'static) -> Vec<Finding> {
    let mut ports = world.ports();
    ports.store = Arc::new(store);
    audit(world, ports).await.findings
}

/// Reconciles the counter as a whole with these totals: partition, votes, and the offset that they are as of.
pub(crate) async fn reconcile(world: &World, name: &str, totals: &[(Partition, u64, u64)]) {
    let total = |&(partition, votes, as_of)| AppliedTotal {
        partition,
        votes,
        as_of: Offset::new(as_of),
    };
    let checkpoint = Checkpoint {
        candidate: candidate(name),
        applied_totals: totals.iter().map(total).collect(),
        whole: true,
    };
    let reconciled = world.counter.reconcile(&[checkpoint]).await;
    reconciled.expect("reconciled");
}

/// Records pending votes in the counter.
pub(crate) async fn record(world: &World, position: LogPosition, name: &str, votes: u64) {
    let votes = vec![(candidate(name), votes)];
    let pending = PendingVotes { position, votes };
    let recorded = world.counter.record(&[pending], &[]).await;
    recorded.expect("recorded");
}

#[track_caller]
pub(crate) fn assert_clean(report: &AuditReport) {
    assert!(report.is_clean(), "{:#?}", report.findings);
}

/// A partition, the end of its step, and ballots with their offsets.
pub(crate) type Part<'a> = (Partition, u64, &'a [(u64, LoggedBallot)]);

/// A store with these ballots, whatever the log has.
pub(crate) async fn filled(parts: &[Part<'_>]) -> MemoryStore {
    let store = MemoryStore::new();
    for (partition, next, ballots) in parts {
        let step = fixtures::step(*partition, (0, *next), ballots.iter().cloned());
        let applied = store.apply(&step).await.expect("applied");
        assert!(matches!(applied, Applied::Folded { .. }));
    }
    store
}
#[tokio::test]
async fn nothing_is_found_in_an_empty_cast() {
    let world = World::new(2);
    let report = audit(&world, world.ports()).await;
    assert_clean(&report);
    assert_eq!((report.ballots, report.candidates), (0, 0));
    assert_eq!(report.partitions.len(), 2);
}

#[tokio::test]
async fn nothing_is_found_after_votes_retries_and_rejections() {
    let world = World::with_store(
        2,
        StoreOptions {
            largest_total: 1_000,
            ..StoreOptions::default()
        },
    );
    let cast = world.api().await;
    for votes in 1..=20 {
        let ballot = ballot(current(&cast).await, "alice", votes);
        receipt(cast.vote(ballot).await.expect("an answer"));
    }
    // A retry over two tickets, one of its copies beside another ballot of the same id.
    let again = ballot(current(&cast).await, "bob", 5).with_id(id(77));
    receipt(cast.vote(again.clone()).await.expect("an answer"));
    world.clock.advance(Duration::from_secs(2));
    world.generator().tick().await.expect("published");
    let again = ballot(current(&cast).await, "bob", 5).with_id(id(77));
    assert!(receipt(cast.vote(again).await.expect("an answer")).repeated);
    world
        .append(P1, vec![gives(8, "bob", 1), gives(8, "bob", 2)])
        .await;
    world
        .append(P0, vec![gives(9, "greedy", 2_000), gives(10, "carol", 1)])
        .await;
    for _ in 0..2 {
        world.append(P0, vec![gives(9, "greedy", 2_000)]).await;
    }
    world
        .bus
        .append_unreadable(P0, *b"not a record", "it is no record")
        .expect("appended");
    world.drain().await;
    let report = audit(&world, world.ports()).await;
    assert_clean(&report);
    assert_eq!((report.ballots, report.candidates), (23, 3));
    assert_eq!(
        [report.repeated, report.rejected, report.unreadable],
        [2 + 2, 1, 1],
        "{report:#?}"
    );
}

#[tokio::test]
async fn nothing_is_found_while_consumers_lag_and_tallies_are_misses() {
    let world = folded().await;
    let cast = world.api().await;
    for name in ["alice", "dora"] {
        let ballot = ballot(current(&cast).await, name, 7);
        receipt(cast.vote(ballot).await.expect("an answer"));
    }
    let report = audit(&world, world.ports()).await;
    assert_clean(&report);
    assert!(report.partitions.iter().any(|p| p.progress < p.end));
    assert_eq!((report.counter.missed, report.counter.behind), (1, 0));
    world.counter.forget();
    let report = audit(&world, world.ports()).await;
    assert_clean(&report);
    let counter = report.counter;
    assert_eq!(
        (counter.compared, counter.missed),
        (2, 2),
        "all of the store"
    );
    assert_eq!(
        report.counter.behind, 0,
        "a miss shows nothing that could be"
    );
}

#[tokio::test]
async fn an_audit_without_differences_does_not_wait_and_leaves_its_group() {
    let world = folded().await;
    let cast = world.api().await;
    let both = [candidate("alice"), candidate("bob")];
    cast.tallies(&both).await.expect("tallies, as a whole");
    let counts = Counts::new();
    let ports = world.ports().intercepted(&counts);
    let audit = Audit::new(&ports, AuditSettings::default());
    // The clock stands still: who waits for it waits in vain.
    let report = cast_testkit::within(Duration::from_secs(10), "the audit", audit.run()).await;
    let report = report.expect("everything answers");
    assert_clean(&report);
    assert_eq!((report.counter.missed, report.counter.behind), (0, 0));
    assert_eq!(counts.calls(Operation::Read), 1, "one look");
    assert_eq!(counts.calls(Operation::Close), 1);
}

#[tokio::test]
async fn of_two_ballots_with_one_id_in_a_record_the_one_that_the_store_could_hold_counts() {
    let world = World::with_store(
        1,
        StoreOptions {
            largest_total: 1_000,
            ..StoreOptions::default()
        },
    );
    let copies = vec![
        gives(8, "bob", 1),
        gives(9, "greedy", 2_000),
        gives(9, "carol", 1),
    ];
    world.append(P0, copies).await;
    world.drain().await;
    let report = audit(&world, world.ports()).await;
    assert_clean(&report);
    assert_eq!((report.ballots, report.repeated), (2, 1));
}

#[tokio::test]
async fn a_tally_that_missed_a_reconciliation_is_behind_and_no_difference() {
    let world = folded().await;
    world.counter.forget();
    reconcile(&world, "alice", &[(P0, 2, 1)]).await;
    let report = audit(&world, world.ports()).await;
    assert_clean(&report);
    assert_eq!(report.counter.behind, 1);
}

#[tokio::test]
async fn nothing_is_found_while_votes_are_cast_and_folded() {
    let world = Arc::new(logged().await);
    let cast = world.api().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let consumer = world.consumer();
    let folding = tokio::spawn({
        let stop = stop.clone();
        async move { consumer.run(stop).await }
    });
    let voting = tokio::spawn({
        let (world, stop) = (Arc::clone(&world), stop.clone());
        async move {
            for number in 100_u128.. {
                if stop.is_cancelled() {
                    break;
                }
                let names = ["alice", "bob", "carol"];
                let name = names[(number % 3) as usize];
                // The same id over two partitions, too: the copy that is folded first counts.
                let partition = Partition::new((number % 2) as u32);
                world.append(partition, vec![gives(number, name, 1)]).await;
                let other = Partition::new(((number + 1) % 2) as u32);
                world.append(other, vec![gives(number / 2, name, 1)]).await;
                let _ = cast.tallies(&[candidate(name)]).await;
                tokio::task::yield_now().await;
            }
        }
    });
    for _ in 0..20 {
        assert_clean(&audit(&world, world.ports()).await);
    }
    stop.cancel();
    voting.await.expect("no panic");
    folding.await.expect("no panic");
}

#[tokio::test]
async fn an_audit_does_not_take_partitions_from_the_consumers() {
    let world = World::retaining(1, 1);
    for number in 1..=8 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
        world.drain().await;
        assert_clean(&audit(&world, world.ports()).await);
    }
    let group = GroupName::new("readers");
    let lag = world.bus.lag(&group).await.expect("a lag");
    let first = lag[0].committed;
    assert_eq!(first.get(), 7, "all but the last are gone");
}
