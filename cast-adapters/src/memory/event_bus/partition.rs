//! The records of one partition.

use std::{collections::VecDeque, sync::Arc};

use cast_core::{
    domain::{LogBatch, LogEntry, LoggedBallot, Offset, Partition, Progress, Unreadable},
    ports::{PartitionLag, PortError},
};

use crate::groups::Span;

/// The ballots of a record, or an undecodable record.
pub(super) type Content = Result<Arc<[LoggedBallot]>, Unreadable>;

/// How many ballots a record counts for.
pub(super) fn weight(content: &Content) -> usize {
    content.as_ref().map_or(1, |ballots| ballots.len())
}

pub(super) struct PartitionLog {
    partition: Partition,
    /// The offset of the first retained record.
    pub(super) start: u64,
    records: VecDeque<Content>,
    /// Every group has committed the records before it.
    pub(super) floor: u64,
}

impl PartitionLog {
    pub(super) const fn new(partition: Partition) -> Self {
        Self {
            partition,
            start: 0,
            records: VecDeque::new(),
            floor: 0,
        }
    }

    pub(super) fn append(&mut self, content: Content) -> Offset {
        let offset = Offset::new(self.end());
        self.records.push_back(content);
        offset
    }

    /// Retains all records for a new group. Returns how many ballots wait again because of it.
    pub(super) fn reopen(&mut self) -> usize {
        let again = self.weigh(self.start, self.floor);
        self.floor = self.start;
        again
    }

    /// Notes that every group has committed the records before `floor`, and retains at most `retained` of
    /// them. Returns how many ballots wait no longer, and the records that are not retained.
    pub(super) fn advance_floor(&mut self, floor: u64, retained: usize) -> (usize, Vec<Content>) {
        let ballots = self.weigh(self.floor, floor);
        self.floor = floor;
        let surplus = self.index(floor).saturating_sub(retained);
        self.start += u64::try_from(surplus).expect("no more records than offsets");
        (ballots, self.records.drain(..surplus).collect())
    }

    /// The lag of a group that has committed the records before `committed`.
    pub(super) fn lag(&self, committed: u64) -> PartitionLag {
        PartitionLag {
            partition: self.partition,
            committed: Offset::new(committed),
            end: Offset::new(self.end()),
        }
    }

    /// Refuses an offset from which this log cannot be read without a gap.
    pub(super) fn check(&self, from: Offset) -> Result<(), PortError> {
        self.span().check(
            from,
            "start with a newer backup of the store, and raise retained_records for the next time",
        )
    }

    /// Refuses a progress of another log, or from which this log cannot be read without a gap.
    pub(super) fn check_progress(&self, progress: Progress) -> Result<(), PortError> {
        self.check(progress.next)?;
        let span = self.span();
        let Some(fingerprint) = span.known(progress) else {
            return Ok(());
        };
        let offset = fingerprint.offset;
        let record = self.records.get(self.index(offset.get()));
        let entry = record.cloned().map(|content| LogEntry { offset, content });
        span.check_fingerprint(fingerprint, entry.as_ref())
    }

    fn span(&self) -> Span {
        Span {
            partition: self.partition,
            start: self.start,
            end: self.end(),
        }
    }

    /// The records from `from` on: at least one, and otherwise no more than `max_ballots` ballots.
    /// `None` at the end of the log.
    pub(super) fn read(
        &self,
        from: Offset,
        max_ballots: usize,
    ) -> Result<Option<LogBatch>, PortError> {
        self.check(from)?;
        let mut entries = Vec::new();
        let mut ballots = 0;
        let mut next = from;
        for content in self.records.range(self.index(from.get())..) {
            ballots += weight(content);
            if ballots > max_ballots && !entries.is_empty() {
                break;
            }
            entries.push(LogEntry {
                offset: next,
                content: content.clone(),
            });
            next = next.next();
        }
        Ok((!entries.is_empty()).then_some(LogBatch {
            partition: self.partition,
            start: from,
            next,
            entries,
        }))
    }

    /// The number of retained records.
    #[cfg(test)]
    pub(super) fn held(&self) -> u64 {
        self.end() - self.start
    }

    pub(super) fn end(&self) -> u64 {
        self.start + u64::try_from(self.records.len()).expect("no more records than offsets")
    }

    /// The index in `records` of an offset that is not before `start`.
    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset - self.start).expect("what is held fits in memory")
    }

    /// The ballots of the records in `from..to`.
    fn weigh(&self, from: u64, to: u64) -> usize {
        let records = self.records.range(self.index(from)..self.index(to));
        records.map(weight).sum()
    }
}
