//! `bench`: drives a server, and checks that every vote it accepted was counted once.
//!
//! | file | holds |
//! |---|---|
//! | `config` | the flags |
//! | `run` | what all connections of a run share |
//! | `load`, `resolve`, `verify` | its three parts: votes, ballots without an answer, tallies |
//! | `tickets`, `pace` | when a connection may vote |
//! | `wire`, `response` | the GraphQL requests and responses |
//! | `run_stats`, `allowance`, `verdict` | what is recorded, and what follows from it; no I/O |
//! | `progress`, `report` | what people and programs are shown |
//!
//! It knows a server by its URL and the GraphQL contract alone, and shares no code with the server's
//! side of it. Whether every accepted vote counts is checked by [`cast_core::ledger`].

mod allowance;
mod config;
mod load;
mod pace;
mod progress;
mod report;
mod resolve;
mod response;
mod run;
mod run_stats;
mod tickets;
mod verdict;
mod verify;
mod wire;

use std::{
    process::ExitCode,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use cast_core::{deadline::in_time, domain::Clock};
use tokio::{runtime::Runtime, task::JoinHandle};

pub use self::config::BenchConfig;
use self::{progress::Progress, report::Report, run::Run};
use crate::{
    client::{Connection, not_cast},
    process::{
        exit, open_files,
        signals::Signals,
        terminal::{fail, print, warn},
    },
    wiring,
};

/// How long to wait for the first ticket: longer than any that is late.
const FIRST_TICKET: Duration = Duration::from_secs(5);

/// How long to wait for a second ticket, whose end says how often tickets come.
const SECOND_TICKET: Duration = Duration::from_secs(5);

/// Drives a server, and reports.
pub fn run(config: &BenchConfig) -> ExitCode {
    open_files::allow(config.connections);
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start threads: {error}")),
    };
    let result = runtime.block_on(bench(config));
    // Connections and what they wait for are of no use any more.
    runtime.shutdown_background();
    result.unwrap_or_else(|error| fail(&error))
}

async fn bench(config: &BenchConfig) -> Result<ExitCode, String> {
    let (clock, entropy) = wiring::system();
    let seed = config.seed.unwrap_or_else(|| {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    });
    let names = names(seed, config.candidates);
    let baseline = baseline(config, &names, &*clock).await?;
    let had_votes = baseline.iter().any(|&votes| votes > 0);
    let run = Arc::new(Run::new(config.clone(), names, &baseline, (clock, entropy)));
    let fetching = tokio::spawn(Arc::clone(&run).fetch_tickets());
    let listening = listen(&run)?;
    first_ticket(&run).await?;
    let progress = Arc::new(Progress::new());
    if !config.json {
        warn_of_tickets(&run, &progress).await;
    }
    let following = tokio::spawn(Arc::clone(&progress).follow(Arc::clone(&run)));
    let elapsed = load::run(&run).await;
    following.abort();
    progress.step("sending votes without an answer again");
    resolve::run(&run).await;
    progress.step("waiting for the tallies to show every accepted vote");
    let verdict = verify::tallies(&run).await;
    let lost = match &verdict {
        Ok(verdict) => verify::lost_ballots(&run, verdict).await,
        Err(_) => Vec::new(),
    };
    drop((following, progress));
    fetching.abort();
    listening.abort();
    let report = Report {
        run: &run,
        stats: run.stats(),
        elapsed,
        seed,
        had_votes,
        verdict,
        lost,
    };
    let printed = print(&if config.json {
        report::json(&report)
    } else {
        report::text(&report)
    });
    Ok(match report.exit_code() {
        exit::OK => printed,
        code => code.into(),
    })
}

/// Names that no other run has.
fn names(seed: u64, count: usize) -> Vec<String> {
    (0..count)
        .map(|n| format!("bench-{seed:016x}-{n}"))
        .collect()
}

/// The votes before the run; each server is there and speaks the contract.
async fn baseline(
    config: &BenchConfig,
    names: &[String],
    clock: &dyn Clock,
) -> Result<Vec<u64>, String> {
    let mut baseline = None;
    for url in &config.urls {
        let mut connection = Connection::new(url, clock, config.timeout);
        let votes = wire::tallies(&mut connection, names).await;
        let votes = votes.map_err(|why| not_cast(url, &why))?;
        baseline.get_or_insert(votes);
    }
    Ok(baseline.unwrap_or_default())
}

/// Waits for a ticket to begin with.
async fn first_ticket(run: &Run) -> Result<(), String> {
    let first = in_time(&*run.clock, FIRST_TICKET, run.tickets.good(None)).await;
    if first.is_some() {
        return Ok(());
    }
    let (url, why) = (&run.config.urls[0], run.tickets.why_none());
    Err(format!(
        "{url} has no ticket to vote with: {why}. Start a ticket generator: `cast-server \
         ticket-generator`, or `serve`, which has one"
    ))
}

/// Says before the run if tickets bound the rate, and not the hardware. It takes a period of tickets
/// to know.
async fn warn_of_tickets(run: &Run, progress: &Progress) {
    let allowance = run.stats().limits.allowance();
    if !allowance.is_small() {
        return;
    }
    progress.step("reading how many votes the tickets allow");
    let first = run.tickets.good(None).await;
    let left = first.left(run.clock.now().as_unix_ms());
    if left.is_none_or(|left| left < 2 * SECOND_TICKET) {
        let second = run.unless_stopped(run.tickets.good(Some(first.number)));
        in_time(&*run.clock, SECOND_TICKET, second).await;
    }
    let allowance = run.stats().limits.allowance();
    if let Some(bound) = allowance.bound(run.config.rate, left) {
        progress.hide();
        warn(&format!(
            "{bound}; votes beyond that are refused. To measure the server and not its tickets, start \
             it with --ticket-uses 1000000"
        ));
    }
}

/// The first signal ends the load, the next one the wait for tallies.
fn listen(run: &Arc<Run>) -> Result<JoinHandle<()>, String> {
    let mut signals = Signals::new().map_err(|error| format!("listening for signals: {error}"))?;
    let run = Arc::clone(run);
    Ok(tokio::spawn(async move {
        loop {
            signals.next().await;
            if run.stop.is_cancelled() {
                run.give_up.cancel();
            } else {
                run.is_interrupted.store(true, Relaxed);
                run.stop.cancel();
            }
        }
    }))
}
