//! The store in a database of its own, as the contract suite wants it.

use std::sync::Arc;

use async_trait::async_trait;
use cast_adapters::postgres::{PostgresOptions, PostgresStore, migrate};
use cast_core::{
    domain::{Candidate, LogPosition, LoggedBallot, Offset, Partition},
    ports::VoteStore,
};
use cast_testkit::{
    contract::{Harness, Skipped, vote_store::VoteStoreHarness},
    fixtures::Fixtures,
};

pub mod shim;
use shim as servers;
pub use servers::Database;

/// A database with the tables, and stores in it.
pub struct Store {
    database: Database,
    options: PostgresOptions,
}

pub async fn store() -> Store {
    let server = servers::postgres().await;
    let server = server.expect("a clause needs PostgreSQL");
    Store::in_database(server.create_database().await).await
}

impl Store {
    /// Makes the tables in a database that has none.
    pub async fn in_database(database: Database) -> Self {
        let options: PostgresOptions = database.url().parse().expect("a URL");
        migrate(&options).await.expect("the tables are made");
        Self { database, options }
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    pub fn options(&self) -> PostgresOptions {
        self.options.clone()
    }

    /// A store with connections of its own.
    pub fn connect(&self) -> PostgresStore {
        PostgresStore::new(self.options())
    }
}

#[async_trait]
impl Harness for Store {
    /// The database goes with the harness.
    async fn close(&self) {}
}

#[async_trait]
impl VoteStoreHarness for Store {
    async fn open(&self) -> Arc<dyn VoteStore> {
        Arc::new(self.connect())
    }

    /// One for a candidate who has as many votes already as there can be, in each partition.
    async fn unholdable(&self, fixtures: &Fixtures) -> Result<LoggedBallot, Skipped> {
        let full = fixtures.candidate("full");
        self.database
            .sql(&format!(
                "INSERT INTO totals (candidate, partition, votes, as_of) \
                 SELECT '{full}', partition, {}, 1 FROM generate_series(0, 3) AS p (partition)",
                i64::MAX
            ))
            .await;
        Ok(fixtures.ballot(&[(&full, 1)]))
    }

    async fn rejections(&self) -> Result<Vec<LogPosition>, Skipped> {
        let rows = "SELECT partition, log_offset FROM rejected ORDER BY id";
        let rows = self.database.sql(rows).await;
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

#[expect(dead_code)]
fn unused(_: Candidate) {}
