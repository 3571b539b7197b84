//! The server of CAST: GraphQL over HTTP, in one process or in roles.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`], [`config`] | what can be set, and where from |
//! | [`wiring`] | which adapter a URL means; nothing else names one |
//! | [`roles`] | what a process does: one file a role |
//! | [`graphql`] | the schema, a file an operation, and the engine that executes it |
//! | [`http`] | connections, paths and the GraphQL endpoint |
//! | [`telemetry`] | the log, what `/metrics` shows, and traces |
//! | `coalesced` | one question at a time, whoever asks it |
//! | `failpoints` | where a process stops, for tests that kill it there; a feature of its own |
//! | `fuzzing` | the laws of what reads bytes from outside, for tests; a feature of its own |
//! | [`mod@bench`] | what drives a server from outside, and checks its counting |
//! | [`demo`] | what walks through tickets and votes against a server |
//! | `client` | how both talk to it |
//!
//! It is a library so that its tests and benchmarks can start it in their own process; the program
//! is a few lines around it.
#![forbid(unsafe_code)]

pub mod bench;
pub mod cli;
mod client;
mod coalesced;
pub mod config;
pub mod demo;
#[cfg(feature = "failpoints")]
mod failpoints;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod graphql;
pub mod http;
pub mod roles;
pub mod telemetry;
pub mod wiring;

/// The README's example compiles, runs, and says what it says.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
