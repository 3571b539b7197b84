//! The folder of one machine.

use std::{path::Path, sync::Arc, time::Duration};

use cast_adapters::{
    sqlite::{DataDir, DataDirError, DataDirOptions, SqliteStore},
    system::SystemClock,
};
use cast_core::domain::{Clock, Entropy, KeyRing};
use tokio_util::task::AbortOnDropHandle;

use super::error::WiringError;
use crate::config::{ConfigError, Urls};

/// How often old records are dropped.
const DROP_EVERY: Duration = Duration::from_mins(10);

/// A folder that this process locks.
pub struct Data {
    folder: DataDir,
    /// Drops old records, until it is aborted.
    dropping: Option<AbortOnDropHandle<()>>,
}

impl Data {
    pub(super) const fn of(folder: DataDir) -> Self {
        Self {
            folder,
            dropping: None,
        }
    }

    /// Drops records of the log from now on that are older than `age`, and that the last backup has. To be
    /// called on the runtime.
    pub fn drop_older_than(&mut self, age: Duration) {
        let retention = self.folder.retention(age);
        let dropping = tokio::spawn(async move {
            loop {
                match retention.drop_old().await {
                    Ok(0) => {}
                    Ok(records) => tracing::info!(records, "old records of the log were dropped"),
                    Err(error) => tracing::warn!(
                        cause = error.chain(),
                        "old records of the log are kept for now"
                    ),
                }
                SystemClock.sleep(DROP_EVERY).await;
            }
        });
        self.dropping = Some(AbortOnDropHandle::new(dropping));
    }

    /// The folder's key ring; a new one, if it has none.
    pub fn key_ring(&self, entropy: &dyn Entropy) -> Result<KeyRing, WiringError> {
        Ok(self.folder.key_ring(entropy)?)
    }

    /// Waits until everything is written and the folder is free for another process.
    pub async fn close(self) {
        if let Some(dropping) = self.dropping {
            dropping.abort();
            // It has ended when it has no handle to the folder.
            let _ = dropping.await;
        }
        self.folder.close().await;
    }
}

/// How a folder is opened.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// Locked, to write it.
    Lock,
    /// To read it beside its server.
    Inspect,
}

/// Opens the folder of the log and the store, if they are in one.
pub(super) fn folder(
    urls: &Urls,
    clock: &Arc<dyn Clock>,
    access: Access,
) -> Result<Option<DataDir>, WiringError> {
    let bus = urls.votes.bus.bus_url.folder();
    let store = urls.votes.store.store_url.folder();
    let folder = match (bus, store) {
        (None, None) => return Ok(None),
        (Some(bus), Some(store)) if bus == store => bus,
        _ => {
            let what = "--bus-url and --store-url must both be `sqlite:` with the same folder: one \
                        process locks it, and its store is the fold of its log";
            return Err(ConfigError(what.into()).into());
        }
    };
    let clock = Arc::clone(clock);
    let opened = match access {
        Access::Lock => DataDir::open(folder, &DataDirOptions::default(), clock),
        Access::Inspect => DataDir::inspect(folder, clock),
    };
    Ok(Some(opened?))
}

/// What a folder has, to be listed beside its server.
pub fn listed(folder: &Path) -> Result<Arc<SqliteStore>, WiringError> {
    let data = DataDir::inspect(folder, Arc::new(SystemClock))?;
    Ok(Arc::new(data.store()))
}

/// Locks a folder whose votes are to be moved.
pub(super) fn moving(folder: &Path) -> Result<DataDir, DataDirError> {
    let options = DataDirOptions {
        moved: true,
        ..DataDirOptions::default()
    };
    DataDir::open(folder, &options, Arc::new(SystemClock))
}
