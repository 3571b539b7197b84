//! Connections: accepted up to a cap, served over hyper, each with a deadline on every wait for its
//! client, and drained before the process exits.
//!
//! | file | holds |
//! |---|---|
//! | `server` | accepts connections and serves them, until it is drained |
//! | `listener` | accepts connections, with a cap and a back-off |
//! | `connection` | serves one over hyper, until its client or a drain ends it |
//! | `in_flight` | whether a request is being served |
//! | `stream` | the deadlines: idle, slow head, stalled reader |
//! | `rejection` | the response to what is not a request |
//! | `handler` | what the rest of the server provides: what serves requests, what counts connections |
//! | `shared` | what all connections of a server share |
//! | `drain` | how long a drain waits for clients |
//! | `settings` | what can be set |
//!
//! hyper parses, and keeps its own limits on heads. Only HTTP/1.1 is spoken: a TLS-terminating proxy in
//! front of CAST speaks HTTP/2 to the world.
//!
//! Architecture invariant: this module imports nothing of the server but `protocol`. What serves requests
//! is a `Handler`, and what counts connections is a function.

mod connection;
mod drain;
mod handler;
mod in_flight;
mod listener;
mod rejection;
mod server;
mod settings;
mod shared;
mod stream;

pub(crate) use self::{
    handler::{Body, Handler},
    server::serve,
};
pub use self::{server::Server, settings::HttpSettings};
