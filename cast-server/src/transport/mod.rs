//! HTTP connections: taken in up to a cap, each under deadlines, drained at the end.
//!
//! | file | does |
//! |---|---|
//! | `acceptor` | takes connections in, up to a cap |
//! | `server` | serves them over the HTTP library |
//! | `connection`, `drain` | a deadline on all that a client may keep us waiting for |
//! | `inbound`, `head`, `body_scan` | where requests begin and end in what a client sends |
//! | `canned` | answers to connections that never made a request |
//!
//! Only HTTP/1.1 is spoken: whatever terminates TLS in front of CAST speaks HTTP/2 to the world.

pub(crate) mod acceptor;
mod body_scan;
mod canned;
pub(crate) mod connection;
pub(crate) mod drain;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod head;
mod inbound;
pub(crate) mod server;
mod settings;

pub use self::settings::HttpSettings;
