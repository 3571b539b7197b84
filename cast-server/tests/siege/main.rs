//! A stack under random kills: two of each role over Redis, Kafka and Postgres of their own, all of
//! which break at random, each by itself and many at once, while voters vote.
//!
//! ```sh
//! cargo test -p cast-server --features failpoints --test siege -- --duration 30m
//! ```
//!
//! It goes on in rounds. In each, nothing is broken at first, and the tallies shown are watched;
//! then everything breaks; then all is put in order, and everything is compared with everything: what
//! the answers to the voters, the log, the tables, the tallies shown. Without `--duration` there is one
//! round.
//!
//! `--one-machine` breaks `serve` on a folder instead, without any server.

#![expect(clippy::unwrap_used, reason = "in a test it fails the test")]
#![expect(
    clippy::print_stderr,
    reason = "its progress and findings are for the terminal"
)]

mod artifacts;
#[path = "../stack/ballot_history.rs"]
mod ballot_history;
#[path = "../stack/breaking.rs"]
mod breaking;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/check.rs"]
mod check;
mod fault_phase;
#[path = "../stack/history.rs"]
mod history;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/ledger.rs"]
mod ledger;
#[path = "../stack/logged.rs"]
mod logged;
mod one_machine;
mod options;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../support/mod.rs"]
mod program;
mod server_faults;
mod siege;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/stack.rs"]
mod stack;
mod steady_state;
mod supervisor;
#[path = "../stack/tables.rs"]
mod tables;
#[path = "../stack/verdict.rs"]
mod verdict;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/voters.rs"]
mod voters;
#[expect(dead_code, reason = "the tests of the stack use the rest")]
#[path = "../stack/workload.rs"]
mod workload;

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
    runtime.unwrap().block_on(async {
        if options.one_machine {
            one_machine::run_siege(&options).await
        } else {
            siege::run(&options).await
        }
    })
}
