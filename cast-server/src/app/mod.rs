//! A process that listens: how it starts, waits for its servers, serves, and ends.
//!
//! | file | does |
//! |---|---|
//! | `start` | starts the use cases and the HTTP server of an [`App`] |
//! | `http` | the HTTP server: connections, and what their paths lead to |
//! | `settings` | turns plain configuration into the settings of the rooms below |
//! | `readiness` | waits for the servers that a process needs, and names those that are missing |
//! | `run` | runs an app until a signal or a failure, and drains it |
//! | `failure` | why a process failed, and what it prints then |

pub(crate) mod failure;
pub mod http;
pub(crate) mod readiness;
pub(crate) mod run;
pub mod settings;
mod start;

pub use self::{
    failure::Failure,
    run::serve,
    start::{App, Closing, Running},
};
