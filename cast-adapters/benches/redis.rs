//! How many ballots a second Redis redeems and records when they come in flushes, beside the same
//! ballots one a call; and how many commands Redis carries out for each.
//!
//! ```sh
//! cargo bench -p cast-adapters --features redis --bench redis
//! ```
//!
//! Each round measures all of it, one after the other, because machines drift: what counts is the
//! ratio of a round, and its median. What Redis spends of its processor hardly drifts. The server is a private one; with `CAST_TEST_REDIS_URL` it is
//! that one. Bounded: it ends by itself, in about half a minute.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::{sync::Arc, time::Duration};

use bb8_redis::redis::{Client, aio::MultiplexedConnection, cmd};
use cast_adapters::{
    redis::{Redis, RedisCounter, RedisOptions, RedisTickets},
    system::SystemClock,
};
use cast_core::{
    domain::{
        AppliedTotal, Candidate, Claim, Clock as _, GenuineTicket, LogPosition, Offset, Partition,
        PeriodTicket, Redemption,
    },
    ports::{Checkpoint, PendingVotes, TicketSource as _, VoteCounter as _},
};
use cast_testkit::{
    Seed,
    fixtures::Fixtures,
    servers::{self, random_name},
};
use tokio::task::JoinSet;

const ROUNDS: usize = 7;
/// How many voters wait at once: what a flush takes, and how many calls are under way without it.
const WAITING: [usize; 2] = [64, 512];
const FLUSHES_IN_FLIGHT: usize = 2;
/// Ballots that a measurement takes; of those that come one a call, a quarter.
const BALLOTS: usize = 65_536;
/// How many candidates the votes are spread over, one selection a ballot.
const CANDIDATES: usize = 8;
/// How far the consumers are behind, in records.
const LAG: u64 = 64;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let server = servers::redis().await.expect("redis-server is needed");
    let bench = Arc::new(Bench::on(server.url()).await);
    println!("| waiting | voting | ballots/s | Redis CPU, µs a ballot | commands a ballot |");
    println!("|---|---|---|---|---|");
    for waiting in WAITING {
        let mut rounds = Vec::new();
        // The first round warms everything up.
        for round in 0..=ROUNDS {
            let flushed = bench.measure(BALLOTS, FLUSHES_IN_FLIGHT, waiting).await;
            let single = bench.measure(BALLOTS / 4, waiting, 1).await;
            if round > 0 {
                rounds.push((flushed, single));
            }
        }
        report(waiting, &rounds);
    }
}

/// What a measurement found.
#[derive(Clone, Copy)]
struct Found {
    ballots_per_s: f64,
    cpu_us_per_ballot: f64,
    commands_per_ballot: f64,
}

fn report(waiting: usize, rounds: &[(Found, Found)]) {
    let line = |voting: &str, side: fn(&(Found, Found)) -> Found| {
        let median = |of: fn(Found) -> f64| {
            let values = sorted(rounds.iter().map(|round| of(side(round))));
            values[values.len() / 2]
        };
        println!(
            "| {waiting} | {voting} | {:.0} | {:.2} | {:.2} |",
            median(|found| found.ballots_per_s),
            median(|found| found.cpu_us_per_ballot),
            median(|found| found.commands_per_ballot),
        );
    };
    line("in flushes", |(flushed, _)| *flushed);
    line("one a call", |(_, single)| *single);
    let ratios = sorted(
        rounds
            .iter()
            .map(|(f, s)| f.ballots_per_s / s.ballots_per_s),
    );
    println!(
        "| {waiting} | ratio, median (least to most) | {:.1} ({:.1} to {:.1}) | | |",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
    );
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

struct Bench {
    redis: Redis,
    raw: MultiplexedConnection,
    fixtures: Fixtures,
    candidates: Vec<Candidate>,
    /// The end of the log.
    next: std::sync::atomic::AtomicU64,
}

impl Bench {
    async fn on(url: &str) -> Self {
        let options = RedisOptions {
            prefix: random_name(),
            // What is measured is how much, and not whether a burst of single calls is in time.
            response_timeout: Duration::from_secs(10),
            // The ids of one run are more than a window would hold in practice.
            retry_window: Duration::from_secs(10),
            ..RedisOptions::at(url)
        };
        let client = Client::open(url).expect("a URL");
        let raw = client.get_multiplexed_async_connection().await;
        let fixtures = Fixtures::of(Seed::new(1));
        Self {
            redis: Redis::open(options).expect("the options make sense"),
            raw: raw.expect("the server is there"),
            candidates: (0..CANDIDATES)
                .map(|n| fixtures.candidate(&n.to_string()))
                .collect(),
            fixtures,
            next: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// Votes with so many tasks, each with so many ballots at a time.
    async fn measure(self: &Arc<Self>, ballots: usize, tasks: usize, at_a_time: usize) -> Found {
        let ticket = self.issue().await;
        let shares: Vec<Vec<Claim>> = (0..tasks)
            .map(|_| self.fixtures.claims(ballots / tasks))
            .collect();
        let (commands, cpu_s) = (self.commands().await, self.cpu_s().await);
        let started = SystemClock.monotonic().as_secs_f64();
        let mut servers = JoinSet::new();
        for share in shares {
            let bench = Arc::clone(self);
            servers.spawn(async move {
                let (tickets, counter) = (bench.redis.tickets(), bench.redis.counter());
                for flush in share.chunks(at_a_time) {
                    bench.vote(&tickets, &counter, &ticket, flush).await;
                }
            });
        }
        servers.join_all().await;
        let seconds = SystemClock.monotonic().as_secs_f64() - started;
        let (commands, cpu_s) = (self.commands().await - commands, self.cpu_s().await - cpu_s);
        let ballots = f64::from(u32::try_from(ballots).expect("a few"));
        Found {
            ballots_per_s: ballots / seconds,
            cpu_us_per_ballot: cpu_s * 1e6 / ballots,
            commands_per_ballot: commands / ballots,
        }
    }

    async fn issue(&self) -> GenuineTicket {
        let tickets = self.redis.tickets();
        let now = tickets.now().await.expect("the time");
        let genuine = self.fixtures.ticket(now);
        let period = PeriodTicket {
            ticket: *genuine.ticket(),
            valid_until: now.plus(Duration::from_secs(600)),
            use_limit: u32::MAX,
        };
        tickets.publish(&period).await.expect("published");
        genuine
    }

    /// The two steps of a flush that Redis takes part in; and now and then, what a consumer does.
    async fn vote(
        &self,
        tickets: &RedisTickets,
        counter: &RedisCounter,
        ticket: &GenuineTicket,
        claims: &[Claim],
    ) {
        let redeemed = tickets.redeem(ticket, claims).await.expect("redeemed");
        assert!(redeemed.iter().all(|answer| *answer == Redemption::Granted));
        let offset = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let pending = self.pending(offset, claims.len());
        let show: Vec<Candidate> = pending.votes.iter().map(|(who, _)| who.clone()).collect();
        let shown = counter.record(&[pending], &show).await.expect("recorded");
        assert!(shown.iter().all(|reading| reading.tally.votes > 0));
        if offset % LAG == LAG - 1 {
            let checkpoints: Vec<_> = self
                .candidates
                .iter()
                .map(|who| checkpoint(who, offset))
                .collect();
            counter.reconcile(&checkpoints).await.expect("reconciled");
        }
    }

    /// A record of so many ballots, each for the next candidate in turn.
    fn pending(&self, offset: u64, ballots: usize) -> PendingVotes {
        let first = usize::try_from(offset).expect("a few") % CANDIDATES;
        let votes = (0..CANDIDATES.min(ballots)).map(|n| {
            let candidate = self.candidates[(first + n) % CANDIDATES].clone();
            (candidate, ballots.div_ceil(CANDIDATES) as u64)
        });
        PendingVotes {
            position: LogPosition {
                partition: Partition::new(0),
                offset: Offset::new(offset),
            },
            votes: votes.collect(),
        }
    }

    /// How many commands the server has carried out, those of scripts included.
    async fn commands(&self) -> f64 {
        self.sum("commandstats", |line| {
            line.split_once(":calls=")?.1.split(',').next()
        })
        .await
    }

    /// How many seconds of a processor the server has taken.
    async fn cpu_s(&self) -> f64 {
        self.sum("cpu", |line| {
            let of_server = ["used_cpu_user:", "used_cpu_sys:"];
            of_server.iter().find_map(|name| line.strip_prefix(name))
        })
        .await
    }

    /// Sums the numbers that `pick` finds in the server's INFO.
    async fn sum(&self, section: &str, pick: fn(&str) -> Option<&str>) -> f64 {
        let mut info = cmd("INFO");
        info.arg(section);
        let reported: String = info
            .query_async(&mut self.raw.clone())
            .await
            .expect("answered");
        let numbers = reported.lines().filter_map(pick);
        numbers
            .filter_map(|number| number.trim().parse::<f64>().ok())
            .sum()
    }
}

fn checkpoint(candidate: &Candidate, as_of: u64) -> Checkpoint {
    Checkpoint {
        candidate: candidate.clone(),
        applied_totals: vec![AppliedTotal {
            partition: Partition::new(0),
            votes: as_of,
            as_of: Offset::new(as_of),
        }],
        whole: true,
    }
}
