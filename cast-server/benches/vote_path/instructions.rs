//! How many instructions one vote takes in process, counted by valgrind's callgrind: the same figure
//! on a busy machine as on a quiet one.
//!
//! Counted is everything from the request's variables as JSON to its data as JSON, with the document
//! already known: the engine, the intake, its flush, and the consumer that folds it into the store. The
//! same with a mutation that does nothing is counted beside it. One thread does all the work, so
//! that two runs count nearly the same; what differs are random numbers and where hashes put things.

use std::{process::Command, sync::Arc};

use async_graphql::{Executor, Variables};
use cast_server::schema::Engine;

use super::{
    sides::{self, Side},
    vote::{CANDIDATES, DOCUMENT, variables},
};

/// The number of voters at a time.
const VOTERS: usize = 64;
/// The most that a vote may take.
const TARGET: u64 = 70_000;
/// Two runs are counted: their difference is free of what starting and ending take.
const FEW: u64 = 64 * 40;
const MANY: u64 = 64 * 240;

/// Counts, and prints what it found.
pub(crate) fn report() {
    let [vote, nothing] = [Side::Votes, Side::Nothing]
        .map(|side| (count(side, MANY) - count(side, FEW)) / (MANY - FEW));
    println!("a vote, in process, its fold included: {vote} instructions");
    println!("a mutation that does nothing: {nothing} instructions");
    assert!(vote <= TARGET, "a vote may take {TARGET} at most");
}

/// Runs this program under callgrind, and returns how many instructions it took.
fn count(side: Side, votes: u64) -> u64 {
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--in-process", side.name(), "--votes", &votes.to_string()])
        .output()
        .expect("valgrind is installed");
    let report = String::from_utf8_lossy(&counted.stderr);
    assert!(counted.status.success(), "{report}");
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, figure) = collected.expect("callgrind says what it collected");
    figure.trim().parse().unwrap()
}

/// Votes so many times, and ends.
pub(crate) fn carry_out(side: Side, votes: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match side {
            Side::Votes => {
                let (engine, ticket) = sides::voting_engine().await;
                drive(engine, &ticket, votes).await;
            }
            Side::Nothing => drive(sides::idle_engine(), &"0".repeat(64), votes).await,
            _ => panic!("it has no engine of ours, or needs servers"),
        }
    });
}

async fn drive<E: Executor>(engine: Engine<E>, ticket: &str, votes: u64) {
    let engine = Arc::new(engine);
    let variables = |n| variables(&format!("candidate-{n}"), ticket).to_string();
    let bodies: Arc<[String]> = (0..CANDIDATES).map(variables).collect();
    let voters: Vec<_> = (0..VOTERS)
        .map(|voter| {
            let (engine, bodies) = (Arc::clone(&engine), Arc::clone(&bodies));
            tokio::spawn(async move {
                for n in 0..votes as usize / VOTERS {
                    vote(&engine, &bodies[(voter + n) % bodies.len()]).await;
                }
            })
        })
        .collect();
    for voter in voters {
        voter.await.unwrap();
    }
}

async fn vote<E: Executor>(engine: &Engine<E>, variables: &str) {
    let variables: Variables = serde_json::from_str(variables).unwrap();
    let plan = engine.plan(DOCUMENT, None, false).unwrap();
    let answer = engine.execute(plan, DOCUMENT, None, variables).await;
    let answer = answer.unwrap();
    let answer = serde_json::to_string(&answer.data).unwrap();
    assert!(answer.contains("\"success\":true"), "{answer}");
}
