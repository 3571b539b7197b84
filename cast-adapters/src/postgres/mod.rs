//! Votes kept for good in PostgreSQL, 14 or newer.
//!
//! A step of the fold is one transaction: it moves its partition's progress, if that is where the
//! step starts, inserts the ballots whose ids are new, and adds the votes of only those. Everything
//! else follows from that transaction, so the database may be put back to any backup: its progress
//! comes back with it, and the log is folded again from there. For the same reason
//! `synchronous_commit=off` (in the URL's `options`) loses no vote: it makes a crash of the server a
//! small step back.
//!
//! | table | holds |
//! |---|---|
//! | `votes` | what people look at: id, username, count, version; a view of the others |
//! | `ballots` | every ballot that counts, once, with its selections |
//! | `totals` | what each candidate got in each partition |
//! | `progress` | how far each partition was folded |
//! | `rejected` | what could not be counted, and why, with enough to repair it by hand |
//!
//! The statements are in `sql/`, one file each, and argue in their comments why they are safe.
//! [`migrate`] makes the tables; a store that finds older or newer ones refuses to work with them.
//!
//! Architecture invariant: no statement is built from values, and none grows with a step: rows
//! travel as arrays. Architecture invariant: a transaction runs in a task of its own, so nothing
//! that happens to a caller leaves it open.
//!
//! # Behind a pooler
//!
//! With pgbouncer in transaction mode: version 1.21 or newer with `max_prepared_statements` above
//! 20, because statements are prepared once a connection; and `ignore_startup_parameters = options`
//! together with `ALTER ROLE … SET` of what a connection otherwise asks for when it starts:
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
