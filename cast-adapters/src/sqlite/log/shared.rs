//! The log as the members of its groups use it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cast_core::{
    domain::{Clock, LogBatch, LoggedBallot, Offset, Partition, Partitions, Progress},
    ports::{GroupName, PortError},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{latest::LatestRecords, read};
use crate::{
    groups::{Assignment, Group, GroupedLog, Span, index_of},
    sqlite::{database::Database, error::Error},
};

/// What to do about a log that no longer reaches back to its store's progress.
const GONE: &str =
    "restore log.db and votes.db from the same backup, and keep more records (--log-retention)";

/// The end of a partition that must be read again: another process appends to it, or a commit had an
/// unknown outcome.
const UNKNOWN: u64 = u64::MAX;

/// How long a member that has just read waits for more records, if few are there: a step of the fold costs
/// by its candidates, and many ballots share them.
const LINGER: Duration = Duration::from_millis(50);

/// Records that are read without waiting for more.
const MANY: u64 = 128;

pub(super) struct SharedLog {
    database: Database,
    clock: Arc<dyn Clock>,
    partitions: Partitions,
    /// The ends of the partitions, so that a member that has read everything reads no file.
    ends: Vec<AtomicU64>,
    latest: Vec<Mutex<LatestRecords>>,
    /// When each partition was last read, as time of the monotonic clock.
    read_at: Mutex<Vec<Duration>>,
    groups: Mutex<HashMap<GroupName, Group>>,
}

impl SharedLog {
    pub(super) fn new(database: Database, spans: &[Span], clock: Arc<dyn Clock>) -> Self {
        let ends = spans.iter().map(|span| span.end).collect();
        Self::ending_at(ends, database, clock)
    }

    /// A log that another process appends to.
    pub(super) fn inspected(database: Database, partitions: usize, clock: Arc<dyn Clock>) -> Self {
        Self::ending_at(vec![UNKNOWN; partitions], database, clock)
    }

    fn ending_at(ends: Vec<u64>, database: Database, clock: Arc<dyn Clock>) -> Self {
        let count = u32::try_from(ends.len()).ok().and_then(Partitions::new);
        Self {
            database,
            partitions: count.unwrap_or(Partitions::ONE),
            latest: ends.iter().map(|_| Mutex::default()).collect(),
            read_at: Mutex::new(vec![Duration::ZERO; ends.len()]),
            ends: ends.into_iter().map(AtomicU64::new).collect(),
            clock,
            groups: Mutex::default(),
        }
    }

    pub(super) const fn database(&self) -> &Database {
        &self.database
    }

    pub(super) const fn partitions(&self) -> Partitions {
        self.partitions
    }

    /// Notes that a record was appended, and wakes those who wait for it. It is called in the order of the
    /// log, with the ballots if the record is one of them.
    pub(super) fn appended(
        &self,
        partition: Partition,
        offset: Offset,
        ballots: Option<Arc<[LoggedBallot]>>,
    ) {
        let mut latest = self.latest[index(partition)].lock();
        match ballots {
            Some(ballots) => latest.push(offset, ballots),
            None => latest.clear(offset.next()),
        }
        drop(latest);
        self.ends[index(partition)].store(offset.get() + 1, Ordering::Release);
        self.wake(partition);
    }

    /// Notes that a record may have been appended.
    pub(super) fn may_have_appended(&self, partition: Partition) {
        self.ends[index(partition)].store(UNKNOWN, Ordering::Release);
        self.wake(partition);
    }

    fn wake(&self, partition: Partition) {
        for group in self.groups.lock().values() {
            group.wake_owner(index(partition));
        }
    }

    /// What a group has committed, by partition; `None` where there is no such group.
    pub(super) fn committed(&self, group: &GroupName) -> Option<Vec<u64>> {
        let groups = self.groups.lock();
        let partitions = groups.get(group)?.partitions.iter();
        Some(partitions.map(|partition| partition.committed).collect())
    }

    /// Refuses a partition that the log does not have.
    pub(super) fn check_partition(
        &self,
        partition: Partition,
        operation: &'static str,
    ) -> Result<(), PortError> {
        index_of(partition, self.ends.len(), operation).map(drop)
    }

    /// Waits for more records after the last read, if there are only so few.
    async fn linger(&self, partition: Partition, records: u64) {
        let rested = {
            let read_at = self.read_at.lock()[index(partition)];
            self.clock.monotonic().saturating_sub(read_at)
        };
        let left = LINGER.saturating_sub(rested);
        if records < MANY && !left.is_zero() {
            self.clock.sleep(left).await;
        }
        self.read_at.lock()[index(partition)] = self.clock.monotonic();
    }

    async fn span(&self, partition: Partition) -> Result<Span, PortError> {
        self.check_partition(partition, "reading the log")?;
        let span = self.database.read(move |connection| {
            let log = read::partition(connection, partition)?;
            Ok(log.span)
        });
        span.await.map_err(reading)
    }
}

fn index(partition: Partition) -> usize {
    usize::try_from(partition.get()).expect("a log's partition is an index")
}

fn reading(error: Error) -> PortError {
    error.with_operation("reading the log")
}

impl GroupedLog for SharedLog {
    fn join(&self, name: &GroupName, wake: Arc<Notify>) -> u64 {
        let mut groups = self.groups.lock();
        // Its commits before a restart are not known. What its members resume at was committed.
        let starts = self.partitions.iter().map(|_| 0);
        let group = groups
            .entry(name.clone())
            .or_insert_with(|| Group::new(starts));
        group.join(wake)
    }

    fn leave(&self, name: &GroupName, member: u64) {
        let mut groups = self.groups.lock();
        let is_unused = groups.get_mut(name).is_some_and(|group| {
            group.leave(member) && !group.partitions.iter().any(|one| one.has_committed)
        });
        if is_unused {
            groups.remove(name);
        }
    }

    fn assignments_since(
        &self,
        name: &GroupName,
        seen: u64,
        member: u64,
    ) -> Option<(u64, Vec<Assignment>)> {
        let groups = self.groups.lock();
        let group = groups.get(name)?;
        group.assignments_since(seen, member)
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        max_ballots: usize,
    ) -> Result<Option<LogBatch>, PortError> {
        self.check_partition(partition, "reading the log")?;
        let end = self.ends[index(partition)].load(Ordering::Acquire);
        if end == from.get() {
            return Ok(None);
        }
        self.linger(partition, end.saturating_sub(from.get())).await;
        let batch = self.latest[index(partition)]
            .lock()
            .read(partition, from, max_ballots);
        if batch.is_some() {
            return Ok(batch);
        }
        let read = self.database.read(move |connection| {
            let log = read::partition(connection, partition)?;
            let entries = match log.span.check(from, GONE) {
                Ok(()) => Ok(read::entries(connection, &log, from, max_ballots)?),
                Err(refused) => Err(refused),
            };
            Ok(entries)
        });
        let entries = read.await.map_err(reading)??;
        let next = entries.last().map(|last| last.offset.next());
        Ok(next.map(|next| LogBatch {
            partition,
            start: from,
            next,
            entries,
        }))
    }

    async fn check(&self, partition: Partition, from: Offset) -> Result<(), PortError> {
        self.span(partition).await?.check(from, GONE)
    }

    async fn check_progress(
        &self,
        partition: Partition,
        progress: Progress,
    ) -> Result<(), PortError> {
        let span = self.span(partition).await?;
        span.check(progress.next, GONE)?;
        let Some(fingerprint) = span.known(progress) else {
            return Ok(());
        };
        let entry = self.database.read(move |connection| {
            let log = read::partition(connection, partition)?;
            let entries = read::entries(connection, &log, fingerprint.offset, 1)?;
            Ok(entries.into_iter().next())
        });
        let entry = entry.await.map_err(reading)?;
        span.check_fingerprint(fingerprint, entry.as_ref())
    }

    fn resumed(&self, name: &GroupName, partition: Partition, next: Offset) {
        if let Some(group) = self.groups.lock().get_mut(name) {
            let partition = &mut group.partitions[index(partition)];
            partition.committed = partition.committed.max(next.get());
        }
    }

    fn commit(
        &self,
        name: &GroupName,
        partition: Partition,
        next: Offset,
    ) -> Result<(), PortError> {
        self.check_partition(partition, "committing to the log")?;
        let end = self.ends[index(partition)].load(Ordering::Acquire);
        if let Some(group) = self.groups.lock().get_mut(name) {
            let partition = &mut group.partitions[index(partition)];
            partition.committed = partition.committed.max(next.get().min(end));
            partition.has_committed = true;
        }
        Ok(())
    }
}
