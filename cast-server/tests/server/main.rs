//! The server from outside: real TCP, a client that knows docs and nothing else, real processes.

#![expect(clippy::unwrap_used, reason = "in a test it fails the test")]

mod bad_input;
mod bench;
#[path = "../support/blocks.rs"]
mod blocks;
mod clients;
mod config;
mod connections;
mod contract;
mod data_folder;
mod demo;
mod docs;
mod documents;
mod faq;
mod faults;
mod health;
mod hostile;
mod install;
mod messages;
mod metrics;
mod process;
#[path = "../support/mod.rs"]
mod program;
mod protocol;
mod reference;
mod rewriting_proxy;
mod roles;
mod schema;
mod secrets;
#[cfg(all(feature = "redis", feature = "kafka", feature = "postgres"))]
mod servers_down;
mod support;
