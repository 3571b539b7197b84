//! Adapters for the ports of CAST: each turns something that exists into what a port's contract
//! asks for.
//!
//! | adapter | port | feature | guarantee |
//! |---|---|---|---|
//! | [`system::SystemClock`] | [`Clock`] | | the system's wall clock, and a monotonic one that the whole process shares |
//! | [`system::SystemEntropy`] | [`Entropy`] | | a cryptographic generator a thread, seeded by the system: fit for keys, cheap enough for ids |
//! | [`memory::MemoryTickets`] | [`TicketSource`] | `memory` | exact in one process; forgets tickets with it, and then refuses them |
//! | `redis::RedisTickets` | [`TicketSource`] | `redis` | exact over any number of processes; a server that lost its data, or took over another's, refuses open tickets; a single server or a cluster |
//! | [`memory::MemoryBus`] | [`EventBus`] | `memory` | a log that lives as long as the process |
//! | `kafka::KafkaBus` | [`EventBus`] | `kafka` | a record that was acknowledged is on as many replicas as the topic's `min.insync.replicas` asks for |
//! | [`memory::MemoryCounter`] | [`VoteCounter`] | `memory` | exact in one process; forgets what can be loaded from the store |
//! | `redis::RedisCounter` | [`VoteCounter`] | `redis` | exact over any number of processes; what the server loses is missed, and loaded from the store |
//! | [`memory::MemoryStore`] | [`VoteStore`] | `memory` | exact and atomic; lives as long as the process |
//! | `postgres::PostgresStore` | [`VoteStore`] | `postgres` | exact and durable, one transaction a step, for any number of consumers; may be put back to any backup that the log reaches back to |
//!
//! `memory` is a default feature. Whatever an adapter remembers, it remembers within a bound that
//! its options name.
//!
//! A whole CAST in one process, for a game night, a test, or a first look:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use cast_core::domain::Ballot;
//!
//! let cast = cast_adapters::memory::start().await?;
//! let ticket = cast.current_ticket().await?;
//! let outcome = cast.vote(Ballot::new(ticket.id).select("alice", 1)?).await?;
//! println!("{outcome:?}");
//! cast.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! [`Clock`]: cast_core::ports::Clock
//! [`Entropy`]: cast_core::ports::Entropy
//! [`TicketSource`]: cast_core::ports::TicketSource
//! [`EventBus`]: cast_core::ports::EventBus
//! [`VoteCounter`]: cast_core::ports::VoteCounter
//! [`VoteStore`]: cast_core::ports::VoteStore
#![forbid(unsafe_code)]

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
pub mod system;
