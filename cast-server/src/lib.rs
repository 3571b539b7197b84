//! The server of CAST: GraphQL over HTTP, in one process or in roles.
//!
//! | module | holds |
//! |---|---|
//! | [`commands`] | the command line: `roles` builds the apps of the commands that listen; the others have one file or folder each |
//! | [`app`] | a process that listens: start, readiness, drain, failure |
//! | `process` | signals, exit codes, terminal: a leaf |
//! | [`wiring`] | which adapter a URL means; nothing else names one |
//! | [`config`] | the settings, as plain data |
//! | [`transport`] | HTTP connections |
//! | [`endpoint`] | the routes: GraphQL over HTTP, health checks, `/metrics` |
//! | [`schema`] | the GraphQL schema, a file an operation, and the engine that executes it |
//! | [`telemetry`] | the log, what `/metrics` shows, and traces |
//! | [`protocol`] | error codes, vote codes, request ids, routes, connection events: a leaf |
//! | `client` | an HTTP client: for `bench`, `demo` and `health`, and for the exporter of traces |
//! | `coalesced` | request coalescing: concurrent callers share one answer |
//! | `failpoints` | points at which tests stop the process; a feature of its own |
//!
//! It is a library so that its tests and benchmarks can start it in their own process; the program
//! is a few lines around it.
#![forbid(unsafe_code)]

pub mod app;
mod client;
mod coalesced;
pub mod commands;
pub mod config;
pub mod endpoint;
#[cfg(feature = "failpoints")]
mod failpoints;
mod process;
pub mod protocol;
pub mod schema;
pub mod telemetry;
pub mod transport;
pub mod wiring;

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
