//! What people are shown.

use std::{io::Write as _, process::ExitCode};

/// Writes to standard output. Whoever stopped reading it wants no more.
pub(crate) fn print(text: &str) -> ExitCode {
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

/// Says on standard error why it failed.
pub(crate) fn fail(why: &str) -> ExitCode {
    // Where even that cannot be said, the exit code says it.
    let _ = writeln!(std::io::stderr(), "error: {why}");
    ExitCode::FAILURE
}
