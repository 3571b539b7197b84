//! The laws of the settings, for `fuzz/` and `tests/fuzz.rs`.
//!
//! Compiled only with the feature `fuzzing`, which no release has.

pub use crate::commands::fuzzing::settings;
