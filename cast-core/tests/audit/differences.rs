//! Differences between the log, the store and the counter.

use super::*;

/// The store does not have a ballot of the first partition.
fn missing(number: u128, offset: u64) -> Finding {
    Finding::BallotMissing {
        ballot: id(number),
        position: at(P0, offset),
    }
}

/// The counter's total of alice in the first partition is not that of the log.
fn alice_differs(as_of: u64, end: u64, counter: u64, log: u64) -> Finding {
    Finding::AppliedTotalDiffers {
        candidate: candidate("alice"),
        partition: P0,
        as_of: Offset::new(as_of),
        end: Offset::new(end),
        counter,
        log,
    }
}

/// Applies a step of one partition, whatever the log has.
async fn apply(
    world: &World,
    partition: Partition,
    offsets: (u64, u64),
    ballots: Vec<(u64, LoggedBallot)>,
) {
    let step = fixtures::step(partition, offsets, ballots);
    world.store.apply(&step).await.expect("applied");
}

#[tokio::test]
async fn a_deleted_ballot_is_found() {
    let world = folded().await;
    let store = filled(&[
        (P0, 3, &[(0, gives(2, "bob", 3))]),
        (P1, 1, &[(0, gives(4, "alice", 8))]),
    ])
    .await;
    let findings = audit_store(&world, store).await;
    // Once, where the log first has it.
    assert_eq!(findings, [missing(1, 0), missing(3, 1)]);
    assert!(findings[0].to_string().contains(&id(1).to_string()));
}

#[tokio::test]
async fn a_changed_ballot_is_found_with_both_versions() {
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
async fn an_added_ballot_is_found_by_its_candidate() {
    let world = folded().await;
    apply(&world, P1, (1, 1), vec![(0, gives(99, "mallory", 50))]).await;
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
    apply(&world, P0, (0, 2), vec![]).await;
    world.drain().await;
    let report = audit(&world, world.ports()).await;
    // The counter was reconciled from that store. The first ballot was counted where it came again.
    let reconciled = alice_differs(3, 3, 2, 6);
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
async fn a_store_of_another_log_is_found() {
    let world = folded().await;
    apply(&world, P1, (1, 9), vec![]).await;
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
async fn a_changed_total_is_found() {
    for votes in [5, 7] {
        let world = folded().await;
        let store = ChangedTotal {
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
async fn a_changed_counter_is_found() {
    for votes in [5, 7] {
        let world = folded().await;
        world.counter.forget_candidate(&candidate("alice"));
        reconcile(&world, "alice", &[(P0, votes, 3), (P1, 8, 1)]).await;
        let report = audit(&world, world.ports()).await;
        assert_eq!(report.findings[0], alice_differs(3, 3, votes, 6));
        // Too much is also shown.
        assert_eq!(report.findings.len(), if votes > 6 { 2 } else { 1 });
    }
}

#[tokio::test]
async fn pending_votes_that_the_log_does_not_have_are_found() {
    let world = folded().await;
    record(&world, at(P0, 3), "bob", 10).await;
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
    record(&world, position, "bob", 3).await;
    assert_eq!(world.counted("bob").await, 6);

    let counts = Counts::new();
    let (ports, settings) = (world.ports().intercepted(&counts), AuditSettings::default());
    let audit = tokio::spawn(async move { Audit::new(&ports, settings).run().await });
    // It has looked, found too much, and waits.
    let looked = async || (counts.calls(Operation::Read) == 1).then_some(());
    cast_testkit::eventually(Duration::from_secs(10), "a look", looked).await;
    world.clock.until_sleepers(1).await;
    world.drain().await;
    world.clock.advance(AuditSettings::default().pause);
    let report = audit.await.expect("no panic").expect("everything answers");
    assert_clean(&report);
    assert_eq!(world.counted("bob").await, 3);
}

#[tokio::test]
async fn where_the_beginning_of_the_log_was_deleted_the_rest_is_compared() {
    let world = World::retaining(1, 1);
    for number in 1..=4 {
        world.append(P0, vec![gives(number, "alice", 1)]).await;
    }
    world.drain().await;
    world.append(P0, vec![gives(5, "alice", 1)]).await;
    let report = audit(&world, world.ports()).await;
    assert_clean(&report);
    assert_eq!((report.partitions[0].start.get(), report.ballots), (3, 2));

    // Only ballots that the log still has can be missed.
    let store = filled(&[(P0, 4, &[(0, gives(1, "alice", 1))])]).await;
    let findings = audit_store(&world, store).await;
    assert_eq!(findings[0], missing(4, 3));
    let gone = Finding::RecordsGone {
        partition: P0,
        progress: Offset::START,
        start: Offset::new(3),
    };
    assert_eq!(audit_store(&world, MemoryStore::new()).await, [gone]);
}

/// An applied total from before the first record that the log has cannot be recounted. A newer one can: the
/// store has the votes that the log deleted.
#[tokio::test]
async fn where_the_beginning_of_the_log_was_deleted_only_newer_applied_totals_are_compared() {
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
        reconcile(&world, "alice", &[(P0, votes, as_of)]).await;
        let report = audit(&world, world.ports()).await;
        assert_eq!(report.partitions[0].start, Offset::new(start));
        let differs = expected.map(|log| alice_differs(as_of, 5, votes, log));
        let case = format!("{votes} votes up to {as_of}");
        assert_eq!(report.findings, Vec::from_iter(differs), "{case}");
    }
}

/// A store with a changed total of alice.
struct ChangedTotal {
    inner: Arc<MemoryStore>,
    total: u64,
}

#[async_trait]
impl ForwardingVoteStore for ChangedTotal {
    fn inner(&self) -> &dyn VoteStore {
        &*self.inner
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let mut recount = self.inner.recount().await?;
        recount.counts[0].total = self.total;
        Ok(recount)
    }
}
