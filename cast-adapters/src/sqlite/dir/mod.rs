//! The data folder of one machine.
//!
//! | file | is |
//! |---|---|
//! | `lock` | locked by the process that uses the folder |
//! | `format` | the version of the folder; written last, when all the others are there |
//! | `keys` | the key ring of the tickets |
//! | `backup` | which records the last backup has |
//! | `log.db` | the log, with SQLite's `log.db-wal` and `log.db-shm` beside it while it is open |
//! | `moved` | how far `cast-server move` is, once it was begun |
//! | `votes.db` | the store, likewise; made again from the log if it is deleted |

mod backed_up;
mod durable;
mod error;
mod format;
mod hold;
mod keys;
mod ledger;
mod lock;

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cast_core::domain::{Clock, Entropy, KeyRing, Offset, Partition, Partitions};
use tokio::sync::oneshot;

pub(super) use backed_up::{read as backed_up, write as note_backup};
pub use error::DataDirError;
pub(super) use hold::{drop_records, keep};
pub(super) use keys::NAME as KEYS;
pub use ledger::MoveLedger;

use super::{folder::Folder, log::SqliteBus, retention::Retention, store::SqliteStore};
use crate::groups::Span;

/// How a folder is opened.
#[derive(Clone, Debug)]
pub struct DataDirOptions {
    /// The partitions of a new log. The number of an old one stays as it is.
    pub partitions: Partitions,
    /// Whether to open a folder whose votes were moved, or are being moved.
    pub moved: bool,
    /// The name of a VFS that was registered with SQLite, for tests.
    #[doc(hidden)]
    pub vfs: Option<String>,
}

impl Default for DataDirOptions {
    /// One partition: one process folds it faster than it takes votes, and the version of a tally is an
    /// offset in the log.
    fn default() -> Self {
        Self {
            partitions: Partitions::ONE,
            moved: false,
            vfs: None,
        }
    }
}

/// A folder that keeps the votes of one machine, and is locked by this process.
///
/// The lock is released when it and all handles to its log and its store are dropped and what they were
/// given is written.
pub struct DataDir {
    path: PathBuf,
    bus: SqliteBus,
    store: SqliteStore,
    closed: oneshot::Receiver<()>,
}

impl DataDir {
    /// Opens a folder, and makes it if there is none. It blocks for a moment.
    ///
    /// # Errors
    ///
    /// With a sentence that says what to do, if another process uses the folder, the disk is read-only,
    /// full or cannot lock, other users may write there, there are files of something else, the data is
    /// of a newer version, or a file is damaged.
    pub fn open(
        path: impl Into<PathBuf>,
        options: &DataDirOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DataDirError> {
        let path = path.into();
        make(&path)?;
        check_owner(&path)?;
        let lock = lock::take(&path)?;
        let is_new = !format::is_marked(&path)?;
        if is_new {
            check_contents(&path)?;
        }
        if !options.moved {
            ledger::refuse_moved(&path)?;
        }
        let (folder, closed) = Folder::new(path.clone(), options.vfs.clone(), Some(lock));
        let folder = Arc::new(folder);
        let partitions = options.partitions;
        let (bus, spans) =
            SqliteBus::open(Arc::clone(&folder), is_new, partitions, Arc::clone(&clock))?;
        let (store, progress) = SqliteStore::open(folder, clock)?;
        check_log_has(&spans, &progress, &path)?;
        if is_new {
            format::mark(&path)?;
        }
        Ok(Self {
            path,
            bus,
            store,
            closed,
        })
    }

    /// Opens a folder to read it, whether a server runs on it or not: it is not locked, and nothing in it
    /// changes. It blocks for a moment.
    ///
    /// # Errors
    ///
    /// With a sentence that says what to do, if it is no data folder, a file is missing or damaged, or the
    /// data is of a newer version.
    pub fn inspect(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self, DataDirError> {
        let path = path.into();
        require_marked(&path)?;
        let (folder, closed) = Folder::new(path.clone(), None, None);
        let folder = Arc::new(folder);
        let bus = SqliteBus::inspect(Arc::clone(&folder), Arc::clone(&clock))?;
        let store = SqliteStore::inspect(folder, clock)?;
        Ok(Self {
            path,
            bus,
            store,
            closed,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its log.
    pub fn bus(&self) -> SqliteBus {
        self.bus.clone()
    }

    /// Its store.
    pub fn store(&self) -> SqliteStore {
        self.store.clone()
    }

    /// Its key ring. The first call for a folder makes one.
    ///
    /// # Errors
    ///
    /// With a sentence that says what to do, if other users may read the file or it is no key ring.
    pub fn key_ring(&self, entropy: &dyn Entropy) -> Result<KeyRing, DataDirError> {
        keys::read_or_make(&self.path, entropy)
    }

    /// What drops records of its log that are older than `age`, and that the last backup has.
    pub fn retention(&self, age: Duration) -> Retention {
        Retention {
            folder: self.path.clone(),
            bus: self.bus(),
            store: self.store(),
            age,
        }
    }

    /// How far a move of its votes is; `None` if none was begun.
    ///
    /// # Errors
    ///
    /// If the ledger cannot be read.
    pub fn move_ledger(&self) -> Result<Option<MoveLedger>, DataDirError> {
        ledger::read(&self.path)
    }

    /// Notes how far a move of its votes is. From the first time on, the folder is refused without
    /// [`DataDirOptions::moved`].
    ///
    /// # Errors
    ///
    /// If the ledger cannot be written.
    pub fn note_move(&self, ledger: &MoveLedger) -> Result<(), DataDirError> {
        ledger::write(&self.path, ledger)
    }

    /// Waits until everything is written and the lock is released. All handles to the log and the store
    /// must be dropped before, or be dropped meanwhile.
    pub async fn close(self) {
        drop((self.bus, self.store));
        // It is never sent, but dropped with the folder.
        let _ = self.closed.await;
    }
}

/// Refuses what is no data folder.
pub(super) fn require_marked(path: &Path) -> Result<(), DataDirError> {
    if format::is_marked(path)? {
        return Ok(());
    }
    Err(DataDirError::because(format!(
        "{} is no data folder: it has no file `{}`",
        path.display(),
        format::NAME
    )))
}

/// Marks a folder whose files are all there.
pub(super) fn mark(path: &Path) -> Result<(), DataDirError> {
    format::mark(path)
}

/// Makes a folder that only its owner can read, if there is none.
pub(super) fn make(path: &Path) -> Result<(), DataDirError> {
    let missing = path.ancestors().take_while(|folder| {
        // The empty path is the directory of the process.
        !folder.as_os_str().is_empty() && !folder.exists()
    });
    let missing: Vec<_> = missing.collect();
    let mut builder = fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(path);
    match made {
        Ok(()) => {
            let mut synced = missing.iter().map(|folder| durable::sync_name(folder));
            let synced = synced.try_for_each(|one| one);
            synced.map_err(|error| DataDirError::of(&error, "syncing the name of", path))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(DataDirError::because(
            format!("{} is a file: give --data-dir a folder", path.display()),
        )),
        Err(error) => Err(DataDirError::of(&error, "making the folder", path)),
    }
}

/// Refuses a log that lacks what the store has: its next votes would be acknowledged, and not be counted.
fn check_log_has(
    spans: &[Span],
    progress: &[(Partition, Offset)],
    path: &Path,
) -> Result<(), DataDirError> {
    for (partition, folded) in progress {
        let span = spans.iter().find(|span| span.partition == *partition);
        let end = span.map_or(0, |span| span.end);
        if folded.get() > end {
            return Err(DataDirError::because(format!(
                "log.db in {} ends at offset {end} of partition {}, and votes.db has folded it up to {}: \
                 the log has lost its end, or belongs to another store: restore the newest backup",
                path.display(),
                partition.get(),
                folded.get()
            )));
        }
    }
    Ok(())
}

/// Refuses a folder that belongs to another user, or in which others may replace files.
fn check_owner(path: &Path) -> Result<(), DataDirError> {
    let found = fs::metadata(path);
    let found = found.map_err(|error| DataDirError::of(&error, "reading", path))?;
    // The process's own entry belongs to the user whom it runs as. Without it, the system's permissions
    // have to do.
    let user = fs::metadata("/proc/self").map_or(found.uid(), |own| own.uid());
    if found.uid() != user {
        return Err(DataDirError::because(format!(
            "{} belongs to another user ({}, and this process runs as {user}), who could not read what \
             is written there: run the server as that user, or take another folder with --data-dir",
            path.display(),
            found.uid()
        )));
    }
    if found.permissions().mode() & 0o022 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(DataDirError::because(format!(
        "other users of this machine may write to {path}: run `chmod 700 {path}`"
    )))
}

/// Refuses a folder that something else keeps its files in.
fn check_contents(path: &Path) -> Result<(), DataDirError> {
    let reading = |error| DataDirError::of(&error, "reading", path);
    for entry in fs::read_dir(path).map_err(reading)? {
        let name = entry.map_err(reading)?.file_name();
        let name = name.to_string_lossy();
        let stem = name.split(['-', '.']).next().unwrap_or_default();
        let is_ours = [
            lock::NAME,
            format::NAME,
            keys::NAME,
            ledger::NAME,
            backed_up::NAME,
            "log",
            "votes",
        ]
        .contains(&stem);
        if !is_ours {
            return Err(DataDirError::because(format!(
                "{} has files of something else ({name}): give --data-dir a folder that is new or empty",
                path.display()
            )));
        }
    }
    Ok(())
}
