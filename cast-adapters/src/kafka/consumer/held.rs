//! One partition of a member: where it is, and what was read ahead.

use std::{collections::VecDeque, ops};

use cast_core::domain::{LogBatch, LogEntry, LogFingerprint, Offset, Partition, Progress};

/// How much something is to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) bytes: usize,
    pub(super) ballots: usize,
}

/// A record that was read ahead.
pub(super) struct Ahead {
    pub(super) entry: LogEntry,
    pub(super) weight: Weight,
}

/// A partition that is this member's.
pub(super) struct Held {
    /// Tells this time that it is the member's from earlier ones.
    pub(super) arrival: u64,
    pub(super) place: Place,
    ahead: VecDeque<Ahead>,
    /// Everything before it was committed by somebody, or is on its way.
    pub(super) committed: Offset,
    /// What is to be committed next.
    pub(super) to_commit: Option<Offset>,
}

/// Where the reading of a partition is.
pub(super) enum Place {
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
        is_new: bool,
    },
}

impl Place {
    pub(super) const fn at(progress: Progress) -> Self {
        Self::Known {
            start: progress.next,
            next: progress.next,
            fingerprint: progress.last,
            is_new: true,
        }
    }
}

impl Held {
    pub(super) const fn new(arrival: u64) -> Self {
        Self {
            arrival,
            place: Place::Unknown,
            ahead: VecDeque::new(),
            committed: Offset::START,
            to_commit: None,
        }
    }

    pub(super) fn has_batch(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Takes in a record, if it is what the log is to give next: offsets may be missing, and none
    /// comes twice. What is not is of a reading that was given up meanwhile, or lies between the
    /// fingerprint and what is next. Fails where the fingerprint should be and is not.
    pub(super) fn push(&mut self, record: Ahead) -> Result<Weight, LogFingerprint> {
        let Place::Known {
            next,
            fingerprint,
            is_new: false,
            ..
        } = &mut self.place
        else {
            return Ok(Weight::default());
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
            return Ok(Weight::default());
        }
        let weight = record.weight;
        *next = offset.next();
        self.ahead.push_back(record);
        Ok(weight)
    }

    /// Consecutive records of no more than `max_ballots`, or a single one of more.
    pub(super) fn take(&mut self, partition: Partition, max_ballots: usize) -> (LogBatch, Weight) {
        let Place::Known { start, .. } = &mut self.place else {
            unreachable!("only what was placed is read")
        };
        let mut weight = Weight::default();
        let mut entries = Vec::new();
        while let Some(record) = self.ahead.front() {
            let ballots = weight.ballots + record.weight.ballots;
            if ballots > max_ballots && !entries.is_empty() {
                break;
            }
            weight += record.weight;
            entries.extend(self.ahead.pop_front().map(|record| record.entry));
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
    pub(super) fn drop_ahead(&mut self) -> Weight {
        let mut weight = Weight::default();
        for record in self.ahead.drain(..) {
            weight += record.weight;
        }
        weight
    }
}

impl ops::AddAssign for Weight {
    fn add_assign(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.ballots += more.ballots;
    }
}

impl ops::SubAssign for Weight {
    fn sub_assign(&mut self, less: Self) {
        self.bytes -= less.bytes;
        self.ballots -= less.ballots;
    }
}
