//! A log that is not the one that was folded: no record of it is applied until an operator decides, and what
//! the docs tell the operator to run loses nothing and counts nothing twice.

use std::sync::Arc;

use cast_adapters::{
    memory::{self, BusOptions, MemoryBus},
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    Cast, Consumer, Ports, Roles, Settings,
    domain::{Candidate, KeyRing, LoggedBallot, Offset, Partitions, Record},
    ports::{EventBus as _, PortErrorKind, Subscription},
};
use cast_testkit::fixtures::Fixtures;

use self::postgres::{P0, TestDb, votes};

mod postgres;

const DOCS: &str = include_str!("../../docs/AUDIT.md");

/// The first statement under this heading of the docs.
fn statement_under(heading: &str) -> &'static str {
    let (_, section) = DOCS.split_once(heading).expect("the docs have the section");
    let (_, rest) = section.split_once("```sql").expect("it has a statement");
    rest.split_once("```").expect("which ends").0.trim()
}

/// The ports of a consumer: a log with these ballots, a record for each, and an empty counter.
async fn ports_with(test_db: &TestDb, ballots: &[&LoggedBallot]) -> Ports {
    let bus = MemoryBus::with_options(Partitions::ONE, BusOptions::default().retain_all());
    for ballot in ballots {
        let record = Record::new(P0, vec![(*ballot).clone()]);
        let published = bus.publish(&[record]).await.remove(0);
        published.expect("the log has room");
    }
    Ports {
        bus: Arc::new(bus),
        store: Arc::new(test_db.open()),
        ..memory::ports_on(Arc::new(SystemClock), Arc::new(SystemEntropy))
    }
}

async fn join(ports: &Ports) -> (Consumer, Box<dyn Subscription>) {
    let consumer = Consumer::new(ports, Settings::default().fold);
    let log = consumer.subscribe().await.expect("subscribed");
    (consumer, log)
}

/// Folds until the store is at the end of the log.
async fn fold_to(ports: &Ports, end: u64) {
    let (consumer, mut log) = join(ports).await;
    let progress = async || ports.store.progress(P0).await.expect("answered");
    while progress().await.next < Offset::new(end) {
        consumer.step(&mut *log).await.expect("it is folded");
    }
    log.close().await.expect("it leaves");
}

async fn shown(ports: &Ports, candidate: &Candidate) -> u64 {
    let roles = Roles {
        api: true,
        generator: false,
        consumers: 0,
    };
    let cast = Cast::builder(ports.clone(), KeyRing::generate(&SystemEntropy));
    let cast = cast.roles(roles).start().await.expect("it starts");
    let tallies = cast.tallies(std::slice::from_ref(candidate)).await;
    tallies.expect("the tallies are shown")[0].votes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_is_refused_and_folded_again_as_the_docs_say() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let fixtures = Fixtures::new();
    let alice = fixtures.candidate("alice");
    let ballots: Vec<_> = (0..10)
        .map(|power| fixtures.ballot(&[(&alice, 1 << power)]))
        .collect();
    let all: Vec<_> = ballots.iter().collect();
    fold_to(&ports_with(&test_db, &all[..6]).await, 6).await;
    let store = test_db.open();
    assert_eq!(votes(&store, &alice).await, 0b11_1111);

    // It lost two ballots, one of which its voter sent again, and grew beyond the store's progress.
    let grown = [&all[..4], &all[6..], &all[4..5]].concat();
    let ports = ports_with(&test_db, &grown).await;
    let (consumer, mut log) = join(&ports).await;
    for _ in 0..2 {
        let refused = consumer.step(&mut *log).await.expect_err("another log");
        let reported = refused.chain();
        assert_eq!(refused.kind(), PortErrorKind::Misconfigured, "{reported}");
        assert!(reported.contains(&ballots[5].id.to_string()), "{reported}");
    }
    log.close().await.expect("it leaves");
    assert_eq!(votes(&store, &alice).await, 0b11_1111, "nothing was taken");

    test_db
        .sql(statement_under(
            "## When the log is not the one that was folded",
        ))
        .await;
    fold_to(&ports, 9).await;
    assert_eq!(votes(&store, &alice).await, 0b11_1111_1111, "each once");
    assert_eq!(shown(&ports, &alice).await, 0b11_1111_1111);
    // From here on it is the log that was folded.
    fold_to(&ports, 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_is_passed_as_the_docs_say() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let fixtures = Fixtures::new();
    let alice = fixtures.candidate("alice");
    let ballots: Vec<_> = (0..45).map(|_| fixtures.ballot(&[(&alice, 1)])).collect();
    let all: Vec<_> = ballots.iter().collect();
    fold_to(&ports_with(&test_db, &all[..42]).await, 42).await;

    test_db
        .sql(statement_under("## When a record is damaged"))
        .await;
    fold_to(&ports_with(&test_db, &all).await, 45).await;
    assert_eq!(
        votes(&test_db.open(), &alice).await,
        44,
        "all but the one at 42"
    );
}
