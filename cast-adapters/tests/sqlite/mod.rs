//! Data folders, for the contract suites and other tests.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod votes;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cast_adapters::{
    sqlite::{DataDir, DataDirOptions},
    system::SystemClock,
};
use cast_core::{
    domain::{LogPosition, LoggedBallot, Offset, Partition, Partitions},
    ports::{EventBus, VoteStore},
};
use cast_testkit::{
    contract::{Harness, Skipped, event_bus::EventBusHarness, vote_store::VoteStoreHarness},
    fixtures::Fixtures,
};
use diesel::{
    Connection as _, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _,
    dsl::sql, sql_types::BigInt,
};
use tempfile::TempDir;

pub(crate) const PARTITIONS: Partitions = Partitions::new(3).expect("three");

/// A folder of its own, opened.
pub(crate) struct Folder {
    pub(crate) path: TempDir,
    pub(crate) data: DataDir,
    /// A connection of another program that keeps the log from being written.
    writer: Mutex<Option<SqliteConnection>>,
}

pub(crate) fn options() -> DataDirOptions {
    DataDirOptions {
        partitions: PARTITIONS,
        ..DataDirOptions::default()
    }
}

pub(crate) fn open(path: &TempDir) -> DataDir {
    let opened = DataDir::open(path.path(), &options(), Arc::new(SystemClock));
    opened.expect("the folder is opened")
}

pub(crate) fn folder() -> Folder {
    let path = TempDir::new().expect("a folder");
    Folder {
        data: open(&path),
        path,
        writer: Mutex::default(),
    }
}

/// A connection of another program to a file of a folder.
pub(crate) fn connect(path: &TempDir, file: &str) -> SqliteConnection {
    let path = path.path().join(file);
    let connected = SqliteConnection::establish(path.to_str().expect("UTF-8"));
    connected.expect("the file is there")
}

#[async_trait]
impl Harness for Folder {
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    async fn close(&self) {}
}

#[async_trait]
impl EventBusHarness for Folder {
    async fn open(&self) -> Arc<dyn EventBus> {
        Arc::new(self.data.bus())
    }

    async fn append_unreadable(&self, partition: Partition, bytes: &[u8]) -> Result<(), Skipped> {
        let appended = self.data.bus().append_unreadable(partition, bytes).await;
        appended.expect("the log takes what it cannot read");
        Ok(())
    }

    /// Another program writes the file for as long as it likes.
    async fn obstruct(&self, obstructed: bool) -> Result<(), Skipped> {
        let mut writer = self.writer.lock().expect("not poisoned");
        *writer = None;
        if obstructed {
            let mut connection = connect(&self.path, "log.db");
            let begun = connection.batch_execute("BEGIN IMMEDIATE");
            begun.expect("no transaction is open");
            *writer = Some(connection);
        }
        Ok(())
    }

    async fn truncate(&self, partition: Partition, before: Offset) -> Result<(), Skipped> {
        let dropped = self.data.bus().drop_before(partition, before).await;
        dropped.expect("the records are dropped");
        Ok(())
    }
}

#[async_trait]
impl VoteStoreHarness for Folder {
    async fn open(&self) -> Arc<dyn VoteStore> {
        Arc::new(self.data.store())
    }

    /// A ballot for a candidate that has the largest total in each partition.
    async fn unholdable(&self, fixtures: &Fixtures) -> Result<LoggedBallot, Skipped> {
        let full = fixtures.candidate("full");
        let largest = i64::MAX;
        let filled = connect(&self.path, "votes.db").batch_execute(&format!(
            "INSERT INTO candidates (username, votes) VALUES ('{full}', {largest}); \
             INSERT INTO totals (candidate, partition, votes, as_of) \
             SELECT number, value, {largest}, 1 FROM candidates, json_each('[0, 1, 2, 3]') \
             WHERE username = '{full}'"
        ));
        filled.expect("the totals are changed");
        Ok(fixtures.ballot(&[(&full, 1)]))
    }

    async fn rejections(&self) -> Result<Vec<LogPosition>, Skipped> {
        let rows = "SELECT position FROM rejected ORDER BY number";
        let rows = sql::<BigInt>(rows).get_results(&mut connect(&self.path, "votes.db"));
        let rows: Vec<i64> = rows.expect("the file answers");
        let position = |number: i64| LogPosition {
            partition: Partition::new(u32::try_from(number >> 48).expect("a partition")),
            offset: Offset::new(number.unsigned_abs() % (1 << 48)),
        };
        Ok(rows.into_iter().map(position).collect())
    }
}
