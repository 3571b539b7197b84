//! The exit codes.

/// The command did what it was asked to; of a server: it drained after a signal.
pub(crate) const OK: u8 = 0;
/// The command failed.
pub(crate) const FAILED: u8 = 1;
/// The command line or a setting is wrong.
pub(crate) const USAGE: u8 = 2;
/// An audit or a benchmark found a difference.
pub(crate) const DIFFERENCE: u8 = 3;
