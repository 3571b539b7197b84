//! What every process has to do with the system around it.
//!
//! | file | holds |
//! |---|---|
//! | `exit` | the exit codes |
//! | `signals` | SIGTERM and SIGINT |
//! | `open_files` | the limit of open files |
//! | `terminal` | standard output, standard error, colour |
//!
//! Architecture invariant: a leaf, like `protocol`.

pub(crate) mod exit;
pub(crate) mod open_files;
pub(crate) mod signals;
pub(crate) mod terminal;
