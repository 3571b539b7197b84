//! The vote path over HTTP, beside the same endpoint doing nothing, and beside the endpoint that
//! comes with the crates doing nothing.
//!
//! `cargo bench -p cast-server --bench vote_path -- [--rounds 5] [--seconds 2] [--connections 64] [--stack]`
//!
//! With `--stack`, the endpoint doing nothing stands beside votes over Redis, over Redis and Kafka, and
//! over Redis, Kafka and PostgreSQL, on servers that it starts; see `servers`.
//!
//! Each side is a process of its own, on the allocator that it comes with. They are driven in turn,
//! round by round, so that a machine whose speed drifts drifts for all; what counts are the ratios of
//! one round, and their median.
//!
//! `cargo bench -p cast-server --bench vote_path -- --instructions` counts instead what one vote takes
//! in process, without HTTP, which no other work on the machine changes; see `instructions`.
#![expect(clippy::print_stdout, reason = "its report goes there")]
#![expect(
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    reason = "a benchmark measures real time, computes with rounded figures, and may give up"
)]

mod allocator;
mod instructions;
mod load;
mod ports;
mod servers;
mod sides;
mod vote;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use load::Measured;
use servers::Servers;
use sides::Side;
use vote::{CANDIDATES, DOCUMENT, variables};

#[global_allocator]
static ALLOCATOR: allocator::OfTheSide = allocator::OfTheSide;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments[at + 1].clone())
    };
    if let Some(side) = value("--serve") {
        return sides::serve(Side::named(&side));
    }
    if let Some(side) = value("--in-process") {
        let votes = value("--votes").unwrap().parse().unwrap();
        return instructions::carry_out(Side::named(&side), votes);
    }
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if has("--instructions") {
        return instructions::report();
    }
    let number = |name, default| value(name).map_or(default, |text| text.parse().unwrap());
    let rounds = number("--rounds", 5);
    let duration = Duration::from_secs(number("--seconds", 2) as u64);
    let connections = number("--connections", 64);
    println!(
        "{rounds} rounds of {duration:?} a side, {connections} connections, {CANDIDATES} \
         candidates; one {}-core machine for servers and load",
        std::thread::available_parallelism().unwrap()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if has("--stack") {
            let Some(stack) = Servers::start().await else {
                return;
            };
            let servers = Side::STACK.map(|side| Server::start(side, &stack.settings(side)));
            compare(servers.into(), rounds, duration, connections).await;
        } else {
            let servers = Side::ALONE.map(|side| Server::start(side, &[]));
            compare(servers.into(), rounds, duration, connections).await;
        }
    });
}

async fn compare(servers: Vec<Server>, rounds: usize, duration: Duration, connections: usize) {
    let mut measured: Vec<(Side, Vec<Round>)> = Vec::new();
    measured.extend(servers.iter().map(|server| (server.side, Vec::new())));
    for round in 0..=rounds {
        for (server, (_, rounds)) in servers.iter().zip(&mut measured) {
            let one = server.round(connections, duration).await;
            // The first round warms up.
            if round > 0 {
                rounds.push(one);
            }
        }
    }
    report(&measured);
}

/// One side in one round.
struct Round {
    measured: Measured,
    cpu_us: f64,
}

impl Round {
    fn rate(&self) -> f64 {
        self.measured.per_second()
    }
}

fn report(measured: &[(Side, Vec<Round>)]) {
    println!(
        "\n{:<44}{:>12}{:>18}{:>10}{:>10}{:>12}",
        "side", "answers/s", "(min to max)", "p50 ms", "p99 ms", "CPU us each"
    );
    for (side, rounds) in measured {
        let of = |figure: fn(&Round) -> f64| spread(rounds.iter().map(figure));
        let (low, rate, high) = of(Round::rate);
        let (_, p50, _) = of(|round| round.measured.percentile_ms(0.5));
        let (_, p99, _) = of(|round| round.measured.percentile_ms(0.99));
        let (_, cpu, _) = of(|round| round.cpu_us);
        let range = format!("{low:.0} to {high:.0}");
        println!(
            "{:<44}{rate:>12.0}{range:>18}{p50:>10.2}{p99:>10.2}{cpu:>12.1}",
            side.title()
        );
    }
    println!("\nratios, round by round: median (min to max)");
    let (nothing, others): (Vec<_>, Vec<_>) = measured
        .iter()
        .partition(|(side, _)| *side == Side::Nothing);
    for other in others {
        // What does nothing is the measure of all that votes, and is itself measured by the crates'.
        let (above, below) = if other.0 == Side::Defaults {
            (nothing[0], other)
        } else {
            (other, nothing[0])
        };
        let ratios = above.1.iter().zip(&below.1);
        let (low, median, high) = spread(ratios.map(|(a, b)| a.rate() / b.rate()));
        let (above, below) = (above.0.title(), below.0.title());
        println!("{above} / {below}: {median:.2} ({low:.2} to {high:.2})");
    }
    let rounds = measured.iter().flat_map(|(_, rounds)| rounds);
    let wrong: usize = rounds.map(|round| round.measured.wrong).sum();
    assert_eq!(
        wrong, 0,
        "answers were not as they should be: the figures mean nothing"
    );
}

/// Least, median and greatest.
fn spread(figures: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    (
        figures[0],
        figures[figures.len() / 2],
        figures[figures.len() - 1],
    )
}

/// A side in a process of its own, which ends with this one.
struct Server {
    side: Side,
    process: Child,
    address: String,
    bodies: Vec<String>,
}

impl Server {
    fn start(side: Side, settings: &[(&str, String)]) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--serve", side.name()])
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says its address and the ticket to vote with.
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.next().unwrap().unwrap();
        let ticket = lines.next().unwrap().unwrap();
        let bodies = (0..CANDIDATES)
            .map(|n| body(&format!("candidate-{n}"), &ticket))
            .collect();
        Self {
            side,
            process,
            address,
            bodies,
        }
    }

    async fn round(&self, connections: usize, duration: Duration) -> Round {
        let before = self.cpu();
        let measured = load::drive(
            &self.address,
            &self.bodies,
            connections,
            duration,
            "\"success\":true",
        );
        let measured = measured.await;
        let cpu = self.cpu().saturating_sub(before);
        Round {
            cpu_us: cpu.as_secs_f64() * 1e6 / measured.answers as f64,
            measured,
        }
    }

    /// Processor time that the side has used, in user and system mode.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.unwrap_or_default();
        // Fields 14 and 15, counted behind the name in brackets; in ticks of 10 ms.
        let fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .filter_map(|f| f.parse::<u64>().ok())
            .sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn body(candidate: &str, ticket: &str) -> String {
    let variables = variables(candidate, ticket);
    serde_json::json!({"query": DOCUMENT, "variables": variables}).to_string()
}
