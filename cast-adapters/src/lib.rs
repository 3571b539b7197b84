//! Adapters for the ports of CAST: memory, Redis, Apache Kafka, PostgreSQL, and the system's clock and
//! randomness.
//!
//! | port | adapter | feature | guarantee |
//! |---|---|---|---|
//! | [`TicketSource`] | [`memory::MemoryTickets`] | `memory` | exact in one process; after a restart all tickets are refused |
//! | | `redis::RedisTickets` | `redis` | exact for any number of processes, on a single server or a cluster; a server that lost its data, or replaced another one, refuses the open tickets |
//! | [`EventBus`] | [`memory::MemoryBus`] | `memory` | the log is lost when the process ends |
//! | | `kafka::KafkaBus` | `kafka` | an acknowledged record is on as many replicas as the topic's `min.insync.replicas` says |
//! | [`VoteCounter`] | [`memory::MemoryCounter`] | `memory` | exact in one process; lost tallies are loaded from the store |
//! | | `redis::RedisCounter` | `redis` | exact for any number of processes; lost tallies are loaded from the store |
//! | [`VoteStore`] | [`memory::MemoryStore`] | `memory` | exact and atomic; lost when the process ends |
//! | | `postgres::PostgresStore` | `postgres` | exact and durable, one transaction a step, for any number of consumers; may be restored from any backup that the log still reaches back to |
//! | [`Clock`] | [`system::SystemClock`] | | the system's wall clock, and a monotonic clock that the whole process shares |
//! | [`Entropy`] | [`system::SystemEntropy`] | | a cryptographic generator for each thread, seeded by the system |
//!
//! `memory` is a default feature. Every adapter bounds its memory; its options name the bounds.
//!
//! # In one process
//!
//! All four ports in memory, for a test or an event whose votes may be lost when the process ends:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use cast_core::domain::{Ballot, Outcome};
//!
//! let cast = cast_adapters::memory::start().await?;
//! let ticket = cast.current_ticket().await?;
//! let outcome = cast.vote(Ballot::new(ticket.id).select("alice", 1)?).await?;
//! assert!(matches!(outcome, Outcome::Accepted(_)));
//! cast.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! # With servers
//!
//! Each port may have another adapter. Redis and Kafka connect in the background or with the first call,
//! so a process may start before its servers.
//!
//! ```no_run
//! # #[cfg(all(feature = "kafka", feature = "postgres", feature = "redis"))]
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use cast_adapters::{
//!     kafka::KafkaBus,
//!     postgres::{self, PostgresOptions, PostgresStore},
//!     redis::{Redis, RedisOptions},
//!     system::{SystemClock, SystemEntropy},
//! };
//! use cast_core::{Cast, Ports, domain::KeyRing};
//!
//! let redis = Redis::open(RedisOptions::at("redis://127.0.0.1:6379/0"))?;
//! let bus = KafkaBus::open("kafka://127.0.0.1:9092/votes".parse()?);
//! let options: PostgresOptions = "postgres://cast:secret@127.0.0.1/cast".parse()?;
//! postgres::migrate(&options).await?;
//! let ports = Ports {
//!     tickets: Arc::new(redis.tickets()),
//!     bus: Arc::new(bus),
//!     counter: Arc::new(redis.counter()),
//!     store: Arc::new(PostgresStore::new(options)),
//!     clock: Arc::new(SystemClock),
//!     entropy: Arc::new(SystemEntropy),
//! };
//! // All processes of a deployment need the same keys.
//! let keys = KeyRing::generate(&SystemEntropy);
//! let cast = Cast::builder(ports, keys).start().await?;
//! # drop(cast); Ok(()) }
//! ```
//!
//! [`Clock`]: cast_core::domain::Clock
//! [`Entropy`]: cast_core::domain::Entropy
//! [`TicketSource`]: cast_core::ports::TicketSource
//! [`EventBus`]: cast_core::ports::EventBus
//! [`VoteCounter`]: cast_core::ports::VoteCounter
//! [`VoteStore`]: cast_core::ports::VoteStore
#![forbid(unsafe_code)]

#[cfg(any(feature = "memory", feature = "sqlite"))]
mod groups;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "record")]
pub mod record;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod statement;
pub mod system;
