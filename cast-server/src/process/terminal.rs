//! Standard output and standard error.
//!
//! Results go to standard output, all else to standard error. There is colour where that is a
//! terminal, unless `NO_COLOR` is set.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use super::exit;

/// As clap marks its errors.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// A name or a URL that a reader looks for.
pub(crate) const STRONG: Style = Style::new().bold();
/// A label beside a value.
pub(crate) const LABEL: Style = AnsiColor::Cyan.on_default();
/// What must not be overlooked.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Writes a result to standard output. A reader that closed its end wants no more: that is no
/// failure.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => exit::OK,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK,
        Err(_) => exit::FAILED,
    }
}

/// Writes to standard error, in colour where that can be seen. A failure to do so has no place
/// left to be reported.
pub(crate) fn note(text: fmt::Arguments<'_>) {
    let _ = anstream::stderr().lock().write_fmt(text);
}

/// Reports on standard error why the process failed.
pub(crate) fn fail(why: &str) -> ExitCode {
    note(format_args!("{ERROR}error:{ERROR:#} {}\n", why.trim_end()));
    exit::FAILED
}

/// Whether standard error shows colour.
pub(crate) fn stderr_has_colour() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}
