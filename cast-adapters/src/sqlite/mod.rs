//! The log and the store in two files of SQLite, for one machine.
//!
//! A [`DataDir`] is a folder with both, which one process locks:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::TempDir::new()?;
//! # let path = folder.path().join("cast-data");
//! use cast_core::domain::{Ballot, Outcome};
//!
//! let cast = cast_adapters::sqlite::start(&path).await?;
//! let ticket = cast.current_ticket().await?;
//! let outcome = cast.vote(Ballot::new(ticket.id).select("alice", 1)?).await?;
//! assert!(matches!(outcome, Outcome::Accepted(_)));
//! cast.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! # What is durable
//!
//! The log is the truth, so it is synced before a ballot is acknowledged (`synchronous=FULL`): a ballot
//! that was acknowledged survives the end of the process and a power cut, if the disk keeps what it said
//! that it keeps. The store is a fold of the log, and is not synced with each step (`synchronous=NORMAL`):
//! after a power cut it is what it was some steps before, and is folded again from its own progress.
//! Tickets and the tallies that are shown are in memory: after a restart, open tickets are refused, and
//! tallies come back from the store.
//!
//! | file | does |
//! |---|---|
//! | `dir` | the folder: its lock, the version of its format, its key ring |
//! | `log`, `store` | the adapters, one file each |
//! | `database` | a file with a thread that writes it (`writer`) and connections that read it (`readers`) |
//! | `file` | how a file is opened, and known to be the right one |

mod backup;
mod damage;
mod database;
mod dir;
mod error;
mod file;
mod folder;
mod inspect;
mod log;
mod position;
mod readers;
mod retention;
mod statement;
mod store;
mod writer;

pub use backup::{backup, restore};
pub use dir::{DataDir, DataDirError, DataDirOptions, MoveLedger};
pub use inspect::{Findings, PartitionFindings, inspect};
pub use log::{Scrubbed, SqliteBus};
pub use retention::Retention;
pub use store::SqliteStore;

use std::{path::PathBuf, sync::Arc};

use cast_core::{Cast, Ports, StartError};

use crate::{
    memory::{MemoryCounter, MemoryTickets},
    system::{SystemClock, SystemEntropy},
};

/// Starts a whole CAST in this process that keeps its votes in a folder, with the default settings and the
/// folder's key ring. Needs a tokio runtime with timer.
///
/// # Errors
///
/// If the folder cannot be used: the error says what to do.
pub async fn start(path: impl Into<PathBuf>) -> Result<Cast, SqliteStartError> {
    let path = path.into();
    let opening = tokio::task::spawn_blocking(move || {
        let data = DataDir::open(path, &DataDirOptions::default(), Arc::new(SystemClock))?;
        let keys = data.key_ring(&SystemEntropy)?;
        Ok::<_, DataDirError>((data, keys))
    });
    let (data, keys) = match opening.await {
        Ok(opened) => opened?,
        Err(task) => std::panic::resume_unwind(task.into_panic()),
    };
    Ok(Cast::builder(ports(&data), keys).start().await?)
}

/// All ports: the log and the store of a folder, and the tickets and the counter in memory.
pub fn ports(data: &DataDir) -> Ports {
    Ports {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        tickets: Arc::new(MemoryTickets::new(Arc::new(SystemClock))),
        bus: Arc::new(data.bus()),
        counter: Arc::new(MemoryCounter::new(Arc::new(SystemClock))),
        store: Arc::new(data.store()),
    }
}

/// Why a CAST on a folder did not start.
#[derive(Debug, thiserror::Error)]
pub enum SqliteStartError {
    /// The folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The use cases did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}
