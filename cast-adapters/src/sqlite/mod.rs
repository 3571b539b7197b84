//! The log and the store in two files of SQLite, for one machine.

#![allow(dead_code, reason = "until the log and the store use all of it")]

mod database;
mod dir;
mod error;
mod file;
mod folder;
mod log;
mod position;
mod readers;
mod store;
mod writer;

pub use dir::{DataDir, DataDirError, DataDirOptions};
pub use log::SqliteBus;
pub use store::SqliteStore;
