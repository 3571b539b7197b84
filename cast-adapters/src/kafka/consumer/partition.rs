//! One partition of a member: where it is, and what was read ahead.

use std::{collections::VecDeque, ops};

use cast_core::domain::{LogBatch, LogEntry, LogFingerprint, Offset, Partition, Progress};

/// How much something is to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BufferSize {
    pub(super) bytes: usize,
    pub(super) ballots: usize,
}

/// A record that was read ahead.
pub(super) struct PrefetchedRecord {
    pub(super) entry: LogEntry,
    pub(super) weight: BufferSize,
}

/// A partition that is this member's.
pub(super) struct AssignedPartition {
    /// Tells this time that it is the member's from earlier ones.
    pub(super) assignment: u64,
    pub(super) state: PartitionState,
    prefetched: VecDeque<PrefetchedRecord>,
    /// Everything before it was committed by somebody, or is on its way.
    pub(super) committed: Offset,
    /// What is to be committed next.
    pub(super) to_commit: Option<Offset>,
}

/// Where the reading of a partition is.
pub(super) enum PartitionState {
    /// It is to be asked for.
    Unknown,
    /// It was asked for.
    Asked,
    Known {
        /// Where the next batch begins.
        start: Offset,
        /// What the log is to give next: behind what was read ahead.
        next: Offset,
        /// What is to be found before anything is taken in: reading begins there.
        fingerprint: Option<LogFingerprint>,
        /// Whether the thread has yet to begin reading at `next`.
        not_started: bool,
    },
}

impl PartitionState {
    pub(super) const fn at(progress: Progress) -> Self {
        Self::Known {
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

    /// Takes in a record, if it is what the log is to give next: offsets may be missing, and none
    /// comes twice. What is not is of a reading that was given up meanwhile, or lies between the
    /// fingerprint and what is next. Fails where the fingerprint should be and is not.
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
        let weight = record.weight;
        *next = offset.next();
        self.prefetched.push_back(record);
        Ok(weight)
    }

    /// Consecutive records of no more than `max_ballots`, or a single one of more.
    pub(super) fn take(&mut self, partition: Partition, max_ballots: usize) -> (LogBatch, BufferSize) {
        let PartitionState::Positioned { start, .. } = &mut self.state else {
            unreachable!("only what was placed is read")
        };
        let mut weight = BufferSize::default();
        let mut entries = Vec::new();
        while let Some(record) = self.prefetched.front() {
            let ballots = weight.ballots + record.weight.ballots;
            if ballots > max_ballots && !entries.is_empty() {
                break;
            }
            weight += record.weight;
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
        (batch, weight)
    }

    /// Notes that everything before `next` was applied, if that is news: a commit only moves forward.
    pub(super) fn note_applied(&mut self, next: Offset) {
        if next > self.committed {
            self.committed = next;
            self.to_commit = Some(next);
        }
    }

    /// Lets go of what was read ahead.
    pub(super) fn clear_prefetched(&mut self) -> BufferSize {
        let mut weight = BufferSize::default();
        for record in self.prefetched.drain(..) {
            weight += record.weight;
        }
        weight
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
