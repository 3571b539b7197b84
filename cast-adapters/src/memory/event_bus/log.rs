//! The state of the log, which the bus and its subscriptions share under one lock.

use std::{collections::HashMap, sync::Arc};

use cast_core::{
    domain::{LogPosition, Offset, Partition, Partitions},
    ports::{GroupName, PartitionLag, PortError},
};
use tokio::sync::Notify;

use super::{
    options::BusOptions,
    partition::{self, Content, PartitionLog},
};
use crate::groups::{Group, index_of};

pub(super) struct Log {
    options: BusOptions,
    partitions: Vec<PartitionLog>,
    groups: HashMap<GroupName, Group>,
    /// Ballots that some group has not committed.
    pub(super) waiting: usize,
}

impl Log {
    /// An empty log.
    pub(super) fn new(partitions: Partitions, options: BusOptions) -> Self {
        Self {
            options,
            partitions: partitions.iter().map(PartitionLog::new).collect(),
            groups: HashMap::new(),
            waiting: 0,
        }
    }

    /// The lag of a group in each partition; one that never subscribed has committed nothing.
    pub(super) fn lag(&self, group: &GroupName) -> Vec<PartitionLag> {
        let group = self.groups.get(group);
        let lag = |(index, log): (usize, &PartitionLog)| {
            let committed = group.map_or(log.start, |group| group.partitions[index].committed);
            log.lag(committed)
        };
        self.partitions.iter().enumerate().map(lag).collect()
    }

    pub(super) fn append(
        &mut self,
        partition: Partition,
        content: Content,
    ) -> Result<LogPosition, PortError> {
        const APPENDING: &str = "appending to the log";
        let index = self.index_of(partition, APPENDING)?;
        let (waiting, limit) = (self.waiting, self.options.max_waiting_ballots);
        let total = waiting.saturating_add(partition::weight(&content));
        if waiting > 0 && total > limit {
            return Err(PortError::unavailable(
                APPENDING,
                format!(
                    "the consumers are behind: {waiting} ballots wait to be committed by every \
                     group, and the limit is {limit}; start the consumers of every group, or \
                     raise max_waiting_ballots"
                ),
            ));
        }
        self.waiting = total;
        let offset = self.partitions[index].append(content);
        for group in self.groups.values() {
            group.wake_owner(index);
        }
        Ok(LogPosition { partition, offset })
    }

    /// Moves a group's commit forward, to the end of the log at most. Returns the records that are no
    /// longer retained, to be freed after the lock is released.
    pub(super) fn commit(
        &mut self,
        group: &GroupName,
        partition: Partition,
        next: Offset,
    ) -> Result<Vec<Content>, PortError> {
        let index = self.index_of(partition, "committing to the log")?;
        let next = next.get().min(self.partitions[index].end());
        if let Some(group) = self.groups.get_mut(group) {
            let partition = &mut group.partitions[index];
            partition.committed = partition.committed.max(next);
            partition.has_committed = true;
        }
        Ok(self.trim(index))
    }

    /// Finds the records of a partition that every group has committed, and takes out those that are not
    /// retained.
    fn trim(&mut self, index: usize) -> Vec<Content> {
        let groups = self.groups.values();
        let committed = groups.map(|group| group.partitions[index].committed).min();
        let log = &mut self.partitions[index];
        let floor = committed.unwrap_or(log.floor);
        let (ballots, trimmed) = log.advance_floor(floor, self.options.retained_records);
        self.waiting -= ballots;
        trimmed
    }

    /// Joins the group of this name, or creates it; returns the member's id.
    pub(super) fn join(&mut self, name: &GroupName, wake: Arc<Notify>) -> u64 {
        let group = self.groups.entry(name.clone()).or_insert_with(|| {
            // It has committed nothing.
            let reopened = self.partitions.iter_mut().map(PartitionLog::reopen);
            self.waiting += reopened.sum::<usize>();
            Group::new(self.partitions.iter().map(|log| log.start))
        });
        group.join(wake)
    }

    /// Leaves a group; removes it, and the records that only it retained, if that was its last member and
    /// it has never committed. Returns those records, to be freed after the lock is released.
    #[must_use]
    pub(super) fn leave(&mut self, name: &GroupName, member: u64) -> Vec<Content> {
        let group = self.groups.get_mut(name);
        let is_unused = group.is_some_and(|group| {
            group.leave(member) && !group.partitions.iter().any(|one| one.has_committed)
        });
        if !is_unused {
            return Vec::new();
        }
        self.groups.remove(name);
        let partitions = 0..self.partitions.len();
        partitions.flat_map(|index| self.trim(index)).collect()
    }

    pub(super) fn group(&self, name: &GroupName) -> &Group {
        let group = self.groups.get(name);
        group.expect("a group with a member is not removed")
    }

    pub(super) fn partition(
        &self,
        partition: Partition,
        operation: &'static str,
    ) -> Result<&PartitionLog, PortError> {
        Ok(&self.partitions[self.index_of(partition, operation)?])
    }

    /// The index of a partition in `partitions`.
    fn index_of(&self, partition: Partition, operation: &'static str) -> Result<usize, PortError> {
        index_of(partition, self.partitions.len(), operation)
    }
}
