//! The schema: its migrations, its checks, its constraints, and the view of the results.

use std::time::Duration;

use cast_adapters::postgres::{PostgresOptions, PostgresStore, migrate};
use cast_core::{
    domain::{LoggedBallot, Offset, Partition, PositionedBallot, Rejection, Timestamp},
    ports::{PortErrorKind, VoteStore as _},
};
use cast_testkit::{
    Seed,
    fixtures::{Fixtures, step},
    race,
    servers::{self, Database},
};

use self::postgres::{P0, TestDb, fold, next, options};

mod postgres;

/// An empty database; `None`, with a message, if there is no server.
async fn bare() -> Option<Database> {
    Some(servers::postgres().await?.create_database().await)
}

/// The error of a refused store, from every call, and from the check at the start of a role.
async fn refused(options: PostgresOptions) -> (PortErrorKind, String) {
    let store = PostgresStore::new(options);
    let checked = store.check().await.expect_err("this database will not do");
    let progress = store.progress(P0).await.expect_err("nor here");
    assert_eq!(progress.kind(), checked.kind());
    (checked.kind(), checked.chain())
}

fn assert_says(refusal: &(PortErrorKind, String), what: &str) {
    let (kind, said) = refusal;
    assert_eq!(*kind, PortErrorKind::Misconfigured, "{said}");
    assert!(said.contains(what), "{said:?} says {what:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_the_right_schema_is_refused_with_the_command_to_run() {
    let Some(database) = bare().await else { return };
    let url = database.url().to_owned();
    assert_says(&refused(options(&url)).await, "run `cast-server migrate`");
    let test_db = TestDb::migrated(database).await;
    test_db.open().check().await.expect("all is well");

    test_db
        .sql("CREATE TABLE kept AS TABLE __diesel_schema_migrations")
        .await;
    test_db.sql("DELETE FROM __diesel_schema_migrations").await;
    assert_says(&refused(options(&url)).await, "run `cast-server migrate`");
    test_db
        .sql("INSERT INTO __diesel_schema_migrations TABLE kept")
        .await;

    test_db
        .sql("INSERT INTO __diesel_schema_migrations VALUES ('29991231235959')")
        .await;
    assert_says(&refused(options(&url)).await, "upgrade the binary");
    let migrated = migrate(&options(&url))
        .await
        .expect_err("it is from the future");
    assert_says(&(migrated.kind(), migrated.chain()), "upgrade the binary");
    test_db
        .sql("DELETE FROM __diesel_schema_migrations WHERE version = '29991231235959'")
        .await;

    test_db.open().check().await.expect("all is well again");
    test_db.sql("DROP VIEW votes; DROP TABLE totals").await;
    assert_says(&refused(options(&url)).await, "totals");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_reached_says_whether_it_is_worth_waiting() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let url = test_db.database().url();
    let elsewhere = url.replace(test_db.database().name(), "no_such_database");
    assert_says(&refused(options(&elsewhere)).await, "no_such_database");
    let stranger = format!("{url}?user=stranger");
    let stranger = refused(options(&stranger)).await;
    assert_says(&stranger, "stranger");
    // No server listens on port 1.
    let (kind, said) = refused(options("postgres://cast@127.0.0.1:1/cast")).await;
    assert_eq!(kind, PortErrorKind::Unavailable, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_another_encoding_is_refused() {
    let Some(elsewhere) = bare().await else {
        return;
    };
    let name = format!("{}_latin", elsewhere.name());
    elsewhere
        .sql(&format!(
            "CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
        ))
        .await;
    let options = options(&elsewhere.url().replace(elsewhere.name(), &name));
    // No tables are created that could not be used.
    let made = migrate(&options).await;
    let refusal = refused(options).await;
    elsewhere
        .sql(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await;
    let error = made.expect_err("tables in another encoding");
    assert_says(&(error.kind(), error.chain()), "UTF8");
    assert_says(&refusal, "UTF8");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_may_migrate_at_once_and_the_first_does_it() {
    let Some(database) = bare().await else { return };
    let migrated = race(4, |_| {
        let options = options(database.url());
        async move { migrate(&options).await.expect("the tables are made") }
    })
    .await;
    let worked = migrated.iter().filter(|versions| !versions.is_empty());
    assert_eq!(worked.count(), 1, "{migrated:?}");
    PostgresStore::new(options(database.url()))
        .check()
        .await
        .expect("all is well");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_id_username_count_and_version_in_votes() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let columns = "SELECT string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) \
                   FROM information_schema.columns WHERE table_name = 'votes'";
    let shape = "id bigint, username text, count bigint, version bigint";
    assert_eq!(test_db.sql(columns).await, shape);
    let (store, fixtures) = (test_db.open(), Fixtures::new());
    let (alice, bob) = (fixtures.candidate("alice"), fixtures.candidate("bob"));
    let table = "SELECT * FROM votes ORDER BY id";
    assert_eq!(test_db.sql(table).await, "");
    fold(
        &store,
        &next(P0, 0, &[&fixtures.ballot(&[(&bob, 2), (&alice, 1)])]),
    )
    .await;
    let before = format!("1|{alice}|1|1\n2|{bob}|2|1");
    assert_eq!(test_db.sql(table).await, before);
    // In another partition: the same rows, the same ids.
    fold(
        &store,
        &next(Partition::new(1), 0, &[&fixtures.ballot(&[(&bob, 10)])]),
    )
    .await;
    let empty = step(P0, (1, 40), []);
    fold(&store, &empty).await;
    let after = format!("1|{alice}|1|1\n2|{bob}|12|2");
    assert_eq!(
        test_db.sql(table).await,
        after,
        "a version grows with its count, and only then"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_rows_cannot_be_stored() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let (store, fixtures) = (test_db.open(), Fixtures::new());
    let alice = fixtures.candidate("alice");
    fold(&store, &next(P0, 0, &[&fixtures.ballot(&[(&alice, 2)])])).await;
    let session = test_db.session().await;
    for wrong in [
        "UPDATE progress SET next = -1",
        "UPDATE progress SET partition = -1",
        "UPDATE progress SET last_offset = next",
        "UPDATE progress SET last_ballot = NULL",
        "UPDATE totals SET votes = 0",
        "UPDATE totals SET votes = -1",
        "UPDATE totals SET as_of = 0",
        "UPDATE ballots SET log_offset = -1",
        "UPDATE ballots SET ticket_key = 256",
        "UPDATE ballots SET candidates = '{}', votes = '{}'",
        "UPDATE ballots SET votes = '{1,2}'",
        "UPDATE ballots SET votes = '{0}'",
        "UPDATE ballots SET votes = '{NULL}'",
        "UPDATE ballots SET candidates = '{NULL}'",
        "INSERT INTO ballots TABLE ballots",
        "INSERT INTO candidates (username) SELECT username FROM candidates",
        "INSERT INTO rejected (partition, log_offset, reason) VALUES (0, 0, '')",
        "INSERT INTO rejected (partition, log_offset, reason, bytes, ballot) VALUES (0, 0, '', '', '{}')",
    ] {
        let stored = session.batch_execute(wrong).await;
        let error = stored.expect_err(wrong);
        let class = error.code().map(|code| &code.code()[..2]);
        assert_eq!(class, Some("23"), "{wrong}: a constraint says no");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_beyond_the_columns_are_corrupt_and_their_rejection_is_kept_whole() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let (store, fixtures) = (test_db.open(), Fixtures::new());
    let alice = fixtures.candidate("al\"i\\ce{,}");
    let mut late = fixtures.ballot(&[(&alice, u32::MAX), (&alice, 1)]);
    late.ticket.issued_at = Timestamp::from_unix_ms(u64::MAX);
    let fine = fixtures.ballot(&[(&alice, 1)]);
    let mut steps = vec![next(P0, 0, &[&fine, &late])];
    steps.push(step(P0, (0, u64::MAX), [(0, fine.clone())]));
    steps.push(step(P0, (0, 9), [(u64::MAX, fine.clone())]));
    for step in steps {
        let kinds = [
            store.dry_run(&step).await.map_err(|error| error.kind()),
            store
                .apply(&step)
                .await
                .map(drop)
                .map_err(|error| error.kind()),
        ];
        assert_eq!(kinds, [Err(PortErrorKind::Corrupt); 2], "{step:?}");
    }
    let mut rejecting = next(P0, 0, &[&fine]);
    rejecting.rejections.push(rejection(&late));
    assert_eq!(fold(&store, &rejecting).await, 1);
    let kept = "SELECT ballot->'ticket'->>'issued_at_ms', ballot->'selections'->0->>'votes', \
                ballot->'selections'->1->>'candidate', ballot->>'id' = ballot_id::text, reason FROM rejected";
    let expected = format!("{}|{}|{alice}|t|not\u{fffd}this", u64::MAX, u32::MAX);
    assert_eq!(test_db.sql(kept).await, expected);
    assert_eq!(
        store.recount().await.expect("a recount").votes(),
        [(alice, 1)]
    );
}

/// With a reason that contains a character which PostgreSQL does not allow.
fn rejection(ballot: &LoggedBallot) -> Rejection {
    Rejection::Ballot {
        positioned: PositionedBallot {
            offset: Offset::START,
            ballot: ballot.clone(),
        },
        reason: "not\0this".into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_ballot_of_the_prefix_is_kept_beside_the_progress() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let (store, fixtures) = (test_db.open(), Fixtures::new());
    let alice = fixtures.candidate("alice");
    let ballots: Vec<_> = (0..3).map(|_| fixtures.ballot(&[(&alice, 1)])).collect();
    let placed = (4..).zip(ballots.iter().cloned());
    fold(&store, &step(P0, (0, 9), placed)).await;
    let last = "SELECT next, last_offset, last_ballot FROM progress";
    assert_eq!(test_db.sql(last).await, format!("9|6|{}", ballots[2].id));
    fold(&store, &step(P0, (9, 12), [])).await;
    assert_eq!(test_db.sql(last).await, format!("12|6|{}", ballots[2].id));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leaders_found_by_the_index_are_the_leaders() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let entropy = Seed::from_env_or_random().entropy();
    // Few votes, so that many are equal, and spread unevenly over the partitions.
    let rows: Vec<_> = (0..2_000)
        .map(|_| {
            let (who, partition) = (entropy.below(400), entropy.below(5));
            let votes = 1 + entropy.below(30) * entropy.below(30);
            format!("('c{who:03}', {partition}, {votes}, 1)")
        })
        .collect();
    test_db.sql(&format!(
        "INSERT INTO totals (candidate, partition, votes, as_of) VALUES {} ON CONFLICT DO NOTHING; \
         INSERT INTO progress (partition, next) SELECT partition, 1 FROM generate_series(0, 4) AS p (partition)",
        rows.join(",")
    ))
    .await;
    let all = "SELECT candidate, sum(votes) FROM totals GROUP BY 1 ORDER BY 2 DESC, 1";
    let all = test_db.sql(all).await;
    let all: Vec<_> = all.lines().collect();
    let store = test_db.open();
    for first in [
        1,
        2,
        10,
        57,
        all.len() - 1,
        all.len(),
        all.len() + 1,
        usize::MAX,
    ] {
        let leaders = store.leaders(first).await.expect("the leaders");
        let reported: Vec<_> = leaders
            .iter()
            .map(|leader| format!("{}|{}", leader.candidate, leader.votes))
            .collect();
        assert_eq!(reported, all[..first.min(all.len())], "the first {first}");
        assert!(leaders.iter().all(|leader| leader.version.get() == 5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recount_has_a_limit_of_its_own() {
    let Some(test_db) = TestDb::shared().await else {
        return;
    };
    let mut hasty = test_db.options();
    hasty.statement_timeout = Duration::from_millis(100);
    let (store, fixtures) = (PostgresStore::new(hasty.clone()), Fixtures::new());
    let alice = fixtures.candidate("alice");
    let ballot = fixtures.ballot(&[(&alice, 1)]);
    fold(&test_db.open(), &next(P0, 0, &[&ballot])).await;
    // A view in the place of the table makes each query slow.
    test_db
        .sql(
            "ALTER TABLE ballots RENAME TO fast; \
         CREATE VIEW ballots AS SELECT fast.* FROM fast, pg_sleep(0.5)",
        )
        .await;
    let fate = store.ballot(ballot.id).await;
    let slow = fate.map_err(|error| error.kind());
    assert_eq!(slow, Err(PortErrorKind::Unavailable));
    assert_eq!(
        store.recount().await.expect("a recount").votes(),
        [(alice, 1)]
    );
    hasty.recount_timeout = Duration::from_millis(100);
    let recount = PostgresStore::new(hasty).recount().await;
    let slow = recount.map_err(|error| error.kind());
    assert_eq!(slow, Err(PortErrorKind::Unavailable));
}
