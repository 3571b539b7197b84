//! What the clauses start from: the adapter under test, and what they do with it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, LogEntry, LogPosition, Offset, Partition, Partitions, Record, Unreadable},
    ports::{EventBus, GroupName, PortError, Published, Subscription},
};

use crate::contract::{Harness, Skipped};
use crate::{
    fixtures::{Fixtures, Progress},
    waiting::within,
};

/// Opens a log for the clauses, and does to it what they ask for.
#[async_trait]
pub trait EventBusHarness: Harness {
    /// A handle to the log under test. The log is empty at first, has two partitions or more, and
    /// all handles of one harness see the same: an adapter of a server gives each its own
    /// connections.
    async fn open(&self) -> Arc<dyn EventBus>;

    /// A record that the log refuses: by default, one for a partition that it does not have.
    fn refused(&self, fixtures: &Fixtures, partitions: Partitions) -> Record {
        let somewhere = fixtures.record(Partition::new(0), partitions, 1);
        Record::new(
            Partition::new(partitions.count()),
            Arc::clone(somewhere.ballots()),
        )
    }

    /// Appends bytes that are no record to the end of a partition.
    async fn append_unreadable(&self, partition: Partition, bytes: &[u8]) -> Result<(), Skipped>;

    /// Makes the log fail to take what is published from now on (out of reach, frozen, full), or
    /// able again.
    async fn obstruct(&self, obstructed: bool) -> Result<(), Skipped>;

    /// Drops the records before `offset`, as retention does.
    async fn truncate(&self, partition: Partition, before: Offset) -> Result<(), Skipped>;
}

/// A log with a few partitions, and a publisher.
pub(super) struct Scenario<'a> {
    pub(super) harness: &'a dyn EventBusHarness,
    pub(super) bus: Arc<dyn EventBus>,
    pub(super) partitions: Partitions,
    pub(super) fixtures: Fixtures,
}

impl<'a> Scenario<'a> {
    pub(super) async fn start(harness: &'a dyn EventBusHarness) -> Self {
        let bus = harness.open().await;
        let partitions = bus
            .partitions()
            .await
            .expect("the log knows its partitions");
        assert!(
            partitions.count() >= 2,
            "the suite needs two partitions or more"
        );
        Self {
            harness,
            bus,
            partitions,
            fixtures: Fixtures::new(),
        }
    }

    pub(super) fn record(&self, partition: Partition, ballots: usize) -> Record {
        self.fixtures.record(partition, self.partitions, ballots)
    }

    /// Records of one ballot, `each` for every partition, the partitions taking turns.
    pub(super) fn records(&self, each: usize) -> Vec<Record> {
        (0..each)
            .flat_map(|_| self.partitions.iter())
            .map(|partition| self.record(partition, 1))
            .collect()
    }

    /// Publishes records, all of which the log must take; their positions.
    pub(super) async fn publish(&self, records: &[Record]) -> Vec<LogPosition> {
        let results = self.bus.publish(records).await;
        assert_eq!(results.len(), records.len(), "one result for each record");
        results.into_iter().map(position).collect()
    }

    /// Publishes `count` records of one ballot to one partition.
    pub(super) async fn fill(&self, partition: Partition, count: usize) -> Vec<LogPosition> {
        let records: Vec<_> = (0..count).map(|_| self.record(partition, 1)).collect();
        self.publish(&records).await
    }

    pub(super) async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        progress: &Arc<Progress>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let resume = Arc::clone(progress) as _;
        self.bus.subscribe(group, max_ballots, resume).await
    }

    /// A reader that is alone in a group of its own.
    pub(super) async fn reader(&self, max_ballots: usize, progress: &Arc<Progress>) -> Reader<'_> {
        let group = self.fixtures.group("reader");
        let subscription = self.subscribe(&group, max_ballots, progress).await;
        Reader {
            harness: self.harness,
            subscription: subscription.expect("the log takes a reader"),
            seen: BTreeMap::new(),
        }
    }

    /// Reads the log from its start, until after all that was published before.
    pub(super) async fn read_all(&self) -> BTreeMap<LogPosition, Content> {
        let ends = self.publish(&self.records(1)).await;
        let mut reader = self.reader(1_000, &Arc::new(Progress::at_start())).await;
        reader.read_up_to(&ends).await;
        reader.close().await
    }
}

pub(super) type Content = Result<Arc<[cast_core::domain::LoggedBallot]>, Unreadable>;

/// A subscription, and what it has read.
pub(super) struct Reader<'a> {
    pub(super) harness: &'a dyn EventBusHarness,
    pub(super) subscription: Box<dyn Subscription>,
    pub(super) seen: BTreeMap<LogPosition, Content>,
}

impl Reader<'_> {
    pub(super) async fn next(&mut self) -> LogBatch {
        let next = self.subscription.next();
        let batch = within(self.harness.patience(), "the next batch", next).await;
        let batch = batch.expect("the log gives the next batch");
        for LogEntry { offset, content } in batch.entries.clone() {
            let at = LogPosition {
                partition: batch.partition,
                offset,
            };
            let before = self.seen.insert(at, content);
            assert_eq!(before, None, "{at:?} was read twice");
        }
        batch
    }

    /// Reads until all of `positions` were read; the batches that it took.
    pub(super) async fn read_up_to(&mut self, positions: &[LogPosition]) -> Vec<LogBatch> {
        let mut batches = Vec::new();
        while !positions
            .iter()
            .all(|position| self.seen.contains_key(position))
        {
            batches.push(self.next().await);
        }
        batches
    }

    /// Leaves the group; what it has read.
    pub(super) async fn close(self) -> BTreeMap<LogPosition, Content> {
        self.subscription.close().await.expect("a member leaves");
        self.seen
    }
}

pub(super) fn position(published: Result<Published, PortError>) -> LogPosition {
    let published = published.expect("the log takes a record");
    // A log may not know it once in a while, but not always: the suite would be about nothing.
    published.position.expect("the log knows the position")
}

/// Asserts that each record is at its position.
pub(super) fn assert_holds(
    log: &BTreeMap<LogPosition, Content>,
    records: &[Record],
    at: &[LogPosition],
) {
    for (record, position) in records.iter().zip(at) {
        assert_eq!(position.partition, record.partition());
        let there = log
            .get(position)
            .unwrap_or_else(|| panic!("nothing is at {position:?}"));
        assert_eq!(there.as_ref(), Ok(record.ballots()), "at {position:?}");
    }
}
