//! The state of the log, which the bus and its subscriptions share under one lock.

use std::{collections::HashMap, sync::Arc};

use cast_core::{
    domain::{LogPosition, Offset, Partition, Partitions},
    ports::{GroupName, PartitionLag, PortError},
};
use tokio::sync::Notify;

use super::{
    group::Group,
    options::BusOptions,
    partition::{self, Content, PartitionLog},
};

pub(super) struct Log {
    options: BusOptions,
    /// By partition.
    logs: Vec<PartitionLog>,
    groups: HashMap<GroupName, Group>,
    /// Ballots that some group has not committed.
    pub(super) waiting: usize,
}

impl Log {
    /// An empty log.
    pub(super) fn new(partitions: Partitions, options: BusOptions) -> Self {
        Self {
            options,
            logs: partitions.iter().map(PartitionLog::new).collect(),
            groups: HashMap::new(),
            waiting: 0,
        }
    }

    /// The lag of a group in each partition; one that never subscribed has committed nothing.
    pub(super) fn lag(&self, group: &GroupName) -> Vec<PartitionLag> {
        let group = self.groups.get(group);
        let lag = |(number, log): (usize, &PartitionLog)| {
            let committed = group.map_or(log.start, |group| group.places[number].committed);
            log.lag(committed)
        };
        self.logs.iter().enumerate().map(lag).collect()
    }

    pub(super) fn append(
        &mut self,
        partition: Partition,
        content: Content,
    ) -> Result<LogPosition, PortError> {
        const APPENDING: &str = "appending to the log";
        let number = self.number(partition, APPENDING)?;
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
        let offset = self.logs[number].append(content);
        for group in self.groups.values() {
            group.wake_owner(number);
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
        let number = self.number(partition, "committing to the log")?;
        let next = next.get().min(self.logs[number].end());
        if let Some(group) = self.groups.get_mut(group) {
            let place = &mut group.places[number];
            place.committed = place.committed.max(next);
            place.has_committed = true;
        }
        Ok(self.trim(number))
    }

    /// Finds the records of a partition that every group has committed, and takes out those that are not
    /// retained.
    fn trim(&mut self, number: usize) -> Vec<Content> {
        let groups = self.groups.values();
        let committed = groups.map(|group| group.places[number].committed).min();
        let log = &mut self.logs[number];
        let floor = committed.unwrap_or(log.floor);
        let (ballots, trimmed) = log.advance_floor(floor, self.options.retained_records);
        self.waiting -= ballots;
        trimmed
    }

    /// Joins the group of this name, or creates it; returns the member's id.
    pub(super) fn join(&mut self, name: &GroupName, wake: Arc<Notify>) -> u64 {
        let group = self.groups.entry(name.clone()).or_insert_with(|| {
            // It has committed nothing.
            let reopened = self.logs.iter_mut().map(PartitionLog::reopen);
            self.waiting += reopened.sum::<usize>();
            Group::new(self.logs.iter().map(|log| log.start))
        });
        group.join(wake)
    }

    /// Leaves a group; removes it, and the records that only it retained, if that was its last member and
    /// it has never committed.
    pub(super) fn leave(&mut self, name: &GroupName, member: u64) {
        let group = self.groups.get_mut(name);
        let is_unused = group.is_some_and(|group| {
            group.leave(member) && !group.places.iter().any(|place| place.has_committed)
        });
        if is_unused {
            self.groups.remove(name);
            for number in 0..self.logs.len() {
                self.trim(number);
            }
        }
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
        Ok(&self.logs[self.number(partition, operation)?])
    }

    /// The place of a partition in `logs`.
    fn number(&self, partition: Partition, operation: &'static str) -> Result<usize, PortError> {
        let (number, count) = (partition.get(), self.logs.len());
        let known = usize::try_from(number).ok().filter(|at| *at < count);
        known.ok_or_else(|| {
            PortError::misconfigured(
                operation,
                format!(
                    "there is no partition {number}: this log has {count} partitions, counted from \
                     0. All servers must use the same number of partitions"
                ),
            )
        })
    }
}
