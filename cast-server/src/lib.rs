//! The server of CAST: GraphQL over HTTP, in one process or in roles.
//!
//! | module | holds |
//! |---|---|
//! | [`commands`] | the command line, and what each command does: one file or folder each |
//! | [`process`] | what all processes have in common: start, signals, exit codes |
//! | [`wiring`] | which adapter a URL means; nothing else names one |
//! | [`config`] | what can be set |
//! | [`transport`] | HTTP connections |
//! | [`endpoint`] | what the paths lead to, among them GraphQL over HTTP |
//! | [`schema`] | the GraphQL schema, a file an operation, and the engine that executes it |
//! | [`telemetry`] | the log, what `/metrics` shows, and traces |
//! | `protocol` | error codes, request ids, paths, vote codes |
//! | `client` | how `bench` and `demo` talk to a server |
//! | `coalesced` | one question at a time, whoever asks it |
//! | `failpoints` | where a process stops, for tests that kill it there; a feature of its own |
//! | `fuzzing` | the laws of what reads bytes from outside, for tests; a feature of its own |
//!
//! It is a library so that its tests and benchmarks can start it in their own process; the program
//! is a few lines around it.
#![forbid(unsafe_code)]

mod client;
mod coalesced;
pub mod commands;
pub mod config;
pub mod endpoint;
#[cfg(feature = "failpoints")]
mod failpoints;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod process;
mod protocol;
pub mod schema;
pub mod telemetry;
pub mod transport;
pub mod wiring;

/// The README's example compiles, runs, and says what it says.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
