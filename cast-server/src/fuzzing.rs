//! The laws of what reads bytes from outside: functions of any bytes, which panic where one is broken.
//!
//! Compiled only with the feature `fuzzing`, which no release has. `fuzz/` runs them under a fuzzer,
//! `tests/fuzz.rs` with what that has found. Each stands beside what it is about.

pub use crate::{
    commands::fuzzing::settings, endpoint::fuzzing::graphql_request, schema::fuzzing::document,
};
