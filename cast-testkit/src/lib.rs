//! Tests for adapters of CAST's ports, and for code that uses CAST.
//!
//! # Is my adapter correct?
//!
//! It is if it keeps every clause of its port's contract, which is the doc of the port's trait. Write a
//! harness that opens the adapter, name it in one line, and each clause becomes a `#[test]`. The suites
//! need `cast-testkit`, `cast-core` and `async-trait` (without `#[async_trait]` an impl fails to compile:
//! "lifetimes do not match"):
//!
//! ```toml
//! [dev-dependencies]
//! async-trait = "0.1"
//! cast-core = { path = "../cast/cast-core" }
//! cast-testkit = { path = "../cast/cast-testkit" }
//! # for the second example below, a whole CAST in a test:
//! cast-adapters = { path = "../cast/cast-adapters" }
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use cast_core::{domain::{LogPosition, LoggedBallot, Rejection}, ports::VoteStore};
//! use cast_testkit::{
//!     contract::{Harness, Skipped, vote_store::VoteStoreHarness},
//!     fixtures::Fixtures,
//! };
//! # use cast_adapters::memory::MemoryStore as MyStore;
//!
//! struct MyHarness(Arc<MyStore>);
//!
//! async fn my_harness() -> Result<MyHarness, Skipped> {
//!     Ok(MyHarness(Arc::new(MyStore::new()))) // for a server: a fresh database
//! }
//!
//! #[async_trait]
//! impl Harness for MyHarness {
//!     async fn close(&self) {} // for a server: drop the database
//! }
//!
//! #[async_trait]
//! impl VoteStoreHarness for MyHarness {
//!     async fn open(&self) -> Arc<dyn VoteStore> {
//!         self.0.clone() // for a server: another connection
//!     }
//!     async fn unholdable(&self, _: &Fixtures) -> Result<LoggedBallot, Skipped> {
//!         Err(Skipped::because("a total of 2^63 votes takes too long"))
//!     }
//!     async fn rejections(&self) -> Result<Vec<LogPosition>, Skipped> {
//!         let kept = self.0.rejections();
//!         let position = |(partition, rejection): &(_, Rejection)| LogPosition {
//!             partition: *partition,
//!             offset: rejection.offset(),
//!         };
//!         Ok(kept.iter().map(position).collect())
//!     }
//! }
//!
//! mod my_store {
//!     cast_testkit::vote_store_contract!(super::my_harness);
//! }
//! # fn main() {
//! #     for clause in cast_testkit::contract::vote_store::CLAUSES {
//! #         cast_testkit::contract::vote_store::prove(clause.name, my_harness);
//! #     }
//! # }
//! ```
//!
//! The other ports work the same: [`contract`] has a table of their harnesses and macros. (The method
//! `rejections` of the store above belongs to the example's adapter and not to the port: return the
//! rejections that your adapter has stored.)
//!
//! A clause that needs something that a harness cannot do is skipped, and the test run prints that even
//! where it captures output. A harness that cannot be opened at all skips a clause by returning
//! `Err(Skipped)`; if that is because the module `servers` found no server and has printed so, by
//! returning [`Skipped::without_server`](contract::Skipped::without_server), which prints no second line.
//!
//! # How do I test code that uses CAST?
//!
//! With a whole CAST in memory, on a clock that the test moves. No test sleeps:
//!
//! ```
//! use std::time::Duration;
//!
//! use cast_adapters::memory;
//! use cast_core::domain::{Ballot, Outcome, Refusal};
//! use cast_testkit::TestCast;
//!
//! # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
//! // a #[tokio::test]
//! let mut test = TestCast::start(memory::ports_on).await;
//! let ticket = test.ticket().await;
//! let outcome = test.cast().vote(Ballot::new(ticket).select("alice", 1)?).await?;
//! assert!(matches!(outcome, Outcome::Accepted(_)));
//!
//! test.advance(Duration::from_secs(2)).await;
//! let outcome = test.cast().vote(Ballot::new(ticket).select("alice", 1)?).await?;
//! assert!(matches!(outcome, Outcome::Refused { why: Refusal::TicketExpired, .. }));
//!
//! test.drain().await;
//! assert_eq!(test.stored("alice").await, 1);
//! # Ok(())
//! # }
//! # #[tokio::main(flavor = "current_thread")] async fn main() { doc().await.unwrap() }
//! ```
//!
//! [`TestCast`] shows how to use a port of your own in it.
//!
//! # What is in the kit
//!
//! | | for |
//! |---|---|
//! | [`contract`] | the suites: a test for each clause of each port |
//! | [`faults`] | interceptors: faults by a script or by a seed, call counts, calls held at a gate |
//! | [`simulation`] | the whole of CAST over your ports, with faults of every kind, from one seed |
//! | [`TestCast`] | a whole CAST for the tests of code that uses it: no sleeping, no background work |
//! | [`ManualClock`], [`SeededEntropy`] | time and randomness that a test controls |
//! | [`Seed`] | the seed of randomised tests: printed, and taken from a variable to repeat a run |
//! | [`fixtures`] | key rings, tickets, ballots, records and candidates with unique names |
//! | `properties`, a feature | strategies for proptest: any ticket, ballot and record, from a [`Seed`] |
//! | `disk`, a feature | a disk for SQLite that loses what was not synced, fails, is full, or lies |
//! | `servers`, a feature | real Redis, `PostgreSQL` and Apache Kafka, to share and to break |
//! | [`eventually`], [`within`], [`race`], [`dropped_after`] | waiting for a condition instead of a time; races of many tasks; deadlines that pass at a chosen moment |
//!
//! Architecture invariant: the kit depends on `cast-core` alone, so that an adapter in any repository can be
//! tested without the adapters that come with CAST. That each clause can fail is tested too: `tests/broken`
//! has an adapter that breaks it.
#![deny(unsafe_code)]

mod clock;
pub mod contract;
#[cfg(feature = "disk")]
pub mod disk;
mod entropy;
pub mod faults;
pub mod fixtures;
#[cfg(feature = "properties")]
pub mod properties;
mod seed;
#[cfg(feature = "servers")]
pub mod servers;
pub mod simulation;
mod test_cast;
mod waiting;

pub use clock::ManualClock;
pub use entropy::SeededEntropy;
pub use seed::{SEED_VARIABLE, Seed};
pub use test_cast::TestCast;
pub use waiting::{dropped_after, eventually, pause, race, within};
