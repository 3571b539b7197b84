//! An audit of a real database, whose rows are changed by hand.

use std::sync::Arc;

use cast_adapters::{
    memory,
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    Audit, AuditSettings, Consumer, Finding, Ports, Settings,
    domain::{LogPosition, LoggedBallot, Offset, Partition, Record},
};
use cast_testkit::fixtures::Fixtures;

use self::postgres::{P0, TestDb};

mod postgres;

/// The contents of the log: bob 3 at offset 0 and alice 4 at 1, both folded.
struct Scene {
    test_db: TestDb,
    ports: Ports,
    fixtures: Fixtures,
    ballots: [LoggedBallot; 2],
}

impl Scene {
    async fn set() -> Option<Self> {
        let test_db = TestDb::shared().await?;
        let fixtures = Fixtures::new();
        let ports = Ports {
            store: Arc::new(test_db.open()),
            ..memory::ports_on(Arc::new(SystemClock), Arc::new(SystemEntropy))
        };
        let (alice, bob) = (fixtures.candidate("alice"), fixtures.candidate("bob"));
        let ballots = [
            fixtures.ballot(&[(&bob, 3)]),
            fixtures.ballot(&[(&alice, 4)]),
        ];
        let consumer = Consumer::new(&ports, Settings::default().fold);
        let mut log = consumer.subscribe().await.expect("subscribed");
        for ballot in &ballots {
            let record = Record::new(P0, vec![ballot.clone()]);
            ports
                .bus
                .publish(&[record])
                .await
                .remove(0)
                .expect("published");
            consumer.step(&mut *log).await.expect("folded");
        }
        log.close().await.expect("closed");
        let scene = Self {
            test_db,
            ports,
            fixtures,
            ballots,
        };
        assert_eq!(scene.audit().await, [], "no row was changed");
        Some(scene)
    }

    async fn audit(&self) -> Vec<Finding> {
        let audit = Audit::new(&self.ports, AuditSettings::default());
        audit.run().await.expect("everything answers").findings
    }

    /// The findings of an audit after a statement.
    async fn after(&self, statement: &str) -> Vec<Finding> {
        self.test_db.sql(statement).await;
        self.audit().await
    }
}

fn at(offset: u64) -> LogPosition {
    LogPosition {
        partition: P0,
        offset: Offset::new(offset),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_changed_by_hand_is_named_and_so_is_a_name_that_is_gone() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let alice = scene.fixtures.candidate("alice");
    let differs = |total| Finding::TotalDiffers {
        candidate: alice.clone(),
        partition: P0,
        total,
        ballots: 4,
    };
    let set = |votes| format!("UPDATE totals SET votes = {votes} WHERE candidate = '{alice}'");
    assert_eq!(scene.after(&set(9)).await, [differs(9)]);
    assert_eq!(scene.after(&set(3)).await, [differs(3)]);
    assert_eq!(scene.after(&set(4)).await, []);
    // The view `votes` no longer shows alice.
    let unnamed = format!("DELETE FROM candidates WHERE username = '{alice}'");
    assert_eq!(scene.after(&unnamed).await, [differs(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_deleted_by_hand_is_named() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let [_, ballot] = &scene.ballots;
    let delete = format!("DELETE FROM ballots WHERE id = '{}'", ballot.id);
    let missing = Finding::BallotMissing {
        ballot: ballot.id,
        position: at(1),
    };
    let differs = Finding::TotalDiffers {
        candidate: scene.fixtures.candidate("alice"),
        partition: P0,
        total: 4,
        ballots: 0,
    };
    assert_eq!(scene.after(&delete).await, [differs, missing.clone()]);
    // A change of both is found too.
    let cover = "DELETE FROM totals WHERE candidate LIKE 'alice%'";
    assert_eq!(scene.after(cover).await, [missing]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_changed_by_hand_is_named_whatever_it_says_then() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let [ballot, _] = &scene.ballots;
    for (change, says) in [
        ("voter = 'mallory'", "by \"mallory\""),
        ("ticket_key = 200", "a ticket of key 200"),
        ("votes = '{5000000000}'", "has 5000000000 votes"),
        (
            "candidates = '{mallory}', votes = '{3}'",
            "{\"mallory\": 3}",
        ),
    ] {
        let change = format!("UPDATE ballots SET {change} WHERE id = '{}'", ballot.id);
        let findings = scene.after(&change).await;
        let altered = findings.iter().find_map(|finding| match finding {
            Finding::BallotAltered {
                ballot,
                position,
                store,
                ..
            } => Some((*ballot, *position, store.clone())),
            _ => None,
        });
        let (id, position, store) = altered.expect(&change);
        assert_eq!((id, position), (ballot.id, at(0)));
        assert!(store.contains(says), "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_added_by_hand_and_a_progress_moved_are_named() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let [ballot, _] = &scene.ballots;
    let added = "INSERT INTO ballots SELECT gen_random_uuid(), log_offset, partition, \
                 ticket_issued_at, ticket_key, voter, candidates, votes FROM ballots WHERE id";
    let findings = scene.after(&format!("{added} = '{}'", ballot.id)).await;
    let bob = scene.fixtures.candidate("bob");
    let differ = Finding::BallotsDiffer {
        candidate: bob.clone(),
        partition: P0,
        progress: Offset::new(2),
        log: 3,
        store: 6,
    };
    assert!(findings.contains(&differ), "{findings:?}");

    let findings = scene.after("UPDATE progress SET next = 7").await;
    let beyond = Finding::ProgressBeyondLog {
        partition: Partition::new(0),
        progress: Offset::new(7),
        end: Offset::new(2),
    };
    assert_eq!(findings[0], beyond);
}
