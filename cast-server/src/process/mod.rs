//! What all processes have in common, from their start to their exit code.
//!
//! | file | does |
//! |---|---|
//! | `app`, `http` | what a process that listens is made of |
//! | `run` | runs one, from its start to its exit code |
//! | `signals` | what the system tells a process to do |
//! | `open_files` | how many files it may have open |
//! | `terminal` | what people are shown |

pub mod app;
pub mod http;
pub(crate) mod open_files;
pub mod run;
pub(crate) mod signals;
pub(crate) mod terminal;

pub use self::app::App;

/// The command line or the settings are wrong.
pub const EXIT_USAGE: u8 = 2;
