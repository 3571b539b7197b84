use std::fs;

use cast_testkit::{
    eventually,
    servers::{self, Mode, Postgres, Private},
    within,
};

use crate::client::{DEADLINE, is_killed};

#[tokio::test]
async fn postgres_keeps_its_rows_when_killed() {
    let Some(mut postgres) = Postgres::start().await else {
        return;
    };
    let database = postgres.create_database().await;
    database.sql("CREATE TABLE t AS SELECT 7 AS seven").await;
    is_killed(&mut postgres).await;
    postgres.restart().await;
    assert_eq!(database.sql("SELECT seven, 'x' FROM t").await, "7|x");
    postgres.empty().await;
    assert_eq!(databases(&postgres).await, "cast\npostgres");

    postgres
        .create_database()
        .await
        .sql("CREATE TABLE t ()")
        .await;
    postgres.restart_empty().await;
    assert_eq!(databases(&postgres).await, "cast\npostgres");
}

#[tokio::test]
async fn a_postgres_is_frozen_with_its_backends() {
    let Some(mut postgres) = Postgres::start_as(Mode::Durable).await else {
        return;
    };
    let (database, other) = (
        postgres.create_database().await,
        postgres.create_database().await,
    );
    let statement = tokio::spawn(async move { database.sql("SELECT pg_sleep(600)").await });
    eventually(DEADLINE, "a backend that sleeps", async || {
        let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        (other.sql(sleeping).await == "1").then_some(())
    })
    .await;

    let pid = postgres.pid().expect("it runs");
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.expect("it runs");
    postgres.freeze().await;
    for process in children.split_whitespace() {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let state = status
            .lines()
            .find_map(|line| line.strip_prefix("State:\t"));
        // The short-lived ones have ended, and wait for their parent.
        assert!(
            matches!(state, Some("T (stopped)" | "Z (zombie)") | None),
            "{state:?}"
        );
    }
    postgres.thaw().await;
    assert_eq!(other.sql("SELECT 1").await, "1");

    drop(postgres);
    assert!(
        within(DEADLINE, "the statement's end", statement)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn databases_of_a_shared_postgres_are_dropped() {
    let Some(postgres) = servers::postgres().await else {
        return;
    };
    let (one, other) = (
        postgres.create_database().await,
        postgres.create_database().await,
    );
    one.sql("CREATE TABLE t ()").await;
    other.sql("CREATE TABLE t ()").await;
    let name = one.name().to_owned();
    drop(one);
    let left = other
        .sql(&format!(
            "SELECT 1 FROM pg_database WHERE datname = '{name}'"
        ))
        .await;
    assert_eq!(left, "");
}

#[tokio::test]
async fn a_database_is_restored_from_its_backup() {
    let Some(postgres) = servers::postgres().await else {
        return;
    };
    let database = postgres.create_database().await;
    database
        .sql("CREATE TABLE t AS SELECT $$old; \\'€$$ || chr(10) AS what")
        .await;
    let old = database.sql("SELECT * FROM t").await;
    let backup = database.backup().await;
    for _ in 0..2 {
        database.sql("INSERT INTO t VALUES ('new')").await;
        database.restore(&backup).await;
        assert_eq!(database.sql("SELECT * FROM t").await, old);
    }
    let left = format!(
        "SELECT count(*) FROM pg_database WHERE datname = '{}'",
        database.name()
    );
    assert_eq!(database.sql(&left).await, "1");
}

#[tokio::test]
async fn a_killed_postgres_leaves_no_shared_memory_behind() {
    let Some(mut postgres) = Postgres::start().await else {
        return;
    };
    let first = interlock(&postgres);
    postgres.kill().await;
    postgres.restart_empty().await;
    let second = interlock(&postgres);
    postgres.kill().await;
    for left in [&first, &second] {
        assert!(shared_memory().contains(left), "{left}");
    }
    drop(postgres);
    for left in [&first, &second] {
        assert!(!shared_memory().contains(left), "{left}");
    }
}

/// All databases but the templates.
async fn databases(postgres: &Postgres) -> String {
    let probe = postgres.create_database().await;
    let list = format!(
        "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> '{}' ORDER BY 1",
        probe.name(),
    );
    probe.sql(&list).await
}

/// The id of its segment.
fn interlock(postgres: &Private<Postgres>) -> String {
    let lock = fs::read_to_string(postgres.folder().join("data/postmaster.pid"));
    let lock = lock.expect("it runs");
    let memory = lock
        .lines()
        .nth(6)
        .and_then(|line| line.split_whitespace().last());
    memory.expect("the seventh line names it").to_owned()
}

/// The ids of the segments that are there.
fn shared_memory() -> Vec<String> {
    let table = fs::read_to_string("/proc/sysvipc/shm").expect("Linux has the table");
    table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
        .collect()
}
