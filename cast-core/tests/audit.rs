//! The audit: silent beside a CAST that is in order, whatever it went through; and it names what
//! somebody changed by hand.

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

const P0: Partition = Partition::new(0);
const P1: Partition = Partition::new(1);

fn gives(number: u128, name: &str, votes: u32) -> LoggedBallot {
    fixtures::ballot(id(number), &[(&candidate(name), votes)])
}

fn at(partition: Partition, offset: u64) -> LogPosition {
    LogPosition {
        partition,
        offset: Offset::new(offset),
    }
}

/// Three records in one partition and one in another: alice 2 + 4, bob 3, and alice 8.
async fn logged() -> World {
    let world = World::new(2);
    world
        .append(P0, vec![gives(1, "alice", 2), gives(2, "bob", 3)])
        .await;
    world.append(P0, vec![gives(3, "alice", 4)]).await;
    world.append(P0, vec![gives(1, "alice", 2)]).await;
    world.append(P1, vec![gives(4, "alice", 8)]).await;
    world
}

async fn folded() -> World {
    let world = logged().await;
    world.drain().await;
    world
}

async fn audit_with(
    world: &World,
    ports: Ports,
    settings: AuditSettings,
) -> Result<AuditReport, PortError> {
    let audit = tokio::spawn(async move { Audit::new(&ports, settings).run().await });
    // What waits, waits for this clock.
    let done = cast_testkit::eventually(Duration::from_secs(20), "the audit to end", async || {
        world.clock.advance(Duration::from_millis(100));
        audit.is_finished().then_some(())
    });
    done.await;
    audit.await.expect("it does not panic")
}

async fn audit(world: &World, ports: Ports) -> AuditReport {
    let report = audit_with(world, ports, AuditSettings::default()).await;
    report.expect("everything answers")
}

async fn audit_store(world: &World, store: impl VoteStore + 'static) -> Vec<Finding> {
    let mut ports = world.ports();
    ports.store = Arc::new(store);
    audit(world, ports).await.findings
}

#[track_caller]
fn assert_clean(report: &AuditReport) {
    assert!(report.is_clean(), "{:#?}", report.findings);
}

/// A partition, up to an offset: ballots, each with its own.
type Part<'a> = (Partition, u64, &'a [(u64, LoggedBallot)]);

/// A store that somebody filled by hand.
async fn filled(parts: &[Part<'_>]) -> MemoryStore {
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
async fn nothing_is_found_after_votes_repeats_and_rejections() {
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
async fn nothing_is_found_while_consumers_lag_and_tallies_are_missed() {
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
async fn an_audit_that_finds_nothing_waits_for_nothing_and_leaves_the_log() {
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
async fn a_tally_that_missed_a_reconciling_is_behind_and_no_difference() {
    let world = folded().await;
    let mut reconcile = Checkpoint {
        candidate: candidate("alice"),
        applied_totals: Vec::new(),
        whole: true,
    };
    world.counter.forget();
    reconcile.applied_totals = vec![AppliedTotal {
        partition: P0,
        votes: 2,
        as_of: Offset::new(1),
    }];
    world
        .counter
        .reconcile(&[reconcile])
        .await
        .expect("reconciled");
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
                // The same id over two partitions, too: whoever is folded first counts.
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
async fn an_audit_holds_nothing_of_the_log_back() {
    let world = World::retaining(1, 1);
    for number in 1..=8 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
        world.drain().await;
        assert_clean(&audit(&world, world.ports()).await);
    }
    let somebody = GroupName::new("somebody");
    let lag = world.bus.lag(&somebody).await.expect("a lag");
    let first = lag[0].committed;
    assert_eq!(first.get(), 7, "all but the last are gone");
}

#[tokio::test]
async fn a_ballot_that_was_deleted_is_named() {
    let world = folded().await;
    let store = filled(&[
        (P0, 3, &[(0, gives(2, "bob", 3))]),
        (P1, 1, &[(0, gives(4, "alice", 8))]),
    ])
    .await;
    let findings = audit_store(&world, store).await;
    let missing = |number, offset| Finding::BallotMissing {
        ballot: id(number),
        position: at(P0, offset),
    };
    // Once, where the log first has it.
    assert_eq!(findings, [missing(1, 0), missing(3, 1)]);
    assert!(findings[0].to_string().contains(&id(1).to_string()));
}

#[tokio::test]
async fn a_ballot_that_was_changed_is_named_with_both_sides() {
    let world = folded().await;
    let store = filled(&[
        (
            P0,
            3,
            &[
                (0, gives(1, "alice", 2)),
                (0, gives(2, "mallory", 3)),
                (1, gives(3, "alice", 4)),
            ],
        ),
        (P1, 1, &[(0, gives(4, "alice", 8))]),
    ])
    .await;
    let findings = audit_store(&world, store).await;
    let [
        Finding::BallotAltered {
            ballot,
            position,
            log,
            store,
        },
    ] = &findings[..]
    else {
        panic!("{findings:#?}");
    };
    assert_eq!((*ballot, *position), (id(2), at(P0, 0)));
    assert!(log.contains("\"bob\": 3"), "{log}");
    assert!(store.contains("\"mallory\": 3"), "{store}");
}

#[tokio::test]
async fn a_ballot_that_was_added_is_named_by_its_candidate() {
    let world = folded().await;
    let step = fixtures::step(P1, (1, 1), [(0, gives(99, "mallory", 50))]);
    world.store.apply(&step).await.expect("applied");
    let findings = audit(&world, world.ports()).await.findings;
    let differ = Finding::BallotsDiffer {
        candidate: candidate("mallory"),
        partition: P1,
        progress: Offset::new(1),
        log: 0,
        store: 50,
    };
    assert_eq!(findings, [differ]);
}

#[tokio::test]
async fn a_progress_that_was_moved_forward_leaves_ballots_missing() {
    let world = logged().await;
    let step = fixtures::step(P0, (0, 2), []);
    world.store.apply(&step).await.expect("applied");
    world.drain().await;
    let report = audit(&world, world.ports()).await;
    let missing = |number, offset| Finding::BallotMissing {
        ballot: id(number),
        position: at(P0, offset),
    };
    // The counter was reconciled from that store. The first ballot was counted where it came again.
    let reconciled = Finding::AppliedTotalDiffers {
        candidate: candidate("alice"),
        partition: P0,
        as_of: Offset::new(3),
        end: Offset::new(3),
        counter: 2,
        log: 6,
    };
    assert_eq!(report.findings, [missing(2, 0), missing(3, 1), reconciled]);
}

#[tokio::test]
async fn a_progress_that_was_set_back_leaves_ballots_too_many() {
    let world = folded().await;
    let store = filled(&[
        (P1, 1, &[(0, gives(4, "alice", 8))]),
        (
            P0,
            1,
            &[
                (0, gives(1, "alice", 2)),
                (0, gives(2, "bob", 3)),
                (1, gives(3, "alice", 4)),
            ],
        ),
    ])
    .await;
    let findings = audit_store(&world, store).await;
    let differ = Finding::BallotsDiffer {
        candidate: candidate("alice"),
        partition: P0,
        progress: Offset::new(1),
        log: 2,
        store: 6,
    };
    assert_eq!(findings, [differ]);
}

#[tokio::test]
async fn a_store_of_another_log_is_named() {
    let world = folded().await;
    let step = fixtures::step(P1, (1, 9), []);
    world.store.apply(&step).await.expect("applied");
    let findings = audit(&world, world.ports()).await.findings;
    let (progress, end) = (Offset::new(9), Offset::new(1));
    let beyond = Finding::ProgressBeyondLog {
        partition: P1,
        progress,
        end,
    };
    assert_eq!(findings, [beyond]);
}

#[tokio::test]
async fn a_total_that_was_changed_is_named() {
    for votes in [5, 7] {
        let world = folded().await;
        let store = Lying {
            inner: Arc::clone(&world.store),
            total: votes,
        };
        let findings = audit_store(&world, store).await;
        let differs = Finding::TotalDiffers {
            candidate: candidate("alice"),
            partition: P0,
            total: votes,
            ballots: 6,
        };
        assert_eq!(findings, [differs]);
    }
}

#[tokio::test]
async fn a_counter_that_was_changed_is_named_whichever_way() {
    for votes in [5, 7] {
        let world = folded().await;
        world.counter.forget_candidate(&candidate("alice"));
        let prefix = |partition, votes, as_of| AppliedTotal {
            partition,
            votes,
            as_of: Offset::new(as_of),
        };
        let checkpoint = Checkpoint {
            candidate: candidate("alice"),
            applied_totals: vec![prefix(P0, votes, 3), prefix(P1, 8, 1)],
            whole: true,
        };
        world
            .counter
            .reconcile(&[checkpoint])
            .await
            .expect("reconciled");
        let report = audit(&world, world.ports()).await;
        let differs = Finding::AppliedTotalDiffers {
            candidate: candidate("alice"),
            partition: P0,
            as_of: Offset::new(3),
            end: Offset::new(3),
            counter: votes,
            log: 6,
        };
        assert_eq!(report.findings[0], differs);
        // Too much is also shown.
        assert_eq!(report.findings.len(), if votes > 6 { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_tail_that_the_log_does_not_have_is_named() {
    let world = folded().await;
    let tail = PendingVotes {
        position: at(P0, 3),
        votes: vec![(candidate("bob"), 10)],
    };
    world.counter.record(&[tail], &[]).await.expect("recorded");
    let findings = audit(&world, world.ports()).await.findings;
    let high = Finding::ShownTooHigh {
        candidate: candidate("bob"),
        shown: 13,
        least: 3,
        most: 3,
    };
    assert_eq!(findings, [high]);
}

#[tokio::test]
async fn a_tally_that_is_too_high_for_a_while_is_no_difference() {
    let world = folded().await;
    // A ticket source that forgot an id: the ballot is recorded where it comes again, too.
    let position = world.append(P0, vec![gives(2, "bob", 3)]).await;
    let votes = vec![(candidate("bob"), 3)];
    let tail = PendingVotes { position, votes };
    world.counter.record(&[tail], &[]).await.expect("recorded");
    assert_eq!(world.counted("bob").await, 6);

    let counts = Counts::new();
    let (ports, settings) = (world.ports().intercepted(&counts), AuditSettings::default());
    let audit = tokio::spawn(async move { Audit::new(&ports, settings).run().await });
    // It has looked, found too much, and waits.
    let looked = async || (counts.calls(Operation::Read) == 1).then_some(());
    cast_testkit::eventually(Duration::from_secs(10), "a look", looked).await;
    let waits = world.clock.until_sleepers(1);
    cast_testkit::within(Duration::from_secs(10), "it to wait", waits).await;
    world.drain().await;
    world.clock.advance(AuditSettings::default().pause);
    let report = audit.await.expect("no panic").expect("everything answers");
    assert_clean(&report);
    assert_eq!(world.counted("bob").await, 3);
}

#[tokio::test]
async fn where_the_beginning_of_the_log_is_gone_the_rest_is_compared() {
    let world = World::retaining(1, 1);
    for number in 1..=4 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    world.drain().await;
    world.append(P0, vec![gives(5, "alice", 1)]).await;
    let report = audit(&world, world.ports()).await;
    assert_clean(&report);
    assert_eq!((report.partitions[0].start.get(), report.ballots), (3, 2));

    // What is still there is missed; what is gone, nobody can say.
    let store = filled(&[(P0, 4, &[(0, gives(1, "alice", 1))])]).await;
    let missing = Finding::BallotMissing {
        ballot: id(4),
        position: at(P0, 3),
    };
    let findings = audit_store(&world, store).await;
    assert_eq!(findings[0], missing);
    let gone = Finding::RecordsGone {
        partition: P0,
        progress: Offset::START,
        start: Offset::new(3),
    };
    assert_eq!(audit_store(&world, MemoryStore::new()).await, [gone]);
}

/// Where the beginning of the log is gone, a prefix from before what is left cannot be counted
/// again. From there on it can: the store knows what is gone.
#[tokio::test]
async fn where_the_beginning_of_the_log_is_gone_newer_prefixes_are_compared_and_older_are_not() {
    let world = World::retaining(1, 2);
    for number in 1..=5 {
        world.append(P0, vec![gives(number, "alice", 10)]).await;
    }
    world.drain().await;
    let start = 3;
    for (as_of, votes, expected) in [
        (start - 1, 20, None),
        (start - 1, 21, None),
        (start, 30, None),
        (start, 29, Some(30)),
        (start + 1, 40, None),
        (start + 1, 39, Some(40)),
    ] {
        world.counter.forget();
        let prefix = AppliedTotal {
            partition: P0,
            votes,
            as_of: Offset::new(as_of),
        };
        let checkpoint = Checkpoint {
            candidate: candidate("alice"),
            applied_totals: vec![prefix],
            whole: true,
        };
        world
            .counter
            .reconcile(&[checkpoint])
            .await
            .expect("reconciled");
        let report = audit(&world, world.ports()).await;
        assert_eq!(report.partitions[0].start, Offset::new(start));
        let differs = expected.map(|log| Finding::AppliedTotalDiffers {
            candidate: candidate("alice"),
            partition: P0,
            as_of: Offset::new(as_of),
            end: Offset::new(5),
            counter: votes,
            log,
        });
        let case = format!("{votes} votes up to {as_of}");
        assert_eq!(report.findings, Vec::from_iter(differs), "{case}");
    }
}

#[tokio::test]
async fn only_so_many_are_listed_and_the_rest_counted() {
    let world = World::new(1);
    let ballots = (1..=50).map(|number| gives(number, "alice", 1)).collect();
    world.append(P0, ballots).await;
    let mut ports = world.ports();
    ports.store = Arc::new(filled(&[(P0, 1, &[])]).await);
    let settings = AuditSettings {
        max_findings: 10,
        ..AuditSettings::default()
    };
    let report = audit_with(&world, ports, settings).await.expect("answers");
    assert_eq!((report.findings.len(), report.unlisted), (10, 40));
    assert!(!report.is_clean());
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_no_clean_report() {
    for operation in [
        Operation::Lag,
        Operation::Subscribe,
        Operation::Next,
        Operation::Recount,
        Operation::StoredBallots,
        Operation::AppliedTotals,
        Operation::Read,
        Operation::Progress,
    ] {
        let world = folded().await;
        for fault in [Fault::Refused, Fault::LostNoReply] {
            let plan = FaultPlan::quiet(world.clock.clone());
            plan.next(operation, fault);
            let ports = world.ports().intercepted(&plan);
            let settings = AuditSettings {
                recount_deadline: Duration::from_secs(30),
                ..AuditSettings::default()
            };
            let report = audit_with(&world, ports, settings).await;
            assert!(report.is_err(), "{operation:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_put_back_meanwhile_is_to_be_audited_again() {
    let world = logged().await;
    let backup = world.store.snapshot();
    world.drain().await;
    let mut ports = world.ports();
    let store = PutBack {
        inner: Arc::clone(&world.store),
        backup,
    };
    ports.store = Arc::new(store);
    let report = audit_with(&world, ports, AuditSettings::default()).await;
    assert_eq!(
        report.map_err(|error| error.kind()),
        Err(PortErrorKind::Unavailable)
    );
}

/// A store in which somebody changed a total of alice's.
struct Lying {
    inner: Arc<MemoryStore>,
    total: u64,
}

/// A store that is put back to a backup right after it was recounted.
struct PutBack {
    inner: Arc<MemoryStore>,
    backup: cast_adapters::memory::StoreSnapshot,
}

#[async_trait]
impl ForwardingVoteStore for Lying {
    fn inner(&self) -> &dyn VoteStore {
        &*self.inner
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let mut recount = self.inner.recount().await?;
        recount.counts[0].total = self.total;
        Ok(recount)
    }
}

#[async_trait]
impl ForwardingVoteStore for PutBack {
    fn inner(&self) -> &dyn VoteStore {
        &*self.inner
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let recount = self.inner.recount().await?;
        self.inner.restore(self.backup.clone());
        Ok(recount)
    }
}
