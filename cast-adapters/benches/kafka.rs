//! How many ballots a second Kafka acknowledges and gives back when they come in flushes of one
//! record, beside the same ballots in one record each.
//!
//! ```sh
//! cargo bench -p cast-adapters --features kafka --bench kafka
//! ```
//!
//! Each round measures all of it, one after the other, because machines drift: what counts is the
//! ratio of a round, and its median. The server is a private one; with `CAST_TEST_KAFKA_URL` it is
//! that one. Bounded: it ends by itself, in about a minute.

#![expect(
    clippy::print_stdout,
    reason = "a benchmark reports to whoever started it"
)]

use std::{sync::Arc, time::Duration};

use cast_adapters::{kafka::KafkaBus, system::SystemClock};
use cast_core::{
    domain::{Partition, Partitions, Record},
    ports::{Clock as _, EventBus as _, Subscription},
};
use cast_testkit::{
    Seed,
    fixtures::{Fixtures, Progress},
    servers::{self, Kafka, Mode},
};
use tokio::task::JoinSet;

const ROUNDS: usize = 7;
const PARTITIONS: Partitions = Partitions::new(4).expect("four");
/// As the door has it by default.
const FLUSHES_IN_FLIGHT: usize = 4;

/// One way to publish.
struct Way {
    /// Ballots of a flush.
    flush: usize,
    /// Ballots of a record.
    record: usize,
    /// How many flushes a measurement takes.
    flushes: usize,
}

/// The first of each pair beside the second. A lone ballot is its own record either way.
const WAYS: [Way; 5] = [
    Way {
        flush: 1,
        record: 1,
        flushes: 2_000,
    },
    Way {
        flush: 64,
        record: 64,
        flushes: 1_000,
    },
    Way {
        flush: 64,
        record: 1,
        flushes: 120,
    },
    Way {
        flush: 512,
        record: 512,
        flushes: 240,
    },
    Way {
        flush: 512,
        record: 1,
        flushes: 24,
    },
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // With the compiler that a broker in production has.
    let own = Kafka::start_as(Mode::Durable);
    let named = std::env::var_os("CAST_TEST_KAFKA_URL").is_some();
    let own = if named { None } else { own.await };
    let kafka = match &own {
        Some(own) => own,
        None => servers::kafka().await.expect("Apache Kafka is needed"),
    };
    let partitions = u16::try_from(PARTITIONS.count()).expect("a few");
    let topic = kafka.create_topic(partitions).await;
    let bus = KafkaBus::connect(topic.url().parse().expect("a URL")).await;
    let bench = Bench {
        bus: Arc::new(bus.expect("the log is there")),
        fixtures: Fixtures::of(Seed::new(1)),
        progress: Arc::new(Progress::at_start()),
    };
    let mut rounds: Vec<Vec<Found>> = Vec::new();
    // The first round warms everything up.
    for round in 0..=ROUNDS {
        let mut found = Vec::new();
        for way in &WAYS {
            found.push(bench.measure(way).await);
        }
        if round > 0 {
            rounds.push(found);
        }
    }
    report(&rounds);
}

/// What a measurement found.
#[derive(Clone, Copy)]
struct Found {
    published_per_s: f64,
    read_per_s: f64,
    /// The median flush.
    flush_ms: f64,
}

fn report(rounds: &[Vec<Found>]) {
    println!(
        "| flush | ballots a record | acknowledged, ballots/s (least to most) | a flush takes, ms \
         | read, ballots/s (least to most) | acknowledged / one record a ballot | read / same |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (at, way) in WAYS.iter().enumerate() {
        let all = |of: fn(&Found) -> f64| sorted(rounds.iter().map(|round| of(&round[at])));
        let singly = WAYS
            .iter()
            .position(|other| other.flush == way.flush && other.record == 1);
        let singly = singly.expect("each flush is also measured so");
        let ratios = |of: fn(&Found) -> f64| {
            let ratio = |round: &Vec<Found>| of(&round[at]) / of(&round[singly]);
            sorted(rounds.iter().map(ratio))
        };
        let (published, read) = (
            all(|found| found.published_per_s),
            all(|found| found.read_per_s),
        );
        println!(
            "| {} | {} | {} | {:.2} | {} | {:.1} | {:.1} |",
            way.flush,
            way.record,
            spread(&published),
            middle(&all(|found| found.flush_ms)),
            spread(&read),
            middle(&ratios(|found| found.published_per_s)),
            middle(&ratios(|found| found.read_per_s)),
        );
    }
}

fn spread(sorted: &[f64]) -> String {
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    format!("{:.0} ({least:.0} to {most:.0})", middle(sorted))
}

fn middle(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

struct Bench {
    bus: Arc<KafkaBus>,
    fixtures: Fixtures,
    /// Where the measurement before this one ended.
    progress: Arc<Progress>,
}

impl Bench {
    async fn measure(&self, way: &Way) -> Found {
        let ballots = count(way.flush * way.flushes);
        let mut tasks: Vec<Vec<Vec<Record>>> = vec![Vec::new(); FLUSHES_IN_FLIGHT];
        for number in 0..way.flushes {
            tasks[number % FLUSHES_IN_FLIGHT].push(self.flush(way, number));
        }
        let began = SystemClock.monotonic();
        let mut publishing = JoinSet::new();
        for flushes in tasks {
            publishing.spawn(publish(Arc::clone(&self.bus), flushes));
        }
        let times = publishing.join_all().await.concat();
        let took = SystemClock.monotonic() - began;
        let times = sorted(times.into_iter().map(|time| time.as_secs_f64() * 1_000.0));
        Found {
            published_per_s: ballots / took.as_secs_f64(),
            read_per_s: ballots / self.read(way).await.as_secs_f64(),
            flush_ms: middle(&times),
        }
    }

    /// One flush, as the door would have it: for one partition, the partitions taking turns.
    fn flush(&self, way: &Way, number: usize) -> Vec<Record> {
        let number = u32::try_from(number).expect("a few");
        let home = Partition::new(number % PARTITIONS.count());
        let record = || self.fixtures.record(home, PARTITIONS, way.record);
        std::iter::repeat_with(record)
            .take(way.flush / way.record)
            .collect()
    }

    /// Reads what was published, from the first batch on: joining a group is not measured.
    async fn read(&self, way: &Way) -> Duration {
        let group = self.fixtures.group("reads");
        let resume = Arc::clone(&self.progress) as _;
        let reader = self.bus.subscribe(&group, 2_000, resume).await;
        let mut reader: Box<dyn Subscription> = reader.expect("it joins");
        let (mut began, mut left) = (None, way.flush * way.flushes);
        while left > 0 {
            let batch = reader.next().await.expect("a batch");
            began.get_or_insert_with(|| SystemClock.monotonic());
            self.progress.advance(&batch);
            let ballots = |entry: cast_core::domain::LogEntry| entry.content.map_or(0, |b| b.len());
            left -= batch.entries.into_iter().map(ballots).sum::<usize>();
        }
        let took = SystemClock.monotonic() - began.expect("something was read");
        reader.close().await.expect("it leaves");
        took
    }
}

/// Publishes one flush after the other; how long each took.
async fn publish(bus: Arc<KafkaBus>, flushes: Vec<Vec<Record>>) -> Vec<Duration> {
    let mut times = Vec::with_capacity(flushes.len());
    for flush in flushes {
        let began = SystemClock.monotonic();
        let results = bus.publish(&flush).await;
        assert!(results.iter().all(Result::is_ok), "all is acknowledged");
        times.push(SystemClock.monotonic() - began);
    }
    times
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a count of ballots"))
}
