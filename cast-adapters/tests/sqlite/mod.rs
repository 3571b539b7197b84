//! A data folder for the contract suites.

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
    domain::{Offset, Partition, Partitions},
    ports::EventBus,
};
use cast_testkit::contract::{Harness, Skipped, event_bus::EventBusHarness};
use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
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
