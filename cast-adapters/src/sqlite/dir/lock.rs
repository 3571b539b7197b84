//! The lock: one process at a time uses a folder.

use std::{
    fs::{self, File, TryLockError},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use super::error::DataDirError;

/// The name of the file that is locked. Nothing else ever opens it: the system would release the lock of
/// this process with any of its handles to the file.
pub(super) const NAME: &str = "lock";

/// Locks a folder, until the file is dropped. The system releases the lock when the process ends.
pub(super) fn take(folder: &Path) -> Result<File, DataDirError> {
    let path = folder.join(NAME);
    let file = File::options()
        .create(true)
        .mode(0o600)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path);
    let mut file = file.map_err(|error| DataDirError::of(&error, "opening", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(in_use(folder, &path)),
        Err(TryLockError::Error(error)) => {
            return Err(DataDirError::because(format!(
                "the file system of {} cannot lock files ({error}), so two servers could write \
                     there at once: take a folder on a disk of this machine with --data-dir",
                folder.display()
            )));
        }
    }
    // For the message of another process alone: a lock without it is held too.
    let _ = file.set_len(0);
    let _ = writeln!(file, "process {} on {}", std::process::id(), host());
    Ok(file)
}

fn in_use(folder: &Path, path: &Path) -> DataDirError {
    let holder = fs::read_to_string(path).unwrap_or_default();
    let holder = match holder.trim() {
        "" => "another process",
        holder => holder,
    };
    DataDirError::because(format!(
        "{} is used by {holder}: stop it first, or give this server a folder of its own with --data-dir",
        folder.display()
    ))
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "this machine".into(),
        name => name.into(),
    }
}
