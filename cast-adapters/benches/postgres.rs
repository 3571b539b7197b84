//! How fast the fold into `PostgreSQL` is, beside the fastest way there is to put the same ballots
//! into the same table: a binary COPY, with its own commit a batch.
//!
//! ```sh
//! cargo bench -p cast-adapters --features postgres --bench postgres
//! ```
//!
//! Each round measures both, one after the other, because machines drift: what counts is the ratio
//! of a round, and its median. The server is the benchmark's own, and waits for the disk. It ends by
//! itself, in well under a minute.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "postgres/copy.rs"]
mod copy;

use std::time::Duration;

use cast_adapters::{
    postgres::{PostgresOptions, PostgresStore, migrate},
    system::SystemClock,
};
use cast_core::{
    domain::{BallotId, Candidate, Clock as _, FoldStep, Offset, Partition, Partitions},
    ports::{Applied, VoteStore as _},
};
use cast_testkit::{
    ManualClock, Seed,
    fixtures::{Fixtures, ballot, step},
    servers::{Mode, Postgres},
};

use self::copy::Copying;

const ROUNDS: usize = 9;
/// Ballots that each side takes a round and a size of batches.
const BALLOTS: usize = 20_000;
const BATCH_SIZES: [usize; 2] = [500, 2_000];
/// How many candidates the votes are spread over.
const CANDIDATES: u64 = 100;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let Some(server) = Postgres::start_as(Mode::Durable).await else {
        return;
    };
    measure(server.url()).await;
}

async fn measure(url: &str) {
    let options: PostgresOptions = url.parse().expect("a URL");
    migrate(&options).await.expect("the tables are made");
    let store = PostgresStore::new(options);
    let copying = Copying::into(url).await;
    let mut source = Source::new();
    println!("| batch | fold, ballots/s | COPY, ballots/s | fold / COPY, median (least to most) |");
    println!("|---|---|---|---|");
    for size in BATCH_SIZES {
        let mut rates = Vec::new();
        // The first round warms both up.
        for round in 0..=ROUNDS {
            let steps = source.steps(size);
            let folded = rate(fold(&store, &steps)).await;
            let copied = rate(copying.copy(&steps)).await;
            if round > 0 {
                rates.push((folded, copied));
            }
        }
        report(size, &rates);
    }
}

fn report(size: usize, rates: &[(f64, f64)]) {
    let sorted = |of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = rates.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let middle = rates.len() / 2;
    let ratios = sorted(|(fold, copy)| fold / copy);
    println!(
        "| {size} | {:.0} | {:.0} | {:.2} ({:.2} to {:.2}) |",
        sorted(|rate| rate.0)[middle],
        sorted(|rate| rate.1)[middle],
        ratios[middle],
        ratios[0],
        ratios[ratios.len() - 1]
    );
}

/// Ballots a second.
async fn rate(work: impl Future<Output = ()>) -> f64 {
    let start = SystemClock.monotonic();
    work.await;
    let took = SystemClock.monotonic().saturating_sub(start);
    f64::from(u32::try_from(BALLOTS).expect("a few")) / took.as_secs_f64()
}

async fn fold(store: &PostgresStore, steps: &[FoldStep]) {
    for step in steps {
        match store.apply(step).await.expect("the step is applied") {
            Applied::Folded { counted, .. } => assert_eq!(counted, step.ballots.len()),
            fenced @ Applied::Fenced { .. } => panic!("{fenced:?}"),
        }
    }
}

/// Where ballots come from: all different, their ids in the order of time, as the vote service mints them.
struct Source {
    fixtures: Fixtures,
    candidates: Vec<Candidate>,
    next: u64,
}

impl Source {
    fn new() -> Self {
        let fixtures = Fixtures::of(Seed::random());
        let candidate = |number| fixtures.candidate(&format!("candidate {number}"));
        let candidates = (0..CANDIDATES).map(candidate).collect();
        Self {
            fixtures,
            candidates,
            next: 0,
        }
    }

    /// Consecutive steps of `size` ballots each, in records of 50.
    fn steps(&mut self, size: usize) -> Vec<FoldStep> {
        (0..BALLOTS / size).map(|_| self.step(size)).collect()
    }

    /// As the vote service mints it, a millisecond after the ids of the record before.
    fn id(&self, offset: u64) -> BallotId {
        let now = ManualClock::START.plus(Duration::from_millis(offset));
        BallotId::mint(
            Partition::new(0),
            Partitions::ONE,
            now,
            self.fixtures.entropy(),
        )
    }

    fn step(&mut self, size: usize) -> FoldStep {
        let start = self.next;
        let ballots: Vec<_> = (0..size as u64)
            .map(|number| {
                let entropy = self.fixtures.entropy();
                let whom = usize::try_from(entropy.below(CANDIDATES)).expect("a few");
                let ballot = ballot(self.id(start), &[(&self.candidates[whom], 1)]);
                (start + number / 50, ballot)
            })
            .collect();
        self.next += (size as u64).div_ceil(50);
        step(
            Partition::new(0),
            (start, Offset::new(self.next).get()),
            ballots,
        )
    }
}
