//! The log: one queue for each partition, each with its own lock.

mod group;
mod partition;
mod subscription;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use cast_core::{
    domain::{LogPosition, Offset, Partition, Partitions, Record, Unreadable},
    ports::{EventBus, GroupName, PartitionLag, PortError, Published, ResumeFrom, Subscription},
};

use tokio::sync::Notify;

use self::{
    group::Group,
    partition::{Content, PartitionLog},
    subscription::MemorySubscription,
};
use super::lock;

/// The bounds of [`MemoryBus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusOptions {
    /// How many records of a partition are kept after every group has committed them, so that a store may
    /// resume from an older position. Records that some group has not committed are always kept.
    pub retained_records: usize,
    /// The most ballots that some group has not committed, over all partitions. Beyond it publishing is
    /// unavailable. A record of more ballots is accepted when no ballot waits.
    pub max_waiting_ballots: usize,
}

impl Default for BusOptions {
    /// 1,024 records a partition, 1,000,000 ballots.
    fn default() -> Self {
        Self {
            retained_records: 1_024,
            max_waiting_ballots: 1_000_000,
        }
    }
}

impl BusOptions {
    /// Keeps all records, so that any backup of a store can be restored. For tests.
    pub fn retain_all(self) -> Self {
        Self {
            retained_records: usize::MAX,
            ..self
        }
    }
}

/// An [`EventBus`] in this process.
///
/// Offsets begin at 0, without gaps. A group exists from its first subscription on, and retains the
/// records that it has not committed, with or without members. A group whose last member leaves before
/// its first commit is removed. While there is no group, all records are retained.
///
/// The partitions of a group are assigned to its members in the order in which they joined, and
/// reassigned whenever one joins or leaves.
pub struct MemoryBus {
    shared: Arc<Shared>,
}

/// The state that the bus and its subscriptions share.
struct Shared {
    partitions: Partitions,
    options: BusOptions,
    logs: Box<[Mutex<PartitionLog>]>,
    /// Ballots that some group has not committed. It is only compared with a limit and orders no other
    /// memory access, so its orderings are relaxed.
    waiting: AtomicUsize,
    /// Locked before a group, and while one gets its first member or loses its last.
    groups: Mutex<Groups>,
}

#[derive(Default)]
struct Groups {
    by_name: HashMap<GroupName, Arc<Group>>,
    /// The number of the next group.
    ever: usize,
}

impl MemoryBus {
    /// An empty log, with the default options.
    pub fn new(partitions: Partitions) -> Self {
        Self::with_options(partitions, BusOptions::default())
    }

    /// An empty log.
    pub fn with_options(partitions: Partitions, options: BusOptions) -> Self {
        let logs = partitions
            .iter()
            .map(|partition| Mutex::new(PartitionLog::new(partition)))
            .collect();
        Self {
            shared: Arc::new(Shared {
                partitions,
                options,
                logs,
                waiting: AtomicUsize::new(0),
                groups: Mutex::default(),
            }),
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
        self.shared.append(partition, Err(unreadable))
    }
}

#[async_trait]
impl EventBus for MemoryBus {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        Ok(self.shared.partitions)
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let append = |record: &Record| {
            let position = self
                .shared
                .append(record.partition(), Ok(Arc::clone(record.ballots())))?;
            Ok(Published {
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
        let shared = Arc::clone(&self.shared);
        let subscription = MemorySubscription::join(shared, group, max_ballots, resume);
        Ok(Box::new(subscription))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        let group = lock(&self.shared.groups).by_name.get(group).map(Arc::clone);
        let number = group.map(|group| group.number());
        let logs = self.shared.logs.iter();
        Ok(logs.map(|log| lock(log).lag(number)).collect())
    }
}

impl Shared {
    fn append(&self, partition: Partition, content: Content) -> Result<LogPosition, PortError> {
        let log = self.log(partition, "appending to the log")?;
        let weight = partition::weight(&content);
        self.reserve(weight)?;
        let offset = lock(log).append(content);
        Ok(LogPosition { partition, offset })
    }

    /// Counts ballots before they are appended, so that the count is never too low.
    fn reserve(&self, ballots: usize) -> Result<(), PortError> {
        let limit = self.options.max_waiting_ballots;
        let taken = self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                let total = waiting.checked_add(ballots)?;
                (waiting == 0 || total <= limit).then_some(total)
            });
        match taken {
            Ok(_) => Ok(()),
            Err(waiting) => Err(PortError::unavailable(
                "appending to the log",
                format!(
                    "the consumers are behind: {waiting} ballots wait to be committed by every \
                     group, and the limit is {limit}; start the consumers of every group, or \
                     raise max_waiting_ballots"
                ),
            )),
        }
    }

    fn commit(&self, group: &Group, partition: Partition, next: Offset) -> Result<(), PortError> {
        let log = self.log(partition, "committing to the log")?;
        let retained = self.options.retained_records;
        let committed = lock(log).commit(group.number(), next, retained);
        self.waiting.fetch_sub(committed.ballots, Ordering::Relaxed);
        // The trimmed records are freed here, after the lock is released.
        drop(committed.trimmed);
        Ok(())
    }

    /// Joins the group of this name, or creates it; returns it and the member's id.
    fn join(&self, name: &GroupName, wake: Arc<Notify>) -> (Arc<Group>, u64) {
        let mut groups = lock(&self.groups);
        let group = if let Some(group) = groups.by_name.get(name) {
            Arc::clone(group)
        } else {
            let group = Arc::new(Group::new(groups.ever, self.partitions));
            groups.ever += 1;
            for log in &self.logs {
                // Counted before they can be committed, so that the count is never too low.
                let mut log = lock(log);
                let ballots = log.add_group();
                self.waiting.fetch_add(ballots, Ordering::Relaxed);
            }
            groups.by_name.insert(name.clone(), Arc::clone(&group));
            group
        };
        let member = group.join(wake, &self.logs);
        (group, member)
    }

    /// Leaves a group; removes it if that was its last member and it has never committed.
    fn leave(&self, name: &GroupName, group: &Group, member: u64) {
        let mut groups = lock(&self.groups);
        let is_empty = group.leave(member, &self.logs);
        let number = group.number();
        if !is_empty || self.logs.iter().any(|log| lock(log).has_committed(number)) {
            return;
        }
        groups.by_name.remove(name);
        for log in &self.logs {
            let forgotten = lock(log).forget_group(number, self.options.retained_records);
            self.waiting.fetch_sub(forgotten.ballots, Ordering::Relaxed);
        }
    }

    fn log(
        &self,
        partition: Partition,
        operation: &'static str,
    ) -> Result<&Mutex<PartitionLog>, PortError> {
        let count = self.partitions.count();
        usize::try_from(partition.get())
            .ok()
            .and_then(|number| self.logs.get(number))
            .ok_or_else(|| {
                let number = partition.get();
                PortError::misconfigured(
                    operation,
                    format!(
                        "there is no partition {number}: this log has {count}, counted from 0; \
                         everything that uses it must be set up for as many"
                    ),
                )
            })
    }
}

#[cfg(test)]
mod tests;
