//! A partition that is assigned to a member: its position, and its prefetched records.

use std::{collections::VecDeque, ops};

use cast_core::domain::{LogBatch, LogEntry, LogFingerprint, Offset, Partition, Progress};

/// The size of a record, or of a buffer of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BufferSize {
    pub(super) bytes: usize,
    pub(super) ballots: usize,
}

pub(super) struct PrefetchedRecord {
    pub(super) entry: LogEntry,
    pub(super) size: BufferSize,
}

pub(super) struct AssignedPartition {
    /// The number of this assignment: the same partition may be revoked and assigned again.
    pub(super) assignment: u64,
    pub(super) state: PartitionState,
    /// The records that were read and not taken yet, in the log's order.
    prefetched: VecDeque<PrefetchedRecord>,
    /// The highest offset that was committed, or is to be committed.
    pub(super) committed: Offset,
    /// The offset to commit next.
    pub(super) to_commit: Option<Offset>,
}

pub(super) enum PartitionState {
    /// Its position must be looked up in the store.
    AwaitingPosition,
    /// The lookup has begun.
    LookingUp,
    /// It is read.
    Positioned {
        /// The start of the next batch.
        start: Offset,
        /// The end of the prefetched records: the offset from which on the next record is added.
        next: Offset,
        /// The store's last ballot. Reading starts there, and no record is added before it is found.
        fingerprint: Option<LogFingerprint>,
        /// Whether the thread must still start to read here.
        not_started: bool,
    },
}

impl PartitionState {
    pub(super) const fn starting_at(progress: Progress) -> Self {
        Self::Positioned {
            start: progress.next,
            next: progress.next,
            fingerprint: progress.last,
            not_started: true,
        }
    }
}

impl AssignedPartition {
    pub(super) const fn new(assignment: u64) -> Self {
        Self {
            assignment,
            state: PartitionState::AwaitingPosition,
            prefetched: VecDeque::new(),
            committed: Offset::START,
            to_commit: None,
        }
    }

    pub(super) fn has_batch(&self) -> bool {
        !self.prefetched.is_empty()
    }

    /// Adds a record if its offset is `next` or higher: offsets may be missing in a log, and none is
    /// added twice. A lower one was read before a seek, or lies between the fingerprint and `next`. Fails
    /// if the record at the fingerprint's offset is another one.
    pub(super) fn push(&mut self, record: PrefetchedRecord) -> Result<BufferSize, LogFingerprint> {
        let PartitionState::Positioned {
            next,
            fingerprint,
            not_started: false,
            ..
        } = &mut self.state
        else {
            return Ok(BufferSize::default());
        };
        let offset = record.entry.offset;
        if let Some(sought) = *fingerprint
            && sought.offset <= offset
        {
            if !record.entry.is_at(sought) {
                return Err(sought);
            }
            *fingerprint = None;
        }
        if offset < *next {
            return Ok(BufferSize::default());
        }
        let size = record.size;
        *next = offset.next();
        self.prefetched.push_back(record);
        Ok(size)
    }

    /// Takes consecutive records of at most `max_ballots` ballots, or a single larger record.
    pub(super) fn take(
        &mut self,
        partition: Partition,
        max_ballots: usize,
    ) -> (LogBatch, BufferSize) {
        let PartitionState::Positioned { start, .. } = &mut self.state else {
            unreachable!("records are only added to a partition with a position")
        };
        let mut size = BufferSize::default();
        let mut entries = Vec::new();
        while let Some(record) = self.prefetched.front() {
            let ballots = size.ballots + record.size.ballots;
            if ballots > max_ballots && !entries.is_empty() {
                break;
            }
            size += record.size;
            entries.extend(self.prefetched.pop_front().map(|record| record.entry));
        }
        let next = entries.last().map_or(*start, |last| last.offset.next());
        let start = std::mem::replace(start, next);
        let batch = LogBatch {
            partition,
            start,
            next,
            entries,
        };
        (batch, size)
    }

    /// Notes that all records before `next` were applied. Commits only move forward.
    pub(super) fn note_applied(&mut self, next: Offset) {
        if next > self.committed {
            self.committed = next;
            self.to_commit = Some(next);
        }
    }

    /// Drops the prefetched records; returns their size.
    pub(super) fn clear_prefetched(&mut self) -> BufferSize {
        let mut size = BufferSize::default();
        for record in self.prefetched.drain(..) {
            size += record.size;
        }
        size
    }
}

impl ops::AddAssign for BufferSize {
    fn add_assign(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.ballots += more.ballots;
    }
}

impl ops::SubAssign for BufferSize {
    fn sub_assign(&mut self, less: Self) {
        self.bytes -= less.bytes;
        self.ballots -= less.ballots;
    }
}
