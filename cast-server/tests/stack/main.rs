//! A whole deployment: processes of the real program over real servers, killed where it hurts.
//!
//! Each test has a [`Stack`](stack::Stack) of its own, drives [`Voters`](voters::Voters) around a
//! fault, and then asks [`check`] whether acknowledged equals stored, exactly, and whether
//! the tallies shown are those of the store.

#![expect(clippy::unwrap_used, reason = "in a test it fails the test")]

mod api_dies;
mod audit;
mod ballot_history;
mod breaking;
mod check;
mod consumer_dies;
mod defects;
mod generator_dies;
mod history;
#[expect(dead_code, reason = "the siege uses the rest")]
mod ledger;
mod logged;
mod manifests;
mod monitoring;
mod operations;
mod outage;
mod outgrow;
#[path = "../support/mod.rs"]
mod program;
mod rolling;
mod stack;
mod start_order;
mod tables;
mod the_checker;
#[cfg(feature = "otlp")]
mod traces;
mod verdict;
#[expect(dead_code, reason = "the siege uses the rest")]
mod voters;
mod workload;
