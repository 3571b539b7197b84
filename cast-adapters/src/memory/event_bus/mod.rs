//! The log: a queue for each partition, under one lock.

mod log;
mod options;
mod partition;
mod shared;

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{LogPosition, Partition, Partitions, Record, Unreadable},
    ports::{EventBus, GroupName, PartitionLag, PortError, Published, ResumeFrom, Subscription},
};

pub use options::BusOptions;

use self::{log::Log, shared::SharedLog};
use crate::groups::GroupSubscription;

/// An [`EventBus`] in this process.
///
/// Offsets begin at 0, without gaps. A group exists from its first subscription on, and retains the
/// records that it has not committed, with or without members. A group whose last member leaves before
/// its first commit is removed. While there is no group, all records are retained.
///
/// The partitions of a group are assigned to its members in the order in which they joined, and
/// reassigned whenever one joins or leaves.
pub struct MemoryBus {
    partitions: Partitions,
    log: Arc<SharedLog>,
}

impl MemoryBus {
    /// An empty log, with the default options.
    pub fn new(partitions: Partitions) -> Self {
        Self::with_options(partitions, BusOptions::default())
    }

    /// An empty log.
    pub fn with_options(partitions: Partitions, options: BusOptions) -> Self {
        Self {
            partitions,
            log: Arc::new(SharedLog::new(Log::new(partitions, options))),
        }
    }

    /// Appends an undecodable record, as a faulty or newer writer might. For tests of consumers. It counts
    /// as one ballot.
    pub fn append_unreadable(
        &self,
        partition: Partition,
        bytes: impl Into<Arc<[u8]>>,
        reason: impl Into<String>,
    ) -> Result<LogPosition, PortError> {
        let unreadable = Unreadable {
            bytes: bytes.into(),
            reason: reason.into(),
        };
        self.log.lock().append(partition, Err(unreadable))
    }
}

#[async_trait]
impl EventBus for MemoryBus {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        Ok(self.partitions)
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let append = |record: &Record| {
            let ballots = Arc::clone(record.ballots());
            let position = self.log.lock().append(record.partition(), Ok(ballots));
            position.map(|position| Published {
                position: Some(position),
            })
        };
        records.iter().map(append).collect()
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let log = Arc::clone(&self.log);
        let subscription = GroupSubscription::join(log, group, max_ballots, resume);
        Ok(Box::new(subscription))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        Ok(self.log.lock().lag(group))
    }
}

#[cfg(test)]
mod tests;
