//! A stack under random kills: two of each role over Redis, Kafka and Postgres of their own, all of
//! which break at random, each by itself and many at once, while voters vote.
//!
//! ```sh
//! cargo test -p cast-server --features failpoints --test siege -- --duration 30m
//! ```
//!
//! It goes on in rounds. In each, nothing is broken at first, and the tallies shown are watched;
//! then everything breaks; then all is put in order, and everything is compared with everything: what
//! the voters were told, the log, the tables, the tallies shown. Without `--duration` there is one
//! round.

#![expect(clippy::unwrap_used, reason = "in a test it fails the test")]
#![expect(
    clippy::print_stderr,
    reason = "whoever runs it wants to see how it goes, and what it found"
)]

#[path = "../stack/breaking.rs"]
mod breaking;
mod calm;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/check.rs"]
mod check;
mod folder;
mod keeper;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/ledger.rs"]
mod ledger;
#[path = "../stack/logged.rs"]
mod logged;
mod options;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../support/mod.rs"]
mod program;
mod rage;
mod servers;
mod siege;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/stack.rs"]
mod stack;
#[path = "../stack/tables.rs"]
mod tables;
#[path = "../stack/verdict.rs"]
mod verdict;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/voters.rs"]
mod voters;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let options = options::Options::parse();
    if !options.is_meant() {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(siege::run(&options))
}
