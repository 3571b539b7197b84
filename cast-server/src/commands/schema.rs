//! `schema`: prints the GraphQL schema in its own language.

use std::process::ExitCode;

use crate::{process::terminal::print, schema};

/// Prints it.
pub(super) fn run() -> ExitCode {
    print(&schema::sdl())
}
