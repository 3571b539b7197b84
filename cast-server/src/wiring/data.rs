//! The folder of one machine.

use std::{path::Path, sync::Arc};

use cast_adapters::{
    sqlite::{DataDir, DataDirError, DataDirOptions, SqliteStore},
    system::SystemClock,
};
use cast_core::domain::{Clock, Entropy, KeyRing};

use super::error::WiringError;
use crate::config::{ConfigError, Urls};

/// A folder that this process locks.
pub struct Data(DataDir);

impl Data {
    pub(super) const fn of(folder: DataDir) -> Self {
        Self(folder)
    }

    /// The folder's key ring; a new one, if it has none.
    pub fn key_ring(&self, entropy: &dyn Entropy) -> Result<KeyRing, WiringError> {
        Ok(self.0.key_ring(entropy)?)
    }

    /// Waits until everything is written and the folder is free for another process.
    pub async fn close(self) {
        self.0.close().await;
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
