//! `bench`: drives a server, and checks that every vote it accepted was counted once.
//!
//! | file | holds |
//! |---|---|
//! | `config` | the flags |
//! | `ledger` | what was sent and told, and what the tallies must be for it; pure |
//! | `drive` | the run: the load, then ballots without an answer, then the tallies |
//! | `tickets`, `pace`, `backoff` | when a connection may vote |
//! | `wire` | the GraphQL that is sent, by the client |
//! | `progress`, `report` | what people and programs are shown |
//!
//! It knows a server by its URL and the GraphQL contract alone, and shares no code with the server's
//! side of it.

mod backoff;
mod config;
mod drive;
mod ledger;
mod pace;
mod progress;
mod report;
mod tickets;
mod wire;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use cast_core::{deadline::in_time, ports::Clock};
use tokio::{runtime, task::JoinHandle};

pub use self::config::BenchConfig;
use self::{drive::Bench, progress::Progress, report::Report};
use crate::{
    client::Connection,
    process::{
        open_files,
        signals::Signals,
        terminal::{fail, print},
    },
    wiring,
};

/// How long to wait for the first ticket: longer than any that is late.
const FIRST_TICKET: Duration = Duration::from_secs(5);

/// Drives a server, and says what came of it.
pub fn run(config: &BenchConfig) -> ExitCode {
    open_files::allow(config.connections);
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("starting threads: {error}")),
    };
    let result = runtime.block_on(bench(config));
    // Connections and what they wait for are of no use any more.
    runtime.shutdown_background();
    let report = match result {
        Ok(report) => report,
        Err(error) => return fail(&error),
    };
    let text = if config.json {
        report.json()
    } else {
        report.table()
    };
    let printed = print(&text);
    match report.exit_code() {
        0 => printed,
        code => code.into(),
    }
}

async fn bench(config: &BenchConfig) -> Result<Report, String> {
    let (clock, entropy) = wiring::system();
    let seed = config.seed.unwrap_or_else(|| {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    });
    let names = names(seed, config.candidates);
    let baseline = baseline(config, &names, &*clock).await?;
    let had_votes = baseline.iter().any(|&votes| votes > 0);
    let system = (clock, entropy);
    let bench = Arc::new(Bench::new(config.clone(), names, &baseline, system));
    let fetching = tokio::spawn(Arc::clone(&bench).fetch_tickets());
    let first = in_time(&*bench.clock, FIRST_TICKET, bench.tickets.good(None)).await;
    if first.is_none() {
        let (url, why) = (&config.urls[0].url, bench.tickets.why_none());
        return Err(format!(
            "{url} has no ticket to vote with: {why}. Is a ticket generator running?"
        ));
    }
    let is_interrupted = Arc::new(AtomicBool::new(false));
    let listening = listen(&bench, &is_interrupted)?;
    let progress = Arc::new(Progress::new());
    let following = tokio::spawn(Arc::clone(&progress).follow(Arc::clone(&bench)));
    let elapsed = bench.load().await;
    following.abort();
    progress.say("sending votes that had no answer again");
    bench.resolve().await;
    progress.say("waiting for the tallies to show every accepted vote");
    let verdict = bench.settle().await;
    let lost = match &verdict {
        Ok(verdict) => bench.find_lost(verdict).await,
        Err(_) => Vec::new(),
    };
    drop((following, progress));
    fetching.abort();
    listening.abort();
    let is_interrupted = is_interrupted.load(Relaxed);
    Ok(Report::of(
        &bench,
        elapsed,
        seed,
        is_interrupted,
        had_votes,
        (verdict, lost),
    ))
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
    for target in &config.urls {
        let mut connection = Connection::new(target, clock, config.timeout);
        let votes = drive::read_tallies(&mut connection, names).await;
        let votes = votes.map_err(|why| target.is_no_cast(&why))?;
        baseline.get_or_insert(votes);
    }
    Ok(baseline.unwrap_or_default())
}

/// The first signal ends the load, the next one the waiting for tallies.
fn listen(bench: &Arc<Bench>, is_interrupted: &Arc<AtomicBool>) -> Result<JoinHandle<()>, String> {
    let mut signals = Signals::new().map_err(|error| format!("listening for signals: {error}"))?;
    let (bench, is_interrupted) = (Arc::clone(bench), Arc::clone(is_interrupted));
    Ok(tokio::spawn(async move {
        loop {
            signals.next().await;
            if bench.stop.is_cancelled() {
                bench.give_up.cancel();
            } else {
                is_interrupted.store(true, Relaxed);
                bench.stop.cancel();
            }
        }
    }))
}
