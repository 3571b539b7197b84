//! The servers of the kit start, answer, break on demand, and leave nothing behind.
//!
//! Without a server on this machine its tests are skipped, and fail with `CI=true`.
#![cfg(feature = "servers")]

mod client;
mod cluster;
mod kafka;
mod leftovers;
mod missing;
mod postgres;
mod prometheus;
mod proxy;
mod redis;
