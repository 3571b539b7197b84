//! The store in PostgreSQL, 14 or newer.
//!
//! A step of the fold is one transaction: it moves its partition's progress, if the progress is where
//! the step starts, inserts the ballots whose ids are new, and adds the votes of only those. The
//! database may be restored from any backup: the backup contains its own progress, and the consumers
//! fold the log again from there. For the same reason `synchronous_commit=off` (in the URL's `options`)
//! loses no vote: a crash of the server sets it back by a few steps, which are folded again.
//!
//! | table | holds |
//! |---|---|
//! | `votes` | the results: id, username, count, version; a view of the other tables |
//! | `ballots` | every counted ballot, once, with its selections |
//! | `totals` | the votes of each candidate in each partition |
//! | `candidates` | the id of each candidate |
//! | `progress` | the offset up to which each partition was folded |
//! | `rejected` | ballots and records that could not be counted, with the reason and their contents |
//!
//! The statements are in `sql/`, one file each, and their comments argue why they are safe.
//! [`migrate`] creates the tables; a store refuses to work with older or newer ones.
//!
//! Architecture invariant: no statement is built from values, and none grows with a step: rows are
//! sent as arrays. Architecture invariant: a transaction runs in a task of its own, so a caller that
//! gives up does not leave it open.
//!
//! # Behind a pooler
//!
//! With pgbouncer in transaction mode: version 1.21 or newer with `max_prepared_statements` above
//! 20, because statements are prepared once per connection; and `ignore_startup_parameters = options`
//! together with `ALTER ROLE … SET` of the settings that a connection otherwise sends when it starts:
//! `statement_timeout`, `idle_in_transaction_session_timeout`, `enable_seqscan = off` and `jit = off`.
//! [`migrate`] needs the server itself.

mod connect;
mod error;
mod options;
mod schema;
mod sessions;
mod statement;
mod store;
#[cfg(feature = "postgres-tls")]
mod tls;

pub use options::PostgresOptions;
pub use schema::migrate;
pub use store::PostgresStore;
