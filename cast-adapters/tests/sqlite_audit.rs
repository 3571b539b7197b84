//! An audit of a folder, whose store is changed by hand.

mod sqlite;

use cast_adapters::{record::encode_ballot, sqlite as adapter, sqlite::DataDir};
use cast_core::{
    Audit, AuditSettings, Consumer, Finding, Ports, Settings,
    domain::{BallotId, Candidate, LogPosition, LoggedBallot, Offset, Record, Voter},
};
use cast_testkit::fixtures::Fixtures;
use diesel::connection::SimpleConnection as _;
use sqlite::{
    connect,
    votes::{P0, new_folder, open},
};
use tempfile::TempDir;

/// The contents of the log: bob 3 at offset 0 and alice 4 at 1, both folded.
struct Scene {
    folder: TempDir,
    ports: Ports,
    fixtures: Fixtures,
    ballots: [LoggedBallot; 2],
    _data: DataDir,
}

impl Scene {
    async fn set() -> Self {
        let (folder, fixtures) = (new_folder(), Fixtures::new());
        let data = open(&folder);
        let ports = adapter::ports(&data);
        let (alice, bob) = (fixtures.candidate("alice"), fixtures.candidate("bob"));
        let ballots = [
            fixtures.ballot(&[(&bob, 3)]),
            fixtures.ballot(&[(&alice, 4)]),
        ];
        let consumer = Consumer::new(&ports, Settings::default().fold);
        let mut log = consumer.subscribe().await.expect("subscribed");
        for ballot in &ballots {
            let record = Record::new(P0, vec![ballot.clone()]);
            let published = ports.bus.publish(&[record]).await.remove(0);
            published.expect("published");
            consumer.step(&mut *log).await.expect("folded");
        }
        log.close().await.expect("closed");
        let scene = Self {
            folder,
            ports,
            fixtures,
            ballots,
            _data: data,
        };
        assert_eq!(scene.audit().await, [], "no row was changed");
        scene
    }

    async fn audit(&self) -> Vec<Finding> {
        let audit = Audit::new(&self.ports, AuditSettings::default());
        audit.run().await.expect("everything answers").findings
    }

    fn change(&self, statement: &str) {
        let changed = connect(&self.folder, "votes.db").batch_execute(statement);
        changed.expect(statement);
    }

    /// The findings of an audit after a statement.
    async fn after(&self, statement: &str) -> Vec<Finding> {
        self.change(statement);
        self.audit().await
    }
}

fn at(offset: u64) -> LogPosition {
    LogPosition {
        partition: P0,
        offset: Offset::new(offset),
    }
}

/// The bytes of a ballot id or a ballot, in SQL.
fn blob(bytes: &[u8]) -> String {
    format!("x'{}'", hex::encode(bytes))
}

fn id(ballot: BallotId) -> String {
    blob(ballot.as_uuid().as_bytes())
}

fn number(candidate: &Candidate) -> String {
    format!("(SELECT number FROM candidates WHERE username = '{candidate}')")
}

#[tokio::test]
async fn a_total_changed_by_hand_is_named_and_so_is_a_name_that_is_gone() {
    let scene = Scene::set().await;
    let alice = scene.fixtures.candidate("alice");
    let differs = |total| Finding::TotalDiffers {
        candidate: alice.clone(),
        partition: P0,
        total,
        ballots: 4,
    };
    let set = |votes| {
        format!(
            "UPDATE totals SET votes = {votes} WHERE candidate = {who}; \
             UPDATE candidates SET votes = {votes} WHERE number = {who}",
            who = number(&alice)
        )
    };
    assert_eq!(scene.after(&set(9)).await, [differs(9)]);
    assert_eq!(scene.after(&set(3)).await, [differs(3)]);
    assert_eq!(scene.after(&set(4)).await, []);
    let unnamed =
        format!("PRAGMA foreign_keys = OFF; DELETE FROM candidates WHERE username = '{alice}'");
    assert_eq!(scene.after(&unnamed).await, [differs(0)]);
}

#[tokio::test]
async fn a_sum_changed_by_hand_is_named() {
    let scene = Scene::set().await;
    let alice = scene.fixtures.candidate("alice");
    let set = format!("UPDATE candidates SET votes = 9 WHERE username = '{alice}'");
    let findings = scene.after(&set).await;
    let leaders = scene.ports.store.leaders(1).await.expect("answered");
    assert_eq!((&leaders[0].candidate, leaders[0].votes), (&alice, 9));
    let differs = Finding::SumDiffers {
        candidate: alice,
        sum: 9,
        totals: 4,
    };
    assert_eq!(findings, [differs]);
}

#[tokio::test]
async fn a_ballot_deleted_by_hand_is_named() {
    let scene = Scene::set().await;
    let [_, ballot] = &scene.ballots;
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
    let delete = format!("DELETE FROM ballots WHERE id = {}", id(ballot.id));
    assert_eq!(scene.after(&delete).await, [differs, missing.clone()]);
    // A change of all three is found too.
    let cover =
        "DELETE FROM totals WHERE votes = 4; UPDATE candidates SET votes = 0 WHERE votes = 4";
    assert_eq!(scene.after(cover).await, [missing]);
}

#[tokio::test]
async fn a_ballot_changed_by_hand_is_named_whatever_it_says_then() {
    let scene = Scene::set().await;
    let [ballot, _] = &scene.ballots;
    let mut by_mallory = ballot.clone();
    by_mallory.voter = Some(Voter::new("mallory").expect("a name"));
    for (content, says) in [
        (encode_ballot(&by_mallory), "by \"mallory\""),
        (b"\xff".to_vec(), "decode"),
        (Vec::new(), "has 0 selections"),
    ] {
        let change = format!(
            "UPDATE ballots SET content = {} WHERE id = {}",
            blob(&content),
            id(ballot.id)
        );
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
        let (found, position, store) = altered.expect(&change);
        assert_eq!((found, position), (ballot.id, at(0)));
        assert!(store.contains(says), "{store}");
    }
}

#[tokio::test]
async fn a_ballot_added_by_hand_and_a_progress_moved_are_named() {
    let scene = Scene::set().await;
    let [ballot, _] = &scene.ballots;
    let added = format!(
        "INSERT INTO ballots (id, position, content) SELECT {}, position, content FROM ballots \
         WHERE id = {}",
        id(scene.fixtures.ballot_id()),
        id(ballot.id)
    );
    let findings = scene.after(&added).await;
    let differ = Finding::BallotsDiffer {
        candidate: scene.fixtures.candidate("bob"),
        partition: P0,
        progress: Offset::new(2),
        log: 3,
        store: 6,
    };
    assert!(findings.contains(&differ), "{findings:?}");

    let findings = scene.after("UPDATE progress SET next = 7").await;
    let beyond = Finding::ProgressBeyondLog {
        partition: P0,
        progress: Offset::new(7),
        end: Offset::new(2),
    };
    assert_eq!(findings[0], beyond);
}

#[tokio::test]
async fn a_row_that_no_ballot_can_have_ends_the_audit_with_a_sentence() {
    for change in ["id = x'00'", "position = -1"] {
        let scene = Scene::set().await;
        scene.change(&format!("UPDATE ballots SET {change} WHERE number = 1"));
        let audit = Audit::new(&scene.ports, AuditSettings::default());
        let error = audit.run().await.expect_err("nothing can be compared");
        let said = error.chain();
        assert!(said.contains("votes.db"), "{said}");
        assert!(said.contains("cast-server check"), "{said}");
    }
}
