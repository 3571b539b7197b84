//! Output for people: text, its colours, errors.
//!
//! Colours appear where the output is a terminal, and nowhere if `NO_COLOR` is set.

use std::{
    fmt::Display,
    io::{self, Write as _},
    process::ExitCode,
};

use console::{StyledObject, style};

use super::exit;

/// Writes to standard output. A reader that closed it is no failure: it wants no more.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => exit::OK.into(),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK.into(),
        Err(_) => exit::FAILED.into(),
    }
}

/// Writes an error to standard error.
pub(crate) fn fail(why: &str) -> ExitCode {
    let label = style("error:").for_stderr().red().bold();
    // Where even that cannot be written, the exit code says it.
    let _ = writeln!(io::stderr(), "{label} {}", why.trim_end());
    exit::FAILED.into()
}

/// This program as it was started, so that a command that names it can be typed as it is shown.
pub(crate) fn program() -> String {
    let program = std::env::args_os().next();
    program.map_or_else(
        || env!("CARGO_PKG_NAME").into(),
        |program| program.to_string_lossy().into_owned(),
    )
}

/// Writes text for people to standard error.
pub(crate) fn note(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Whether standard error shows colour.
pub(crate) fn stderr_has_colour() -> bool {
    console::colors_enabled_stderr()
}

/// A URL or a name that a reader looks for, on standard error.
pub(crate) fn title<T: Display>(text: T) -> StyledObject<T> {
    style(text).for_stderr().bold()
}

/// A label beside a value, on standard error.
pub(crate) fn label<T: Display>(text: T) -> StyledObject<T> {
    style(text).for_stderr().cyan()
}

/// What must not be overlooked, on standard error.
pub(crate) fn caution<T: Display>(text: T) -> StyledObject<T> {
    style(text).for_stderr().yellow().bold()
}

/// Writes a warning to standard error.
pub(crate) fn warn(what: &str) {
    let label = style("warning:").for_stderr().yellow().bold();
    let _ = writeln!(io::stderr(), "{label} {what}");
}

/// A success, on standard output.
pub(crate) fn good<T: Display>(text: T) -> StyledObject<T> {
    style(text).green()
}

/// A failure, on standard output.
pub(crate) fn bad<T: Display>(text: T) -> StyledObject<T> {
    style(text).red().bold()
}

/// What is neither, or not known, on standard output.
pub(crate) fn uncertain<T: Display>(text: T) -> StyledObject<T> {
    style(text).yellow()
}

/// A heading or the number that matters, on standard output.
pub(crate) fn strong<T: Display>(text: T) -> StyledObject<T> {
    style(text).bold()
}

/// Details, on standard output.
pub(crate) fn dim<T: Display>(text: T) -> StyledObject<T> {
    style(text).dim()
}
