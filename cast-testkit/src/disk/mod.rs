//! A disk that loses what was not synced: a VFS for SQLite.
//!
//! A [`Disk`] passes all calls on to the system, and notes for each file what was written since it was
//! last synced. [`Disk::after_a_power_cut`] makes the folder that a power cut may leave: each write that
//! was not synced is there, is not there, or is there in part, whatever became of the others. It can also
//! fail, be full, end the process at a chosen call, or lie.
//!
//! ```
//! use cast_testkit::disk::Disk;
//!
//! let disk = Disk::new();
//! let url = format!("file:/tmp/example.db?vfs={}", disk.name());
//! # drop(url);
//! ```
//!
//! What it takes for granted, as SQLite does: a sector of 512 bytes is written as a whole or not at all;
//! what surrounds a write stays as it was (*powersafe overwrite*); a new file's name is on the disk once the
//! file was synced.

mod state;
mod vfs;

pub use state::{Fault, IoCall};
pub use vfs::Disk;
