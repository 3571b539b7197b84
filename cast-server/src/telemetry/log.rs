//! The log: structured, on standard error.
//!
//! Architecture invariant: no ticket, key, query string, document or body is logged, at any level.
//! A request is identified by its id, and a ballot by its own. The reason of a rejection may name a
//! candidate.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

/// Passes whatever the filter is: the error that ends a process.
const FATAL: &str = "cast_server::fatal=error";

/// Starts the log. To be called once in a process. A filter that cannot be read, which the
/// settings refuse before, is the default one.
pub fn init(filter: &str, is_json: bool, has_colour: bool) {
    let mut filter = EnvFilter::new(filter);
    if let Ok(fatal) = FATAL.parse() {
        filter = filter.add_directive(fatal);
    }
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    if is_json {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_ansi(has_colour).init();
    }
}
