//! The log: where a ballot becomes a vote.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::error::PortError;
use crate::domain::{LogBatch, LogPosition, Offset, Partition, Partitions, Progress, Record};

/// The log of ballots: partitions of records that are only ever appended to.
///
/// # Publish
///
/// - There is one result for each record, in their order, and one's failure is not another's.
/// - A record that was acknowledged is in the log at the position told, and stays there.
/// - Positions of a partition grow with each record.
/// - A record is in the log as a whole or not at all.
/// - A record of `Record::MAX_BALLOTS` of the largest ballots is taken.
/// - [`Unavailable`](super::PortErrorKind::Unavailable) is said only of what is not in the log and
///   never will be.
///
/// A record for a partition that the log does not have is misconfigured, and in no partition: whoever
/// made it counts other partitions than the log.
///
/// # Subscribe
///
/// - A partition is read from the position that the resume callback names, whatever was committed.
/// - Records come in the order of the log, each once a reading, with nothing left out.
/// - Batches join: each starts where the one before it of the same partition ended.
/// - A batch holds records of one partition, and no more ballots than asked for unless a single
///   record does.
/// - Two members of a group read different partitions; together they read all of them.
/// - When a member leaves, the others take over its partitions, from the position that the resume
///   callback names then.
/// - Two groups each read everything.
/// - What is published after the subscription arrives, without being asked for.
/// - A position behind the end of the log is refused as misconfigured: the reader's store belongs to
///   another log.
/// - A position before the first record that the log still has is refused as misconfigured: the
///   records between are gone.
/// - A progress whose last ballot is not in the record at its offset is refused as misconfigured, and
///   nothing of the partition is read: it is not the log that was folded.
/// - A last ballot whose record the log has dropped is not looked for.
///
/// A position is refused by [`next`](Subscription::next), each time until it is another one, or by the
/// [`seek`](Subscription::seek) that names it; never by `subscribe`, which need not know yet what will
/// be read.
///
/// # Commit and lag
///
/// - Lag counts the offsets between what a group committed and the end of the log.
/// - A commit moves forward only.
/// - A group that committed nothing is told to be at the first record that the log still has.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// How many partitions the log has.
    async fn partitions(&self) -> Result<Partitions, PortError>;

    /// Appends records.
    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>>;

    /// Joins `group` as a new member. `max_ballots` bounds a batch.
    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError>;

    /// How far `group` is behind, by partition.
    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError>;
}

/// The log has acknowledged a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where it is. A log may know that it has a record and not where: its ballots are then
    /// acknowledged, and shown when they reconcile.
    pub position: Option<LogPosition>,
}

/// One member's reading of the log. Dropping it leaves the group, at the latest when the log notices.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next batch of any of the member's partitions. May be dropped: nothing is
    /// skipped.
    ///
    /// It may ask the resume callback meanwhile. Whether a question that was not answered yet outlives
    /// the drop is up to the log: who drops the wait again and again, sooner than the callback answers,
    /// may wait for ever.
    async fn next(&mut self) -> Result<LogBatch, PortError>;

    /// Reads `partition` from `next` on, if it is (still) the member's.
    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError>;

    /// Notes that everything before `next` was applied. Advisory: it feeds the lag and decides
    /// nothing.
    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError>;

    /// Leaves the group.
    async fn close(self: Box<Self>) -> Result<(), PortError>;
}

/// Names the position from which a partition is to be read: asked each time a member is given one.
#[async_trait]
pub trait ResumeFrom: Send + Sync {
    /// The first record that was not applied, and the last ballot that was.
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError>;
}

/// Names a group of readers that share the work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// The group of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a group is behind in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: Partition,
    /// What the group committed; the start of the log if nothing.
    pub committed: Offset,
    /// The end of the log.
    pub end: Offset,
}

impl PartitionLag {
    /// The offsets between.
    pub const fn behind(&self) -> u64 {
        self.end.get().saturating_sub(self.committed.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_shown_by_its_name() {
        let group = GroupName::new("consumers");
        assert_eq!(group.as_str(), "consumers");
        assert_eq!(group.to_string(), "consumers");
    }
}
