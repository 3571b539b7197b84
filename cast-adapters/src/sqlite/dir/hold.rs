//! Who reads a folder from its beginning keeps its server from dropping records meanwhile: otherwise the
//! copy of the log might begin after the progress of the older copy of the store.
//!
//! The marker of the folder is locked, which the system unlocks when a process ends. Where files cannot be
//! locked, no server runs.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use super::{error::DataDirError, format};

fn open(folder: &Path) -> Result<File, DataDirError> {
    let path = folder.join(format::NAME);
    File::open(&path).map_err(|error| DataDirError::of(&error, "opening", &path))
}

/// Keeps all records, until the file is dropped. It waits for a round of dropping that runs.
pub(in crate::sqlite) fn keep(folder: &Path) -> Result<File, DataDirError> {
    let file = open(folder)?;
    let _ = file.lock_shared();
    Ok(file)
}

/// The right to drop records, until the file is dropped; `None` while another process keeps them.
pub(in crate::sqlite) fn drop_records(folder: &Path) -> Result<Option<File>, DataDirError> {
    let file = open(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            let path = folder.join(format::NAME);
            Err(DataDirError::of(&error, "locking", &path))
        }
    }
}
