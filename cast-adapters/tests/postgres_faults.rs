//! What the store makes of a server that fails, and of callers that do.

use std::time::Duration;

use cast_adapters::postgres::PostgresStore;
use cast_core::{
    domain::{Candidate, FoldStep, Offset, Partition},
    ports::{Applied, PortError, PortErrorKind, VoteStore as _},
};
use cast_testkit::{
    eventually,
    fixtures::Fixtures,
    servers::{Database, Link, Postgres, Proxy},
    within,
};

use self::postgres::{Home, P0, PATIENCE, fold, next, votes};

mod postgres;

/// Every connection of a store, but not of who looks at them.
const STORES: &str =
    "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cast'";

/// Takes, and gives back, what transactions wait for in a home made [`waiting`].
const THE_LOCK: &str = "SELECT pg_advisory_lock(7)";
const LET_GO: &str = "SELECT pg_advisory_unlock(7)";

#[derive(Clone, Copy)]
enum Waits {
    InTheMiddle,
    AtCommit,
}

/// Makes every transaction that counts a ballot wait for [`THE_LOCK`].
async fn waiting(home: &Home, waits: Waits) {
    let deferred = match waits {
        Waits::InTheMiddle => "",
        Waits::AtCommit => "DEFERRABLE INITIALLY DEFERRED",
    };
    home.sql(&format!(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON ballots {deferred} \
         FOR EACH ROW EXECUTE FUNCTION wait()"
    ))
    .await;
}

/// Applies a step in a task.
fn applying(
    store: &PostgresStore,
    step: &FoldStep,
) -> tokio::task::JoinHandle<Result<Applied, PortError>> {
    let (store, step) = (store.clone(), step.clone());
    tokio::spawn(async move { store.apply(&step).await })
}

fn kind(result: Result<Applied, PortError>) -> PortErrorKind {
    result.expect_err("nothing was acknowledged").kind()
}

fn alice_and_step(start: u64) -> (Candidate, FoldStep) {
    let fixtures = Fixtures::new();
    let alice = fixtures.candidate("alice");
    let ballots: Vec<_> = (0..20).map(|_| fixtures.ballot(&[(&alice, 1)])).collect();
    (alice, next(P0, start, &ballots.iter().collect::<Vec<_>>()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_in_the_middle_of_a_transaction_takes_it_along() {
    let Some(home) = Home::shared().await else {
        return;
    };
    waiting(&home, Waits::InTheMiddle).await;
    let (store, (alice, step)) = (home.open(), alice_and_step(0));
    let somebody = home.session().await;
    somebody
        .batch_execute(THE_LOCK)
        .await
        .expect("nobody has it");
    let applying = applying(&store, &step);
    home.until_blocked("1").await;
    home.sql(&format!("SELECT pg_terminate_backend(pid) {STORES}"))
        .await;
    let applied = applying.await.expect("no panic");
    assert_eq!(
        kind(applied),
        PortErrorKind::Unavailable,
        "before COMMIT nothing happened"
    );
    somebody.batch_execute(LET_GO).await.expect("it was held");
    assert_eq!(votes(&store, &alice).await, 0);
    assert_eq!(fold(&store, &step).await, 20, "on a new connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_commit_leaves_the_outcome_unknown() {
    let Some(home) = Home::shared().await else {
        return;
    };
    waiting(&home, Waits::AtCommit).await;
    let (store, (alice, step)) = (home.open(), alice_and_step(0));
    let somebody = home.session().await;
    somebody
        .batch_execute(THE_LOCK)
        .await
        .expect("nobody has it");
    let applying = applying(&store, &step);
    home.until_blocked("1").await;
    home.sql(&format!("SELECT pg_terminate_backend(pid) {STORES}"))
        .await;
    let applied = applying.await.expect("no panic");
    assert_eq!(kind(applied), PortErrorKind::OutcomeUnknown);
    somebody.batch_execute(LET_GO).await.expect("it was held");
    assert_eq!(
        fold(&store, &step).await,
        20,
        "this time it had not happened"
    );
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_happened_and_was_not_told_is_met_by_the_fence() {
    let Some(home) = Home::shared().await else {
        return;
    };
    waiting(&home, Waits::AtCommit).await;
    let proxy = Proxy::before(home.database().url()).await;
    let home = home.by_url(proxy.url());
    let (alice, step) = alice_and_step(0);
    let mut hasty = home.options();
    // Long enough to come to the COMMIT, which takes the lock's owner no time to let happen.
    hasty.transaction_timeout = Duration::from_secs(3);
    let store = PostgresStore::new(hasty);
    let somebody = home.session().await;
    somebody
        .batch_execute(THE_LOCK)
        .await
        .expect("nobody has it");
    let applying = applying(&store, &step);
    home.until_blocked("1").await;
    proxy.set(Link::Mute);
    somebody.batch_execute(LET_GO).await.expect("it was held");
    let applied = applying.await.expect("no panic");
    assert_eq!(kind(applied), PortErrorKind::OutcomeUnknown);
    home.until("SELECT sum(votes) FROM totals", "20").await;
    proxy.set(Link::Open);
    let progress = Offset::new(1);
    let again = store.apply(&step).await.expect("an answer");
    assert_eq!(again, Applied::Fenced { progress });
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_frozen_holds_nobody_longer_than_the_deadline() {
    let Some(mut server) = Postgres::start().await else {
        return;
    };
    let home = Home::furnished(server.create_database().await).await;
    let mut hasty = home.options();
    hasty.connect_timeout = Duration::from_secs(3);
    hasty.transaction_timeout = Duration::from_secs(3);
    let (store, (alice, step)) = (PostgresStore::new(hasty), alice_and_step(0));
    // Once with a connection that is open already, once where it must be made.
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
        fold(&home.open(), &step).await,
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
    let home = Home::furnished(server.create_database().await).await;
    let store = home.open();
    let fixtures = Fixtures::new();
    let alice = fixtures.candidate("alice");
    let ballots: Vec<_> = (0..STEPS)
        .map(|_| fixtures.ballot(&[(&alice, 1)]))
        .collect();
    let steps: Vec<_> = (0..)
        .zip(&ballots)
        .map(|(start, ballot)| next(P0, start, &[ballot]))
        .collect();
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
    let Some(home) = Home::shared().await else {
        return;
    };
    // Whoever waits so long looks for a deadlock, and is its victim: the store, and nobody else.
    let url = format!(
        "{}?options=-c%20deadlock_timeout%3D2s",
        home.database().url()
    );
    let home = home.by_url(url);
    let (store, (alice, first)) = (home.open(), alice_and_step(0));
    fold(&store, &first).await;
    let bob = Fixtures::new();
    let step = next(P0, 1, &[&bob.ballot(&[(&bob.candidate("bob"), 1)])]);
    let somebody = home.session().await;
    let bobs_name = format!(
        "SET deadlock_timeout = '1h'; BEGIN; INSERT INTO candidates (username) VALUES ('{}')",
        bob.candidate("bob")
    );
    somebody
        .batch_execute(&bobs_name)
        .await
        .expect("the name is free");
    let applying = applying(&store, &step);
    home.until_blocked("1").await;
    // Waits for the store, which waits for the name.
    let circle = somebody.batch_execute("UPDATE progress SET next = next; ROLLBACK");
    circle.await.expect("it is the other one's turn to fail");
    let applied = applying.await.expect("no panic");
    assert_eq!(kind(applied), PortErrorKind::Unavailable);
    assert_eq!(fold(&store, &step).await, 1);
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gives_up_lets_the_transaction_end() {
    let Some(home) = Home::shared().await else {
        return;
    };
    waiting(&home, Waits::InTheMiddle).await;
    let (store, (alice, step)) = (home.open(), alice_and_step(0));
    let somebody = home.session().await;
    somebody
        .batch_execute(THE_LOCK)
        .await
        .expect("nobody has it");
    let applying = applying(&store, &step);
    home.until_blocked("1").await;
    applying.abort();
    assert!(applying.await.is_err_and(|ended| ended.is_cancelled()));
    somebody.batch_execute(LET_GO).await.expect("it was held");
    home.until("SELECT next FROM progress", "1").await;
    assert_eq!(votes(&store, &alice).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_keeps_holds_a_step_no_longer_than_the_servers_limit() {
    let Some(home) = Home::shared().await else {
        return;
    };
    let mut hasty = home.options();
    hasty.statement_timeout = Duration::from_millis(200);
    let (store, (_, step)) = (PostgresStore::new(hasty), alice_and_step(0));
    let somebody = home.session().await;
    let lock = somebody.batch_execute("BEGIN; LOCK TABLE progress");
    lock.await.expect("nobody has it");
    let applied = within(PATIENCE, "an answer", store.apply(&step)).await;
    assert_eq!(kind(applied), PortErrorKind::Unavailable);
    somebody
        .batch_execute("ROLLBACK")
        .await
        .expect("it was open");
    let store = home.open();
    assert_eq!(fold(&store, &step).await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_loses_its_ballots_to_another_partition_is_done_again_without_them() {
    let Some(home) = Home::shared().await else {
        return;
    };
    waiting(&home, Waits::AtCommit).await;
    let (store, (alice, step)) = (home.open(), alice_and_step(0));
    let mut elsewhere = step.clone();
    elsewhere.partition = Partition::new(1);
    let somebody = home.session().await;
    let lock = somebody.batch_execute(THE_LOCK).await;
    lock.expect("nobody has it");
    let first = applying(&store, &step);
    home.until_blocked("1").await;
    let second = applying(&store, &elsewhere);
    // One for the lock, one for the first one's ballots, which it could not know of.
    home.until_blocked("2").await;
    let let_go = somebody.batch_execute(LET_GO).await;
    let_go.expect("it was held");
    for (applying, expected) in [(first, 20), (second, 0)] {
        let applied = applying.await.expect("no panic").expect("applied");
        assert!(
            matches!(applied, Applied::Folded { counted, .. } if counted == expected),
            "{applied:?}"
        );
    }
    assert_eq!(votes(&store, &alice).await, 20);
}

/// Makes a copy of a database, of which nobody may have a connection meanwhile.
async fn back_up(from: &Database, name: &str, backup: &str) {
    let users = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
    eventually(PATIENCE, "nobody uses it", || async {
        (from.sql(&users).await == "0").then_some(())
    })
    .await;
    from.sql(&format!("CREATE DATABASE {backup} TEMPLATE {name}"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_put_back_to_a_backup_is_folded_again_from_there() {
    let Some(server) = Postgres::start().await else {
        return;
    };
    let elsewhere = server.create_database().await;
    let home = Home::furnished(server.create_database().await).await;
    let name = home.database().name();
    let steps: Vec<_> = (0..10).map(|start| alice_and_step(start).1).collect();
    for step in &steps[..4] {
        fold(&home.open(), step).await;
    }
    back_up(&elsewhere, name, "backup").await;

    // This store lives through it all.
    let store = home.open();
    for step in &steps[4..8] {
        fold(&store, step).await;
    }
    elsewhere
        .sql(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await;
    elsewhere
        .sql(&format!("ALTER DATABASE backup RENAME TO {name}"))
        .await;
    let fenced = eventually(PATIENCE, "the store finds its way back", || async {
        match store.apply(&steps[8]).await {
            Ok(applied) => Some(applied),
            Err(error) => {
                assert!(error.is_transient(), "{}", error.chain());
                None
            }
        }
    })
    .await;
    let progress = Offset::new(4);
    assert_eq!(
        fenced,
        Applied::Fenced { progress },
        "the backup knows where it is"
    );
    for again in &steps[4..] {
        assert_eq!(fold(&store, again).await, 20);
    }
    let recounted = store.recount().await.expect("a recount").votes();
    let counts: Vec<_> = recounted.into_iter().map(|(_, votes)| votes).collect();
    assert_eq!(counts, [20; 10], "each step was for somebody else");
}
