//! The exit codes: 0 fine, 1 failed, 2 usage, 3 a difference.

use std::process::ExitCode;

/// The command did what it was asked to; of a server: it drained after a signal.
pub(crate) const OK: ExitCode = ExitCode::SUCCESS;
/// The command failed.
pub(crate) const FAILED: ExitCode = ExitCode::FAILURE;

/// The command line or a setting is wrong.
pub(crate) fn usage() -> ExitCode {
    ExitCode::from(2)
}

/// An audit or a benchmark found a difference.
pub(crate) const DIFFERENCE: u8 = 3;
