//! One partition: its records, who waits for them, and how far each group is.

use std::{collections::VecDeque, sync::Arc};

use cast_core::{
    domain::{LogBatch, LogEntry, LoggedBallot, Offset, Partition, Progress, Unreadable},
    ports::{PartitionLag, PortError},
};
use tokio::sync::Notify;

/// A record's ballots, or what is there instead.
pub(super) type Content = Result<Arc<[LoggedBallot]>, Unreadable>;

/// How many ballots a record counts for.
pub(super) fn weight(content: &Content) -> usize {
    content.as_ref().map_or(1, |ballots| ballots.len())
}

pub(super) struct PartitionLog {
    partition: Partition,
    /// The offset of the first record that is still there.
    start: u64,
    records: VecDeque<Content>,
    /// By the groups' numbers.
    groups: Vec<GroupPlace>,
    /// Every group has committed what lies before it.
    floor: u64,
}

/// Where a group is in this partition.
struct GroupPlace {
    /// `None` once the group is forgotten: it holds nothing back.
    committed: Option<u64>,
    /// Whether that is more than where it began.
    has_committed: bool,
    /// Wakes the member that reads this partition.
    owner: Option<Arc<Notify>>,
}

/// What a commit let go of.
pub(super) struct Committed {
    /// Ballots that no longer wait.
    pub(super) ballots: usize,
    /// Records that are no longer kept.
    pub(super) trimmed: Vec<Content>,
}

impl PartitionLog {
    pub(super) const fn new(partition: Partition) -> Self {
        Self {
            partition,
            start: 0,
            records: VecDeque::new(),
            groups: Vec::new(),
            floor: 0,
        }
    }

    pub(super) fn append(&mut self, content: Content) -> Offset {
        let offset = Offset::new(self.end());
        self.records.push_back(content);
        for owner in self.groups.iter().filter_map(|group| group.owner.as_ref()) {
            // Keeps one permit if nobody waits right now: no record slips by between a member's
            // look at the log and its wait.
            owner.notify_one();
        }
        offset
    }

    /// Makes room for one more group, which has committed nothing. Returns how many ballots wait
    /// again because of it.
    pub(super) fn add_group(&mut self) -> usize {
        self.groups.push(GroupPlace {
            committed: Some(self.start),
            has_committed: false,
            owner: None,
        });
        let again = self.weigh(self.start, self.floor);
        self.floor = self.start;
        again
    }

    pub(super) fn set_owner(&mut self, group: usize, owner: Option<Arc<Notify>>) {
        self.groups[group].owner = owner;
    }

    /// Moves a group's commit forward, to the end at most, and then keeps no more than `retained`
    /// of the records that every group has committed.
    pub(super) fn commit(&mut self, group: usize, next: Offset, retained: usize) -> Committed {
        let next = next.get().min(self.end());
        let place = &mut self.groups[group];
        place.committed = place.committed.map(|committed| next.max(committed));
        place.has_committed = true;
        self.reconcile_floor(retained)
    }

    pub(super) fn has_committed(&self, group: usize) -> bool {
        self.groups[group].has_committed
    }

    /// Forgets a group, and with that what only it held back.
    pub(super) fn forget_group(&mut self, group: usize, retained: usize) -> Committed {
        self.groups[group].committed = None;
        self.reconcile_floor(retained)
    }

    /// Finds what every group has committed, and keeps no more than `retained` records of that.
    fn reconcile_floor(&mut self, retained: usize) -> Committed {
        let behind_all = self.groups.iter().filter_map(|group| group.committed).min();
        let floor = behind_all.unwrap_or(self.floor);
        let ballots = self.weigh(self.floor, floor);
        self.floor = floor;
        let surplus = self.index(floor).saturating_sub(retained);
        self.start += u64::try_from(surplus).expect("no more records than offsets");
        Committed {
            ballots,
            trimmed: self.records.drain(..surplus).collect(),
        }
    }

    /// How far a group is behind; one that never subscribed has committed nothing.
    pub(super) fn lag(&self, group: Option<usize>) -> PartitionLag {
        let committed = group.and_then(|group| self.groups[group].committed);
        PartitionLag {
            partition: self.partition,
            committed: Offset::new(committed.unwrap_or(self.start)),
            end: Offset::new(self.end()),
        }
    }

    /// Refuses an offset from which this log cannot be read without a gap.
    pub(super) fn check(&self, from: Offset) -> Result<(), PortError> {
        let (partition, from) = (self.partition.get(), from.get());
        let (start, end) = (self.start, self.end());
        let complaint = if from > end {
            format!(
                "partition {partition} is to be read from offset {from}, but it ends at {end}: the \
                 store belongs to another log; start with the store of this one, or an empty one"
            )
        } else if from < start {
            format!(
                "partition {partition} is to be read from offset {from}, but its records before \
                 {start} are gone: start with a newer backup of the store, and raise \
                 retained_records for the next time"
            )
        } else {
            return Ok(());
        };
        Err(PortError::misconfigured("reading the log", complaint))
    }

    /// Refuses a progress that was not made in this log, or from which it cannot be read without a gap.
    pub(super) fn check_progress(&self, progress: Progress) -> Result<(), PortError> {
        self.check(progress.next)?;
        let known = progress.last.filter(|last| last.offset.get() >= self.start);
        let Some(fingerprint) = known else {
            return Ok(());
        };
        let offset = fingerprint.offset;
        let record = self.records.get(self.index(offset.get()));
        let entry = record.cloned().map(|content| LogEntry { offset, content });
        if entry.is_some_and(|entry| entry.is_at(fingerprint)) {
            return Ok(());
        }
        let complaint = format!(
            "partition {} does not have the ballot {} at offset {}, where the store took it in: it \
             is not the log that was folded; start with the store of this one, or an empty one",
            self.partition.get(),
            fingerprint.ballot,
            offset.get()
        );
        Err(PortError::misconfigured("reading the log", complaint))
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

    /// How many records are still there.
    #[cfg(test)]
    pub(super) fn held(&self) -> u64 {
        self.end() - self.start
    }

    fn end(&self) -> u64 {
        self.start + u64::try_from(self.records.len()).expect("no more records than offsets")
    }

    /// The place in `records` of an offset that is not before `start`.
    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset - self.start).expect("what is held fits in memory")
    }

    /// The ballots of the records in `from..to`.
    fn weigh(&self, from: u64, to: u64) -> usize {
        let records = self.records.range(self.index(from)..self.index(to));
        records.map(weight).sum()
    }
}
