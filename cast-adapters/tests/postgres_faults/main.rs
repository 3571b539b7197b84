//! The store while its server fails, or its callers give up.

use std::time::Duration;

use cast_adapters::postgres::PostgresStore;
use cast_core::{
    domain::{Candidate, FoldStep, Offset, Partition},
    ports::{Applied, PortError, PortErrorKind, VoteStore as _},
};
use cast_testkit::{
    eventually,
    fixtures::Fixtures,
    servers::{Link, Postgres, Proxy},
    within,
};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use self::postgres::{P0, PATIENCE, TestDb, fold, next, single_steps, votes};

#[path = "../postgres/mod.rs"]
mod postgres;
mod restored;

/// Every connection of a store, without those of the tests.
const STORES: &str =
    "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cast'";

/// A session that holds a lock, for which every transaction that counts a ballot waits.
struct Lock(Client);

#[derive(Clone, Copy)]
enum Waits {
    InTheMiddle,
    AtCommit,
}

impl Lock {
    async fn take(test_db: &TestDb, waits: Waits) -> Self {
        let deferred = match waits {
            Waits::InTheMiddle => "",
            Waits::AtCommit => "DEFERRABLE INITIALLY DEFERRED",
        };
        test_db
            .sql(&format!(
                "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
                 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END'; \
                 CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON ballots {deferred} \
                 FOR EACH ROW EXECUTE FUNCTION wait()"
            ))
            .await;
        let session = test_db.session().await;
        let taken = session.batch_execute("SELECT pg_advisory_lock(7)").await;
        taken.expect("the lock is free");
        Self(session)
    }

    async fn release(self) {
        let released = self.0.batch_execute("SELECT pg_advisory_unlock(7)").await;
        released.expect("it was held");
    }
}

type Applying = JoinHandle<Result<Applied, PortError>>;

/// Applies a step in a task, and waits until this many stores wait for a lock.
async fn blocked(
    test_db: &TestDb,
    store: &PostgresStore,
    step: &FoldStep,
    stores: &str,
) -> Applying {
    let (store, step) = (store.clone(), step.clone());
    let applying = tokio::spawn(async move { store.apply(&step).await });
    test_db.until_blocked(stores).await;
    applying
}

/// Closes the connections of all stores.
async fn close_connections(test_db: &TestDb) {
    let close = format!("SELECT pg_terminate_backend(pid) {STORES}");
    test_db.sql(&close).await;
}

fn kind(result: Result<Applied, PortError>) -> PortErrorKind {
    result.expect_err("nothing was acknowledged").kind()
}

pub(crate) fn alice_and_step(start: u64) -> (Candidate, FoldStep) {
    let fixtures = Fixtures::new();
    let alice = fixtures.candidate("alice");
    let ballots: Vec<_> = (0..20).map(|_| fixtures.ballot(&[(&alice, 1)])).collect();
    (alice, next(P0, start, &ballots.iter().collect::<Vec<_>>()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_closes_during_a_transaction_rolls_it_back() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let lock = Lock::take(&test_db, Waits::InTheMiddle).await;
    let (store, (alice, step)) = (test_db.open(), alice_and_step(0));
    let applying = blocked(&test_db, &store, &step, "1").await;
    close_connections(&test_db).await;
    let applied = applying.await.expect("no panic");
    assert_eq!(
        kind(applied),
        PortErrorKind::Unavailable,
        "before COMMIT nothing happened"
    );
    lock.release().await;
    assert_eq!(votes(&store, &alice).await, 0);
    assert_eq!(fold(&store, &step).await, 20, "on a new connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_closes_during_the_commit_leaves_the_outcome_unknown() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let lock = Lock::take(&test_db, Waits::AtCommit).await;
    let (store, (alice, step)) = (test_db.open(), alice_and_step(0));
    let applying = blocked(&test_db, &store, &step, "1").await;
    close_connections(&test_db).await;
    let applied = applying.await.expect("no panic");
    assert_eq!(kind(applied), PortErrorKind::OutcomeUnknown);
    lock.release().await;
    assert_eq!(
        fold(&store, &step).await,
        20,
        "this time it had not happened"
    );
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_not_acknowledged_is_met_by_the_fence() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let lock = Lock::take(&test_db, Waits::AtCommit).await;
    let proxy = Proxy::before(test_db.database().url()).await;
    let test_db = test_db.by_url(proxy.url());
    let (alice, step) = alice_and_step(0);
    let mut hasty = test_db.options();
    // Long enough to reach the COMMIT, which then waits for the lock.
    hasty.transaction_timeout = Duration::from_secs(3);
    let store = PostgresStore::new(hasty);
    let applying = blocked(&test_db, &store, &step, "1").await;
    proxy.set(Link::Mute);
    lock.release().await;
    let applied = applying.await.expect("no panic");
    assert_eq!(kind(applied), PortErrorKind::OutcomeUnknown);
    test_db.until("SELECT sum(votes) FROM totals", "20").await;
    proxy.set(Link::Open);
    let progress = Offset::new(1);
    let again = store.apply(&step).await.expect("an answer");
    assert_eq!(again, Applied::Fenced { progress });
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_delays_no_caller_longer_than_the_deadline() {
    let Some(mut server) = Postgres::start().await else {
        return;
    };
    let test_db = TestDb::migrated(server.create_database().await).await;
    let mut hasty = test_db.options();
    hasty.connect_timeout = Duration::from_secs(3);
    hasty.transaction_timeout = Duration::from_secs(3);
    let (store, (alice, step)) = (PostgresStore::new(hasty), alice_and_step(0));
    // Once with an open connection, once with a new one.
    store.check().await.expect("all is well");
    server.freeze().await;
    for open in [true, false] {
        let applied = within(PATIENCE, "an answer", store.apply(&step)).await;
        assert_eq!(
            kind(applied),
            PortErrorKind::Unavailable,
            "open already: {open}"
        );
    }
    server.thaw().await;
    assert_eq!(
        fold(&test_db.open(), &step).await,
        20,
        "what was given up did not happen"
    );
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_under_load_loses_and_doubles_nothing() {
    const STEPS: u64 = 60;
    let Some(mut server) = Postgres::start().await else {
        return;
    };
    let test_db = TestDb::migrated(server.create_database().await).await;
    let store = test_db.open();
    let (alice, steps) = single_steps(STEPS);
    let folding = tokio::spawn({
        let store = store.clone();
        async move {
            for step in steps {
                eventually(PATIENCE, "the step is applied", || async {
                    match store.apply(&step).await {
                        Ok(_) => Some(()),
                        Err(error) => {
                            assert!(error.is_transient(), "{}", error.chain());
                            None
                        }
                    }
                })
                .await;
            }
        }
    });
    for kills in 1..=3 {
        eventually(PATIENCE, "some steps are applied", || async {
            let progress = store.progress(P0).await.ok()?.next;
            (progress.get() >= kills * STEPS / 4).then_some(())
        })
        .await;
        server.kill().await;
        server.restart().await;
    }
    folding.await.expect("all steps are applied");
    assert_eq!(votes(&store, &alice).await, STEPS);
    assert_eq!(
        store.recount().await.expect("a recount").votes(),
        [(alice, STEPS)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_victim_of_a_deadlock_did_not_happen() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    // After this time a waiting transaction checks for a deadlock, and is its victim: always the store's.
    let url = format!(
        "{}?options=-c%20deadlock_timeout%3D2s",
        test_db.database().url()
    );
    let test_db = test_db.by_url(url);
    let (store, (alice, first)) = (test_db.open(), alice_and_step(0));
    fold(&store, &first).await;
    let bob = Fixtures::new();
    let step = next(P0, 1, &[&bob.ballot(&[(&bob.candidate("bob"), 1)])]);
    let other = test_db.session().await;
    let bobs_name = format!(
        "SET deadlock_timeout = '1h'; BEGIN; INSERT INTO candidates (username) VALUES ('{}')",
        bob.candidate("bob")
    );
    other
        .batch_execute(&bobs_name)
        .await
        .expect("the name is free");
    let applying = blocked(&test_db, &store, &step, "1").await;
    // It waits for the store's transaction, which waits for the name.
    let circle = other.batch_execute("UPDATE progress SET next = next; ROLLBACK");
    circle.await.expect("it is the other one's turn to fail");
    let applied = applying.await.expect("no panic");
    assert_eq!(kind(applied), PortErrorKind::Unavailable);
    assert_eq!(fold(&store, &step).await, 1);
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gives_up_lets_the_transaction_end() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let lock = Lock::take(&test_db, Waits::InTheMiddle).await;
    let (store, (alice, step)) = (test_db.open(), alice_and_step(0));
    let applying = blocked(&test_db, &store, &step, "1").await;
    applying.abort();
    assert!(applying.await.is_err_and(|ended| ended.is_cancelled()));
    lock.release().await;
    test_db.until("SELECT next FROM progress", "1").await;
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_never_released_delays_a_step_no_longer_than_the_servers_limit() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let mut hasty = test_db.options();
    hasty.statement_timeout = Duration::from_millis(200);
    let (store, (_, step)) = (PostgresStore::new(hasty), alice_and_step(0));
    let other = test_db.session().await;
    let lock = other.batch_execute("BEGIN; LOCK TABLE progress");
    lock.await.expect("the lock is free");
    let applied = within(PATIENCE, "an answer", store.apply(&step)).await;
    assert_eq!(kind(applied), PortErrorKind::Unavailable);
    other.batch_execute("ROLLBACK").await.expect("it was open");
    let store = test_db.open();
    assert_eq!(fold(&store, &step).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_loses_its_ballots_to_another_partition_is_done_again_without_them() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let lock = Lock::take(&test_db, Waits::AtCommit).await;
    let (store, (alice, step)) = (test_db.open(), alice_and_step(0));
    let mut elsewhere = step.clone();
    elsewhere.partition = Partition::new(1);
    let first = blocked(&test_db, &store, &step, "1").await;
    // One waits for the lock, one for the ballots of the first transaction, which are not visible yet.
    let second = blocked(&test_db, &store, &elsewhere, "2").await;
    lock.release().await;
    for (applying, expected) in [(first, 20), (second, 0)] {
        let applied = applying.await.expect("no panic").expect("applied");
        assert!(
            matches!(applied, Applied::Folded { counted, .. } if counted == expected),
            "{applied:?}"
        );
    }
    assert_eq!(votes(&store, &alice).await, 20);
}
