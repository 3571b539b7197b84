//! What the two files of a folder share.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::sync::oneshot;

/// The file of the log.
pub(super) const LOG: &str = "log.db";

/// The file of the store.
pub(super) const VOTES: &str = "votes.db";

/// A folder with both files.
pub(super) struct Folder {
    path: PathBuf,
    vfs: Option<String>,
    /// How often a commit to either file had an unknown outcome.
    doubts: AtomicU64,
    /// Dropped with the folder, in this order: first the lock is released, then that is known.
    _lock: Option<fs::File>,
    _closed: oneshot::Sender<()>,
}

impl Folder {
    /// The folder at this path, and what is cancelled when all its files are closed and the lock is
    /// released. `vfs` names a VFS that was registered with SQLite; without it, SQLite takes the system's.
    pub(super) fn new(
        path: PathBuf,
        vfs: Option<String>,
        lock: Option<fs::File>,
    ) -> (Self, oneshot::Receiver<()>) {
        let (closed, is_closed) = oneshot::channel();
        let folder = Self {
            path,
            vfs,
            doubts: AtomicU64::new(0),
            _lock: lock,
            _closed: closed,
        };
        (folder, is_closed)
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
