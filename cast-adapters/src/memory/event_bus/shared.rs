//! The log under its lock, as its members use it.

use std::sync::Arc;

use cast_core::{
    domain::{LogBatch, Offset, Partition, Progress},
    ports::{GroupName, PortError},
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::log::Log;
use crate::groups::{Assignment, GroupedLog};

pub(super) struct SharedLog(Mutex<Log>);

impl SharedLog {
    pub(super) const fn new(log: Log) -> Self {
        Self(Mutex::new(log))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock()
    }
}

impl GroupedLog for SharedLog {
    fn join(&self, group: &GroupName, wake: Arc<Notify>) -> u64 {
        self.lock().join(group, wake)
    }

    fn leave(&self, group: &GroupName, member: u64) {
        let trimmed = self.lock().leave(group, member);
        // The lock is released here, before the trimmed records are freed.
        drop(trimmed);
    }

    fn assignments_since(
        &self,
        group: &GroupName,
        seen: u64,
        member: u64,
    ) -> Option<(u64, Vec<Assignment>)> {
        let log = self.lock();
        log.group(group).assignments_since(seen, member)
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        max_ballots: usize,
    ) -> Result<Option<LogBatch>, PortError> {
        let log = self.lock();
        log.partition(partition, "reading the log")?
            .read(from, max_ballots)
    }

    async fn check(&self, partition: Partition, from: Offset) -> Result<(), PortError> {
        let log = self.lock();
        log.partition(partition, "seeking in the log")?.check(from)
    }

    async fn check_progress(
        &self,
        partition: Partition,
        progress: Progress,
    ) -> Result<(), PortError> {
        let log = self.lock();
        log.partition(partition, "reading the log")?
            .check_progress(progress)
    }

    fn commit(
        &self,
        group: &GroupName,
        partition: Partition,
        next: Offset,
    ) -> Result<(), PortError> {
        let trimmed = self.lock().commit(group, partition, next);
        // The lock is released here, before the trimmed records are freed.
        trimmed.map(drop)
    }
}
