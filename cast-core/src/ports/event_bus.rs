//! The port to the log.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::error::PortError;
use crate::domain::{
    Entropy, LogBatch, LogPosition, Offset, Partition, Partitions, Progress, Record,
};

/// The log of ballots: partitions to which records are only ever appended. A ballot counts once its
/// record is in the log.
///
/// ```
/// use std::sync::Arc;
///
/// use async_trait::async_trait;
/// use cast_adapters::memory::MemoryBus;
/// use cast_core::{
///     domain::{Offset, Partition, Partitions, Progress, Record},
///     ports::{EventBus, GroupName, PortError, ResumeFrom},
/// };
/// # use cast_testkit::fixtures::Fixtures;
///
/// /// Resumes every partition at its beginning; a consumer asks its store instead.
/// struct FromStart;
///
/// #[async_trait]
/// impl ResumeFrom for FromStart {
///     async fn resume_from(&self, _: Partition) -> Result<Progress, PortError> {
///         Ok(Progress::at(Offset::START))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus: Arc<dyn EventBus> = Arc::new(MemoryBus::new(Partitions::ONE));
/// # let fixtures = Fixtures::new();
/// # let ballot = fixtures.ballot(&[(&fixtures.candidate("alice"), 1)]);
/// let record = Record::new(Partition::new(0), [ballot]);
/// for result in bus.publish(&[record]).await {
///     assert!(result?.position.is_some(), "acknowledged");
/// }
///
/// let group = GroupName::new("consumers");
/// let mut log = bus.subscribe(&group, 1_000, Arc::new(FromStart)).await?;
/// let batch = log.next().await?;
/// assert_eq!(batch.entries.len(), 1);
/// log.commit(batch.partition, batch.next).await?;
/// assert_eq!(bus.lag(&group).await?[0].behind(), 0);
/// log.close().await?;
/// # Ok(()) }
/// ```
///
/// # Publish
///
/// - There is one result for each record, in the order of the records; the failure of one is not the
///   failure of another.
/// - An acknowledged record is in the log at the returned position and stays there.
/// - Positions of a partition grow with each record.
/// - A record is in the log as a whole or not at all.
/// - A record of `Record::MAX_BALLOTS` of the largest ballots is accepted.
/// - [`Unavailable`](super::PortErrorKind::Unavailable) is returned only for a record that is not in the
///   log and never will be.
///
/// A record for a partition that the log does not have is misconfigured, and is in no partition: the
/// publisher is configured for another number of partitions.
///
/// # Subscribe
///
/// - A partition is read from the position that the resume callback returns, whatever was committed.
/// - Records are delivered in the order of the log, each once, with none left out.
/// - Batches are contiguous: each starts where the one before it of the same partition ended.
/// - A batch has records of one partition, and no more ballots than asked for unless a single record
///   has more.
/// - Two members of a group read different partitions; together they read all of them.
/// - When a member leaves, the others take over its partitions, from the position that the resume
///   callback returns then.
/// - Two groups each read everything.
/// - A record that is published later is delivered without another request.
/// - A position after the end of the log is refused as misconfigured: the reader's store belongs to
///   another log.
/// - A position before the first record that the log still has is refused as misconfigured: the
///   records between them are lost.
/// - A progress whose last ballot is not in the record at its offset is refused as misconfigured, and
///   nothing of the partition is read: it is not the log that was folded.
/// - A last ballot whose record was deleted by retention is not looked up.
///
/// A position is refused by [`next`](Subscription::next), each time until the position changes, or by the
/// [`seek`](Subscription::seek) to it; never by `subscribe`, which need not know the positions yet.
///
/// # Commit and lag
///
/// - Lag counts the offsets between what a group committed and the end of the log.
/// - A commit moves forward only.
/// - A group that committed nothing is at the first record that the log still has.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// How many partitions the log has.
    async fn partitions(&self) -> Result<Partitions, PortError>;

    /// Appends records. Returns one result for each.
    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>>;

    /// Joins `group` as a new member. A batch has at most `max_ballots` ballots, unless a single record
    /// has more.
    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError>;

    /// How far `group` is behind the end of the log, by partition.
    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError>;
}

/// The acknowledgement of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The record's position. A log may acknowledge a record without knowing its position: the ballots
    /// count, and their votes are shown once the store has applied them.
    pub position: Option<LogPosition>,
}

/// A member of a group, reading the log. Dropping it leaves the group, at the latest when the log
/// detects it.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for the next batch of any of the member's partitions. The future may be dropped: no record
    /// is skipped.
    ///
    /// It may call the resume callback while it waits. Where the future is dropped before the callback
    /// has answered, the log may discard the answer: a caller that drops it again and again, sooner than
    /// the callback answers, may wait for ever.
    async fn next(&mut self) -> Result<LogBatch, PortError>;

    /// Continues to read `partition` at `next`, if the partition is assigned to this member.
    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError>;

    /// Notes that everything before `next` was applied. It is advisory: lag metrics need it, and nothing
    /// is resumed from it.
    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError>;

    /// Leaves the group.
    async fn close(self: Box<Self>) -> Result<(), PortError>;
}

/// Returns the position at which a partition is resumed. It is called each time a partition is assigned
/// to a member.
#[async_trait]
pub trait ResumeFrom: Send + Sync {
    /// The first record that was not applied, and the last ballot that was.
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError>;
}

/// The name of a consumer group: its members share the partitions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// The group with this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// A group that no other reader is in, named after its purpose.
    pub fn unique(purpose: &str, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 8];
        entropy.fill(&mut random);
        Self::new(format!("{purpose}-{}", hex::encode(random)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a group is behind in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: Partition,
    /// The offset that the group committed; if it committed nothing, the first record that the log has.
    pub committed: Offset,
    /// The offset after the last record.
    pub end: Offset,
}

impl PartitionLag {
    /// The number of offsets between `committed` and `end`.
    pub const fn behind(&self) -> u64 {
        self.end.get().saturating_sub(self.committed.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_displayed_as_its_name() {
        let group = GroupName::new("consumers");
        assert_eq!(group.as_str(), "consumers");
        assert_eq!(group.to_string(), "consumers");
    }
}
