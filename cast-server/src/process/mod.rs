//! What all processes have in common, from their start to their exit code.
//!
//! | file | does |
//! |---|---|
//! | `app` | starts what a process that listens is made of |
//! | `http` | its HTTP server: connections, and what their paths lead to |
//! | `settings` | turns plain configuration into the settings of the rooms below |
//! | `readiness` | waits for the servers that a process needs, and names those that are missing |
//! | `run` | runs an app until a signal or a failure, and drains it |
//! | `exit` | why a process ends, what it prints then, and its exit codes |
//! | `signals` | SIGTERM and SIGINT |
//! | `open_files` | the limit of open files |
//! | `terminal` | standard output, standard error, colour |

pub mod app;
pub mod exit;
pub mod http;
pub(crate) mod open_files;
pub(crate) mod readiness;
pub mod run;
pub mod settings;
pub(crate) mod signals;
pub(crate) mod terminal;

pub use self::{
    app::{App, Running},
    exit::Failure,
    run::serve,
};
