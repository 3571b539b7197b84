//! The contract of [`EventBus`], clause by clause.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, LogEntry, LogPosition, Offset, Partition, Partitions, Record, Unreadable},
    ports::{EventBus, GroupName, PortError, Published, Subscription},
};

use super::{Harness, IntoHarness, Skipped};
use crate::{
    fixtures::{Fixtures, Progress},
    waiting::within,
};

mod group;
mod lag;
mod members;
mod publish;
mod subscribe;

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

/// Proves one clause by name. [`event_bus_contract!`](crate::event_bus_contract) calls it for each.
pub fn prove<M>(clause: &str, make: impl AsyncFnOnce() -> M)
where
    M: IntoHarness<Harness: EventBusHarness + 'static>,
{
    let make = async || {
        let harness = make().await.into_harness()?;
        Ok(Box::new(harness) as Box<dyn EventBusHarness>)
    };
    super::prove(super::find(CLAUSES, clause), make);
}

/// Expands to one `#[test]` for each clause of the contract of `EventBus`; takes the
/// function that opens a harness: `async fn() -> H` or `async fn() -> Result<H, Skipped>`, where `H` is
/// a [`EventBusHarness`](crate::contract::event_bus::EventBusHarness).
#[macro_export]
macro_rules! event_bus_contract {
    ($make:expr) => {
        $crate::__event_bus_clauses! { __clause_tests (event_bus, $make) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __event_bus_clauses {
    ($callback:ident $arguments:tt) => {
        $crate::$callback! { $arguments
            "There is one result for each record, in the order of the records; the failure of one is not the failure of another."
                => publish::there_is_one_result_for_each_record_in_order,
            "There is one result for each record, in the order of the records; the failure of one is not the failure of another."
                => publish::the_failure_of_one_record_is_not_anothers,
            "An acknowledged record is in the log at the returned position and stays there."
                => publish::an_acknowledged_record_stays_at_its_position,
            "Positions of a partition grow with each record."
                => publish::positions_grow_with_each_record,
            "A record is in the log as a whole or not at all."
                => publish::a_record_is_in_the_log_as_a_whole,
            "A record of `Record::MAX_BALLOTS` of the largest ballots is accepted."
                => publish::the_largest_record_is_taken,
            "The caller puts a deadline on every call and drops the future when it passes; the operation has then happened as a whole or not at all."
                => publish::a_dropped_publish_happened_as_a_whole_or_not_at_all,
            "Unavailable is returned only for a record that is not in the log and never will be."
                => publish::what_was_unavailable_is_never_in_the_log,
            "A partition is read from the position that the resume callback returns, whatever was committed."
                => subscribe::reading_starts_where_the_resume_callback_says,
            "Records are delivered in the order of the log, each once, with none left out."
                => subscribe::records_come_in_order_each_once_none_left_out,
            "Batches are contiguous: each starts where the one before it of the same partition ended."
                => subscribe::batches_join,
            "A batch has records of one partition, and no more ballots than asked for unless a single record has more."
                => subscribe::a_batch_is_of_one_partition_and_no_larger_than_asked_for,
            "Two members of a group read different partitions; together they read all of them."
                => group::two_members_share_the_partitions,
            "When a member leaves, the others take over its partitions, from the position that the resume callback returns then."
                => group::partitions_of_a_member_that_leaves_are_taken_over,
            "Dropping it leaves the group, at the latest when the log detects it."
                => group::partitions_of_a_dropped_member_are_taken_over,
            "Two groups each read everything."
                => group::two_groups_each_read_everything,
            "A record that is published later is delivered without another request."
                => subscribe::what_is_published_later_arrives,
            "A position after the end of the log is refused as misconfigured: the reader's store belongs to another log."
                => subscribe::a_position_behind_the_end_is_misconfigured,
            "A position before the first record that the log still has is refused as misconfigured: the records between them are lost."
                => subscribe::a_position_before_the_first_record_is_misconfigured,
            "A progress whose last ballot is not in the record at its offset is refused as misconfigured, and nothing of the partition is read: it is not the log that was folded."
                => subscribe::another_log_than_the_one_that_was_folded_is_misconfigured,
            "A last ballot whose record was deleted by retention is not looked up."
                => subscribe::a_last_ballot_that_was_dropped_is_not_looked_for,
            "Waits for the next batch of any of the member's partitions. The future may be dropped: no record is skipped."
                => subscribe::a_dropped_wait_skips_nothing,
            "Continues to read partition at next, if the partition is assigned to this member."
                => subscribe::a_seek_reads_from_there_on,
            "Its ballots, or its bytes if they cannot be decoded."
                => subscribe::an_unreadable_record_comes_in_its_place,
            "Lag counts the offsets between what a group committed and the end of the log."
                => lag::lag_counts_from_the_commit_to_the_end,
            "A commit moves forward only."
                => lag::a_commit_moves_forward_only,
            "A group that committed nothing is at the first record that the log still has."
                => lag::who_committed_nothing_is_at_the_first_record,
        }
    };
}

crate::__event_bus_clauses! { __clause_table (EventBusHarness) }

/// A log with a few partitions, and somebody who publishes to it.
struct Stage<'a> {
    harness: &'a dyn EventBusHarness,
    bus: Arc<dyn EventBus>,
    partitions: Partitions,
    fixtures: Fixtures,
}

impl<'a> Stage<'a> {
    async fn set(harness: &'a dyn EventBusHarness) -> Self {
        let bus = harness.open().await;
        let partitions = bus
            .partitions()
            .await
            .expect("the log tells its partitions");
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

    fn record(&self, partition: Partition, ballots: usize) -> Record {
        self.fixtures.record(partition, self.partitions, ballots)
    }

    /// Records of one ballot, `each` for every partition, the partitions taking turns.
    fn records(&self, each: usize) -> Vec<Record> {
        (0..each)
            .flat_map(|_| self.partitions.iter())
            .map(|partition| self.record(partition, 1))
            .collect()
    }

    /// Publishes records, all of which the log must take; their positions.
    async fn publish(&self, records: &[Record]) -> Vec<LogPosition> {
        let results = self.bus.publish(records).await;
        assert_eq!(results.len(), records.len(), "one result for each record");
        results.into_iter().map(position).collect()
    }

    /// Publishes `count` records of one ballot to one partition.
    async fn fill(&self, partition: Partition, count: usize) -> Vec<LogPosition> {
        let records: Vec<_> = (0..count).map(|_| self.record(partition, 1)).collect();
        self.publish(&records).await
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        progress: &Arc<Progress>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let resume = Arc::clone(progress) as _;
        self.bus.subscribe(group, max_ballots, resume).await
    }

    /// A reader that is alone in a group of its own.
    async fn reader(&self, max_ballots: usize, progress: &Arc<Progress>) -> Reader<'_> {
        let group = self.fixtures.group("reader");
        let subscription = self.subscribe(&group, max_ballots, progress).await;
        Reader {
            harness: self.harness,
            subscription: subscription.expect("the log takes a reader"),
            seen: BTreeMap::new(),
        }
    }

    /// Reads the log from its start, until after all that was published before.
    async fn read_all(&self) -> BTreeMap<LogPosition, Content> {
        let ends = self.publish(&self.records(1)).await;
        let mut reader = self.reader(1_000, &Arc::new(Progress::at_start())).await;
        reader.read_up_to(&ends).await;
        reader.close().await
    }
}

type Content = Result<Arc<[cast_core::domain::LoggedBallot]>, Unreadable>;

/// A subscription, and what it has read.
struct Reader<'a> {
    harness: &'a dyn EventBusHarness,
    subscription: Box<dyn Subscription>,
    seen: BTreeMap<LogPosition, Content>,
}

impl Reader<'_> {
    async fn next(&mut self) -> LogBatch {
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
    async fn read_up_to(&mut self, positions: &[LogPosition]) -> Vec<LogBatch> {
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
    async fn close(self) -> BTreeMap<LogPosition, Content> {
        self.subscription.close().await.expect("a member leaves");
        self.seen
    }
}

fn position(published: Result<Published, PortError>) -> LogPosition {
    let published = published.expect("the log takes a record");
    // A log may not know it once in a while, but not always: the suite would be about nothing.
    published.position.expect("the log tells the position")
}

/// Asserts that each record is at its position.
fn assert_holds(log: &BTreeMap<LogPosition, Content>, records: &[Record], at: &[LogPosition]) {
    for (record, position) in records.iter().zip(at) {
        assert_eq!(position.partition, record.partition());
        let there = log
            .get(position)
            .unwrap_or_else(|| panic!("nothing is at {position:?}"));
        assert_eq!(there.as_ref(), Ok(record.ballots()), "at {position:?}");
    }
}
