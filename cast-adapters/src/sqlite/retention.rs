//! Drops old records of the log: those that neither the store nor a restored backup will need again.

use std::{path::PathBuf, time::Duration};

use cast_core::{
    domain::{Offset, Partition},
    ports::{BoxError, PortError, VoteStore as _},
};

use super::{
    dir::{self, DataDirError},
    log::SqliteBus,
    store::SqliteStore,
};

const DROPPING: &str = "dropping old records of the log";

/// What is dropped of the log of a folder: records that are older than an age, and that both the last
/// verified backup and the store on the disk have.
#[derive(Clone)]
pub struct Retention {
    pub(super) folder: PathBuf,
    pub(super) bus: SqliteBus,
    pub(super) store: SqliteStore,
    pub(super) age: Duration,
}

impl Retention {
    /// Drops what may be dropped now. Returns how many records that were: none while a backup is made, or
    /// without one, or while the store's file is in use for longer than a moment.
    ///
    /// # Errors
    ///
    /// As those of reading and writing the log and the store; `Misconfigured` if it cannot be known which
    /// records the last backup has. Some of the records may be dropped.
    pub async fn drop_old(&self) -> Result<u64, PortError> {
        let folder = self.folder.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let right = dir::drop_records(&folder)?;
            let backup = dir::backed_up(&folder)?;
            Ok::<_, DataDirError>(right.zip(backup))
        });
        let looked = looking.await.map_err(|error| failed(error.into()))?;
        let found = looked.map_err(|error| PortError::misconfigured(DROPPING, error))?;
        // Held until everything is dropped.
        let Some((_right, backup)) = found else {
            return Ok(0);
        };
        let mut dropped = 0;
        for end in backup {
            let old = self.bus.old_records(end, self.age).await?;
            let before = old.end.min(self.synced(end.partition).await?);
            if before > old.start {
                self.bus.drop_before(end.partition, before).await?;
                dropped += before.get() - old.start.get();
            }
        }
        Ok(dropped)
    }

    /// Up to where the disk has what the store folded, whatever happens: the start, where that is not known.
    async fn synced(&self, partition: Partition) -> Result<Offset, PortError> {
        // Read before everything is synced.
        let progress = self.store.progress(partition).await?.next;
        let is_synced = self.store.sync().await?;
        Ok(if is_synced { progress } else { Offset::START })
    }
}

fn failed(error: BoxError) -> PortError {
    PortError::unavailable(DROPPING, error)
}
