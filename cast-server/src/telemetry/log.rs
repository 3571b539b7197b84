//! The log: structured, on standard error.
//!
//! Architecture invariant: no ticket, key, query string, document or body is logged, at any level.
//! What identifies a request is its id, and what identifies a ballot is its own. The reason of a
//! rejection may name a candidate.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat};

/// Starts to log. To be called once in a process.
pub fn init(log: &Log) {
    let filter = EnvFilter::new(&log.log);
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    match log.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
