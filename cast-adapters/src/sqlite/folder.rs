//! What the two files of a folder share.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// A folder with both files.
pub(super) struct Folder {
    path: PathBuf,
    vfs: Option<String>,
    /// How often a commit to either file had an unknown outcome.
    doubts: AtomicU64,
}

impl Folder {
    /// The folder at this path. `vfs` names a VFS that was registered with SQLite; without it, SQLite
    /// takes the system's.
    pub(super) const fn new(path: PathBuf, vfs: Option<String>) -> Self {
        Self {
            path,
            vfs,
            doubts: AtomicU64::new(0),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn vfs(&self) -> Option<&str> {
        self.vfs.as_deref()
    }

    /// How often a commit to either file had an unknown outcome: when it grows, both are opened again.
    pub(super) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::Acquire)
    }

    /// Notes that the disk may not hold what was written to it.
    pub(super) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
    }
}
