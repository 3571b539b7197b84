//! A new topic for each test, and readers that check the records.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cast_adapters::kafka::{KafkaBus, KafkaOptions};
use cast_core::{
    domain::{self, BallotId, LogBatch, LogPosition, Partition, Partitions, Record},
    ports::{EventBus, GroupName, PortError, Published, ResumeFrom, Subscription},
};
use cast_testkit::{
    fixtures::{Fixtures, Progress},
    servers::{Kafka, Topic},
    within,
};

pub(crate) const PARTITIONS: Partitions = Partitions::new(3).expect("three");

/// How long a short operation may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A topic, and buses on it.
pub(crate) struct Log {
    pub(crate) topic: Topic,
    pub(crate) brokers: String,
    pub(crate) fixtures: Fixtures,
}

impl Log {
    pub(crate) async fn on(kafka: &Kafka) -> Self {
        let partitions = u16::try_from(PARTITIONS.count()).expect("a few");
        Self {
            topic: kafka.create_topic(partitions).await,
            brokers: kafka.brokers().to_owned(),
            fixtures: Fixtures::new(),
        }
    }

    /// With the default options.
    pub(crate) fn options(&self) -> KafkaOptions {
        self.topic.url().parse().expect("a URL")
    }

    /// Long timeouts, for tests that are not about timeouts: on a busy machine a broker may not respond
    /// for seconds.
    pub(crate) fn patient(&self) -> KafkaOptions {
        let mut options = self.options();
        options.request_timeout = Duration::from_secs(20);
        options.delivery_timeout = Duration::from_secs(10);
        options
    }

    pub(crate) async fn connect(&self) -> Arc<KafkaBus> {
        connect(self.patient()).await
    }

    /// Records of one ballot each, round robin over the partitions.
    pub(crate) fn records(&self, count: usize) -> Vec<Record> {
        let homes = PARTITIONS.iter().cycle().take(count);
        homes
            .map(|test_db| self.fixtures.record(test_db, PARTITIONS, 1))
            .collect()
    }
}

pub(crate) async fn connect(options: KafkaOptions) -> Arc<KafkaBus> {
    let connected = KafkaBus::connect(options).await;
    Arc::new(connected.unwrap_or_else(|error| panic!("{}", error.chain())))
}

pub(crate) async fn publish(
    bus: &KafkaBus,
    records: &[Record],
) -> Vec<Result<Published, PortError>> {
    within(PATIENCE, "an answer", bus.publish(records)).await
}

/// Publishes records that the log must accept; returns their positions.
pub(crate) async fn publish_all(bus: &KafkaBus, records: &[Record]) -> Vec<LogPosition> {
    let position = |published: Result<Published, PortError>| {
        let published = published.unwrap_or_else(|error| panic!("{}", error.chain()));
        published.position.expect("answered")
    };
    let results = publish(bus, records).await;
    results.into_iter().map(position).collect()
}

/// The batches that the readers of a group have applied: a store without the votes. It applies a batch only if
/// it starts at the progress, as a store's fence does, and counts how often it got each ballot.
#[derive(Default)]
pub(crate) struct Applied {
    pub(crate) progress: Progress,
    times: Mutex<BTreeMap<BallotId, usize>>,
}

impl Applied {
    /// Applies a batch, or says that it is not the next.
    pub(crate) fn apply(&self, batch: &LogBatch) -> bool {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if self.progress.of(batch.partition) != batch.start {
            return false;
        }
        self.progress.advance(batch);
        for entry in &batch.entries {
            let ballots = entry.content.as_ref().expect("a record");
            for ballot in ballots.iter() {
                *times.entry(ballot.id).or_default() += 1;
            }
        }
        true
    }

    pub(crate) fn times(&self, record: &Record) -> usize {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times
            .get(&record.ballots()[0].id)
            .copied()
            .unwrap_or_default()
    }

    /// Whether all of these were applied.
    pub(crate) fn has_all(&self, positions: &[LogPosition]) -> bool {
        let is_behind = |at: &LogPosition| self.progress.of(at.partition) > at.offset;
        positions.iter().all(is_behind)
    }
}

#[async_trait::async_trait]
impl ResumeFrom for Applied {
    async fn resume_from(&self, partition: Partition) -> Result<domain::Progress, PortError> {
        self.progress.resume_from(partition).await
    }
}

pub(crate) async fn join(
    bus: &KafkaBus,
    group: &GroupName,
    applied: &Arc<Applied>,
) -> Box<dyn Subscription> {
    let resume = Arc::clone(applied) as Arc<dyn ResumeFrom>;
    let joined = bus.subscribe(group, 100, resume).await;
    joined.unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// Reads and applies until all of `positions` were applied.
pub(crate) async fn read_up_to(
    member: &mut dyn Subscription,
    applied: &Applied,
    positions: &[LogPosition],
) {
    let read = async {
        while !applied.has_all(positions) {
            let batch = member.next().await;
            let batch = batch.unwrap_or_else(|error| panic!("{}", error.chain()));
            assert!(
                applied.apply(&batch),
                "a batch that does not join: {batch:?}"
            );
        }
    };
    within(PATIENCE, "records to be read", read).await;
}
