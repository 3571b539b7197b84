//! Stores in new databases, for the contract suite and other tests.

#![expect(dead_code, reason = "each test uses a part of it")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cast_adapters::postgres::{PostgresOptions, PostgresStore, migrate};
use cast_core::{
    domain::{Candidate, FoldStep, LogPosition, LoggedBallot, Offset, Partition},
    ports::{Applied, VoteStore},
};
use cast_testkit::{
    contract::{Harness, Skipped, vote_store::VoteStoreHarness},
    eventually,
    fixtures::Fixtures,
    servers::{self, Database},
};
use tokio_postgres::{Client, NoTls};

/// Nothing here takes long, but the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const P0: Partition = Partition::new(0);

/// A database with the schema.
pub(crate) struct TestDb {
    database: Database,
    url: String,
}

impl TestDb {
    /// On the server that all tests of this process share; `None`, with a message, if there is none.
    pub(crate) async fn shared() -> Option<Self> {
        let database = servers::postgres().await?.create_database().await;
        Some(Self::migrated(database).await)
    }

    /// Migrates an empty database.
    pub(crate) async fn migrated(database: Database) -> Self {
        let test_db = Self {
            url: database.url().to_owned(),
            database,
        };
        migrate(&test_db.options())
            .await
            .expect("the tables are made");
        test_db
    }

    /// The same, reached by another URL.
    pub(crate) fn by_url(self, url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..self
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) async fn sql(&self, statement: &str) -> String {
        self.database.sql(statement).await
    }

    /// With long timeouts: a busy machine must not make the tests fail.
    pub(crate) fn options(&self) -> PostgresOptions {
        options(&self.url)
    }

    /// A store with its own connections.
    pub(crate) fn open(&self) -> PostgresStore {
        PostgresStore::new(self.options())
    }

    /// A plain connection, for queries and locks.
    pub(crate) async fn session(&self) -> Client {
        let connected = tokio_postgres::connect(self.database.url(), NoTls).await;
        let (client, connection) = connected.expect("the server is there");
        tokio::spawn(connection);
        client
    }

    /// Waits until this many connections of stores wait for a lock.
    pub(crate) async fn until_blocked(&self, connections: &str) {
        let blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name = 'cast' AND wait_event_type = 'Lock'";
        self.until(blocked, connections).await;
    }

    /// Waits until a query returns a value.
    pub(crate) async fn until(&self, query: &str, expected: &str) {
        eventually(
            PATIENCE,
            format_args!("{query} gives {expected}"),
            || async { (self.sql(query).await == expected).then_some(()) },
        )
        .await;
    }
}

pub(crate) fn options(url: &str) -> PostgresOptions {
    let mut options: PostgresOptions = url.parse().expect("a URL");
    options.connect_timeout = PATIENCE;
    options.statement_timeout = PATIENCE;
    options.transaction_timeout = PATIENCE;
    options
}

/// A step of one record at `start`.
pub(crate) fn next(partition: Partition, start: u64, ballots: &[&LoggedBallot]) -> FoldStep {
    let placed = ballots.iter().map(|ballot| (start, (*ballot).clone()));
    cast_testkit::fixtures::step(partition, (start, start + 1), placed)
}

/// Steps of one ballot each, all for one candidate.
pub(crate) fn single_steps(count: u64) -> (Candidate, Vec<FoldStep>) {
    let fixtures = Fixtures::new();
    let alice = fixtures.candidate("alice");
    let step = |start| next(P0, start, &[&fixtures.ballot(&[(&alice, 1)])]);
    let steps = (0..count).map(step).collect();
    (alice, steps)
}

/// Applies a step that must be the next; returns how many of its ballots were new.
pub(crate) async fn fold(store: &PostgresStore, step: &FoldStep) -> usize {
    match store.apply(step).await.expect("the step is applied") {
        Applied::Folded { counted, .. } => counted,
        fenced @ Applied::Fenced { .. } => panic!("{step:?}: {fenced:?}"),
    }
}

/// A candidate's votes in all partitions.
pub(crate) async fn votes(store: &PostgresStore, candidate: &Candidate) -> u64 {
    let tallies = store.tallies(std::slice::from_ref(candidate)).await;
    tallies.expect("answered")[0].tally().votes
}

/// A harness for the contract suite.
pub(crate) async fn store() -> Result<TestDb, Skipped> {
    let test_db = TestDb::shared().await;
    test_db.ok_or(Skipped::without_server())
}

#[async_trait]
impl Harness for TestDb {
    /// The database is dropped with the harness.
    async fn close(&self) {}
}

#[async_trait]
impl VoteStoreHarness for TestDb {
    async fn open(&self) -> Arc<dyn VoteStore> {
        Arc::new(self.open())
    }

    /// A ballot for a candidate that has the largest total in each partition.
    async fn unholdable(&self, fixtures: &Fixtures) -> Result<LoggedBallot, Skipped> {
        let full = fixtures.candidate("full");
        self.sql(&format!(
            "INSERT INTO totals (candidate, partition, votes, as_of) \
             SELECT '{full}', partition, {}, 1 FROM generate_series(0, 3) AS p (partition)",
            i64::MAX
        ))
        .await;
        Ok(fixtures.ballot(&[(&full, 1)]))
    }

    async fn rejections(&self) -> Result<Vec<LogPosition>, Skipped> {
        let rows = "SELECT partition, log_offset FROM rejected ORDER BY id";
        let rows = self.sql(rows).await;
        let position = |row: &str| {
            let (partition, offset) = row.split_once('|').expect("two columns");
            LogPosition {
                partition: Partition::new(partition.parse().expect("a partition")),
                offset: Offset::new(offset.parse().expect("an offset")),
            }
        };
        Ok(rows.lines().map(position).collect())
    }
}
