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

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::{sync::Arc, time::Duration};

use cast_adapters::{kafka::KafkaBus, system::SystemClock};
use cast_core::{
    domain::{Clock as _, LogEntry, Partition, Partitions, Record},
    ports::{EventBus as _, Subscription},
};
use cast_testkit::{
    Seed,
    fixtures::{Fixtures, Progress},
    servers::{self, Kafka, Mode, Topic},
};
use tokio::task::JoinSet;

const ROUNDS: usize = 7;
const PARTITIONS: Partitions = Partitions::new(4).expect("four");
/// As the vote service has it by default.
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

/// A flush as one record, and as one record a ballot. A lone ballot is its own record either way.
const PUBLISHED: [Way; 5] = [
    Way::new(1, 1, 2_000),
    Way::new(64, 64, 2_000),
    Way::new(64, 1, 240),
    Way::new(512, 512, 480),
    Way::new(512, 1, 48),
];

/// What is read, over and over.
const READ: [Way; 2] = [Way::new(512, 512, 3_000), Way::new(512, 1, 600)];

impl Way {
    const fn new(flush: usize, record: usize, flushes: usize) -> Self {
        Self {
            flush,
            record,
            flushes,
        }
    }

    const fn ballots(&self) -> usize {
        self.flush * self.flushes
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let named = std::env::var_os("CAST_TEST_KAFKA_URL").is_some();
    // With the compiler that a broker in production has.
    let own = if named {
        None
    } else {
        Kafka::start_as(Mode::Durable).await
    };
    let kafka = match &own {
        Some(own) => own,
        None => servers::kafka().await.expect("Apache Kafka is needed"),
    };
    let bench = Log::on(kafka).await;
    // The first round warms everything up.
    bench.publish_each().await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(bench.publish_each().await);
    }
    report_published(&rounds);

    let logs = [Log::on(kafka).await, Log::on(kafka).await];
    for (log, way) in logs.iter().zip(&READ) {
        log.publish(way).await;
    }
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut round = Vec::new();
        for (log, way) in logs.iter().zip(&READ) {
            round.push(log.read(way).await);
        }
        rounds.push(round);
    }
    report_read(&rounds);
}

/// What publishing one way took.
#[derive(Clone, Copy)]
struct Published {
    per_s: f64,
    /// The median flush.
    flush_ms: f64,
}

fn report_published(rounds: &[Vec<Published>]) {
    println!(
        "| flush | ballots a record | acknowledged, ballots/s (least to most) | a flush takes, ms \
         | beside one record a ballot (least to most) |"
    );
    println!("|---|---|---|---|---|");
    for (at, way) in PUBLISHED.iter().enumerate() {
        let same_flush = |other: &Way| other.flush == way.flush && other.record == 1;
        let singly = PUBLISHED.iter().position(same_flush);
        let singly = singly.expect("each flush is also measured so");
        let ratio = |round: &Vec<Published>| round[at].per_s / round[singly].per_s;
        println!(
            "| {} | {} | {} | {:.2} | {} |",
            way.flush,
            way.record,
            spread(rounds.iter().map(|round| round[at].per_s), 0),
            middle(&sorted(rounds.iter().map(|round| round[at].flush_ms))),
            spread(rounds.iter().map(ratio), 1),
        );
    }
}

fn report_read(rounds: &[Vec<f64>]) {
    println!(
        "\n| ballots a record | read, ballots/s (least to most) | beside one record a ballot |"
    );
    println!("|---|---|---|");
    for (at, way) in READ.iter().enumerate() {
        println!(
            "| {} | {} | {} |",
            way.record,
            spread(rounds.iter().map(|round| round[at]), 0),
            spread(rounds.iter().map(|round| round[at] / round[1]), 1),
        );
    }
}

/// The median, and the least and the most.
fn spread(values: impl Iterator<Item = f64>, digits: usize) -> String {
    let sorted = sorted(values);
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    format!(
        "{:.digits$} ({least:.digits$} to {most:.digits$})",
        middle(&sorted)
    )
}

fn middle(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

struct Log {
    bus: Arc<KafkaBus>,
    fixtures: Fixtures,
    /// Deleted with this.
    _topic: Topic,
}

impl Log {
    async fn on(kafka: &Kafka) -> Self {
        let partitions = u16::try_from(PARTITIONS.count()).expect("a few");
        let topic = kafka.create_topic(partitions).await;
        let bus = KafkaBus::connect(topic.url().parse().expect("a URL")).await;
        Self {
            bus: Arc::new(bus.expect("the log is there")),
            fixtures: Fixtures::of(Seed::new(1)),
            _topic: topic,
        }
    }

    /// Each way once.
    async fn publish_each(&self) -> Vec<Published> {
        let mut published = Vec::new();
        for way in &PUBLISHED {
            published.push(self.publish(way).await);
        }
        published
    }

    async fn publish(&self, way: &Way) -> Published {
        let mut shares: Vec<Vec<Vec<Record>>> = vec![Vec::new(); FLUSHES_IN_FLIGHT];
        for number in 0..way.flushes {
            shares[number % FLUSHES_IN_FLIGHT].push(self.flush(way, number));
        }
        let began = SystemClock.monotonic();
        let mut publishing = JoinSet::new();
        for flushes in shares {
            publishing.spawn(publish_one_by_one(Arc::clone(&self.bus), flushes));
        }
        let times = publishing.join_all().await.concat();
        let took = since(began);
        let times = sorted(times.into_iter().map(|time| time.as_secs_f64() * 1_000.0));
        Published {
            per_s: per_s(way.ballots(), took),
            flush_ms: middle(&times),
        }
    }

    /// One flush, as the vote service would write it: for one partition, round robin.
    fn flush(&self, way: &Way, number: usize) -> Vec<Record> {
        let number = u32::try_from(number).expect("a few");
        let test_db = Partition::new(number % PARTITIONS.count());
        let record = || self.fixtures.record(test_db, PARTITIONS, way.record);
        std::iter::repeat_with(record)
            .take(way.flush / way.record)
            .collect()
    }

    /// Reads the whole log, and measures from the first batch on: joining a group is not part of it.
    async fn read(&self, way: &Way) -> f64 {
        let group = self.fixtures.group("reads");
        let resume = Arc::new(Progress::at_start());
        let reader = self.bus.subscribe(&group, 2_000, resume).await;
        let mut reader: Box<dyn Subscription> = reader.expect("it joins");
        let (mut began, mut left) = (None, way.ballots());
        while left > 0 {
            let batch = reader.next().await.expect("a batch");
            began.get_or_insert_with(|| SystemClock.monotonic());
            let ballots = |entry: &LogEntry| entry.content.as_ref().map_or(0, |all| all.len());
            left -= batch.entries.iter().map(ballots).sum::<usize>();
        }
        let took = since(began.expect("something was read"));
        reader.close().await.expect("it leaves");
        per_s(way.ballots(), took)
    }
}

/// Publishes one flush after the other; how long each took.
async fn publish_one_by_one(bus: Arc<KafkaBus>, flushes: Vec<Vec<Record>>) -> Vec<Duration> {
    let mut times = Vec::with_capacity(flushes.len());
    for flush in flushes {
        let began = SystemClock.monotonic();
        let results = bus.publish(&flush).await;
        assert!(results.iter().all(Result::is_ok), "all is acknowledged");
        times.push(since(began));
    }
    times
}

fn per_s(ballots: usize, took: Duration) -> f64 {
    let ballots = u32::try_from(ballots).expect("a count of ballots");
    f64::from(ballots) / took.as_secs_f64()
}

fn since(began: Duration) -> Duration {
    SystemClock.monotonic().saturating_sub(began)
}
