//! The state of the log, which the bus and its subscriptions share.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use cast_core::{
    domain::{LogPosition, Offset, Partition, Partitions},
    ports::{GroupName, PartitionLag, PortError},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    group::Group,
    options::BusOptions,
    partition::{self, Content, PartitionLog},
};

/// The state that the bus and its subscriptions share.
pub(super) struct Shared {
    pub(super) partitions: Partitions,
    options: BusOptions,
    logs: Box<[Mutex<PartitionLog>]>,
    /// Ballots that some group has not committed. It is only compared with a limit and orders no other
    /// memory access, so its orderings are relaxed.
    pub(super) waiting: AtomicUsize,
    /// Locked before a group, and while one gets its first member or loses its last.
    groups: Mutex<Groups>,
}

#[derive(Default)]
struct Groups {
    by_name: HashMap<GroupName, Arc<Group>>,
    /// The number of the next group.
    ever: usize,
}

impl Shared {
    /// An empty log.
    pub(super) fn new(partitions: Partitions, options: BusOptions) -> Self {
        let logs = partitions
            .iter()
            .map(|partition| Mutex::new(PartitionLog::new(partition)))
            .collect();
        Self {
            partitions,
            options,
            logs,
            waiting: AtomicUsize::new(0),
            groups: Mutex::default(),
        }
    }

    /// The lag of a group in each partition.
    pub(super) fn lag(&self, group: &GroupName) -> Vec<PartitionLag> {
        let group = self.groups.lock().by_name.get(group).map(Arc::clone);
        let number = group.map(|group| group.number());
        self.logs.iter().map(|log| log.lock().lag(number)).collect()
    }

    pub(super) fn append(
        &self,
        partition: Partition,
        content: Content,
    ) -> Result<LogPosition, PortError> {
        let log = self.log(partition, "appending to the log")?;
        let weight = partition::weight(&content);
        self.reserve(weight)?;
        let offset = log.lock().append(content);
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

    pub(super) fn commit(
        &self,
        group: &Group,
        partition: Partition,
        next: Offset,
    ) -> Result<(), PortError> {
        let log = self.log(partition, "committing to the log")?;
        let retained = self.options.retained_records;
        let committed = log.lock().commit(group.number(), next, retained);
        self.waiting.fetch_sub(committed.ballots, Ordering::Relaxed);
        // The trimmed records are freed here, after the lock is released.
        drop(committed.trimmed);
        Ok(())
    }

    /// Joins the group of this name, or creates it; returns it and the member's id.
    pub(super) fn join(&self, name: &GroupName, wake: Arc<Notify>) -> (Arc<Group>, u64) {
        let mut groups = self.groups.lock();
        let group = if let Some(group) = groups.by_name.get(name) {
            Arc::clone(group)
        } else {
            let group = Arc::new(Group::new(groups.ever, self.partitions));
            groups.ever += 1;
            for log in &self.logs {
                // Counted before they can be committed, so that the count is never too low.
                let mut log = log.lock();
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
    pub(super) fn leave(&self, name: &GroupName, group: &Group, member: u64) {
        let mut groups = self.groups.lock();
        let is_empty = group.leave(member, &self.logs);
        let number = group.number();
        if !is_empty || self.logs.iter().any(|log| log.lock().has_committed(number)) {
            return;
        }
        groups.by_name.remove(name);
        for log in &self.logs {
            let forgotten = log
                .lock()
                .forget_group(number, self.options.retained_records);
            self.waiting.fetch_sub(forgotten.ballots, Ordering::Relaxed);
        }
    }

    pub(super) fn log(
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
                        "there is no partition {number}: this log has {count} partitions, counted \
                         from 0. All servers must use the same number of partitions"
                    ),
                )
            })
    }
}
