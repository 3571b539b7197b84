//! What it takes to test against CAST's ports, and to prove adapters of them.
//!
//! # Is my adapter right?
//!
//! It is when it keeps every clause of its port's contract. Write a harness that opens it, name it
//! in one line, and each clause is a test of its own. The suites need `cast-testkit`, `cast-core` and
//! `async-trait` (an impl without `#[async_trait]` is told that "lifetimes do not match"):
//!
//! ```toml
//! [dev-dependencies]
//! async-trait = "0.1"
//! cast-core = { path = "../cast/cast-core" }
//! cast-testkit = { path = "../cast/cast-testkit" }
//! # and for a whole CAST in a test:
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
//! async fn my_harness() -> MyHarness {
//!     MyHarness(Arc::new(MyStore::new())) // for a server: a fresh database
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
//! The other ports go the same way: [`contract`] has a table of their harnesses and macros. (`rejections`
//! of the store above is the example's own method, and none of the port: tell what yours keeps.)
//!
//! What a harness cannot do skips the clauses that need it, and the test run says so, even where
//! it is otherwise quiet. A harness that cannot be opened at all (there is no server) skips a clause
//! by giving `Err(Skipped)` instead of itself.
//!
//! # How do I test what I build on CAST?
//!
//! With a whole one in memory, on a clock that the test moves. Nothing sleeps:
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
//! [`TestCast`] says how to put a port of your own into it.
//!
//! # What is in the kit
//!
//! | | for |
//! |---|---|
//! | [`contract`] | the suites: a test for each clause of each port |
//! | [`faults`] | ports that fail, by a script or by a seed; that are counted; that are held |
//! | [`simulation`] | the whole of CAST over ports of yours, with all that can go wrong, from one seed |
//! | [`TestCast`] | a whole CAST for the tests of what is built on it: nothing sleeps, nothing happens by itself |
//! | [`ManualClock`], [`SeededEntropy`] | time and randomness that a test holds |
//! | [`Seed`] | where randomness comes from, printed, and how to have it again |
//! | [`fixtures`] | key rings, tickets, ballots, records and candidates with names of their own |
//! | `properties`, a feature | laws over any ticket, ballot and record, checked by proptest from a [`Seed`] |
//! | `servers`, a feature | real Redis, `PostgreSQL` and Apache Kafka, to share and to break |
//! | [`eventually`], [`within`], [`race`], [`dropped_after`] | waiting for a condition, never for a while; many tasks at once; deadlines that pass at a chosen moment |
//!
//! Architecture invariant: the kit depends on `cast-core` alone, so that an adapter, wherever it
//! lives, can be proven without the adapters that come with CAST. That each clause can fail is
//! itself a test: `tests/broken` has an adapter broken for each.
#![forbid(unsafe_code)]

mod clock;
pub mod contract;
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
