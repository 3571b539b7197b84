//! What a process does: one file a role.

pub mod serve;

mod open_files;
mod signals;

use std::process::ExitCode;

use crate::cli::Role;

/// The command line or the settings are wrong.
pub const EXIT_USAGE: u8 = 2;

/// Does it.
pub fn run(role: Role) -> ExitCode {
    match role {
        Role::Serve(config) => serve::run(&config),
        Role::Schema => print(&crate::graphql::sdl()),
    }
}

/// Writes to standard output. Whoever stopped reading it wants no more.
fn print(text: &str) -> ExitCode {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
