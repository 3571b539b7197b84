//! The count of one candidate.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition, Tally, Version},
    ports::{Checkpoint, Reading},
};

/// The applied totals of a candidate, and the votes that are pending after them.
#[derive(Default)]
pub(super) struct Count {
    partitions: BTreeMap<Partition, PartitionCount>,
    /// When (monotonic) it was last reconciled with all totals of the store.
    reconciled_at: Option<Duration>,
    /// Its place in the order of idle candidates; `None` while it has pending votes.
    pub(super) idle_rank: Option<u64>,
}

/// A candidate's votes in one partition.
#[derive(Default)]
struct PartitionCount {
    /// The votes before `as_of`.
    applied: u64,
    as_of: Offset,
    /// The votes of the records at `as_of` and later, by offset.
    pending: BTreeMap<Offset, u64>,
    /// The sum of `pending`, in a type that cannot overflow.
    pending_sum: u128,
}

impl Count {
    pub(super) fn record(&mut self, position: LogPosition, votes: u64) {
        self.partitions
            .entry(position.partition)
            .or_default()
            .record(position.offset, votes);
    }

    pub(super) fn reconcile(&mut self, checkpoint: &Checkpoint, now: Duration) {
        for total in &checkpoint.applied_totals {
            self.partitions
                .entry(total.partition)
                .or_default()
                .reconcile(total);
        }
        if checkpoint.whole {
            // A partition that it does not name has no votes, which is also its initial state.
            self.reconciled_at = Some(now);
        }
    }

    pub(super) fn has_pending(&self) -> bool {
        self.partitions
            .values()
            .any(|count| !count.pending.is_empty())
    }

    /// The applied totals, by partition.
    pub(super) fn applied_totals(&self) -> Vec<AppliedTotal> {
        let partitions = self.partitions.iter();
        let applied_totals = partitions.map(|(&partition, count)| AppliedTotal {
            partition,
            votes: count.applied,
            as_of: count.as_of,
        });
        // A partition that has only pending votes has no applied total.
        applied_totals.filter(|p| p.as_of > Offset::START).collect()
    }

    pub(super) fn reading(&self, candidate: &Candidate, now: Duration) -> Reading {
        let votes: u128 = self
            .partitions
            .values()
            .map(|count| u128::from(count.applied) + count.pending_sum)
            .sum();
        let version = self
            .partitions
            .values()
            .map(|count| count.end().get())
            .fold(0, u64::saturating_add);
        Reading {
            tally: Tally {
                candidate: candidate.clone(),
                votes: u64::try_from(votes).unwrap_or(u64::MAX),
                version: Version::new(version),
            },
            // Another thread may have reconciled after this one read the clock.
            age: self.reconciled_at.map(|at| now.saturating_sub(at)),
        }
    }
}

impl PartitionCount {
    fn record(&mut self, offset: Offset, votes: u64) {
        if offset < self.as_of {
            return;
        }
        if let Entry::Vacant(new) = self.pending.entry(offset) {
            new.insert(votes);
            self.pending_sum += u128::from(votes);
        }
    }

    fn reconcile(&mut self, total: &AppliedTotal) {
        if total.as_of <= self.as_of {
            return;
        }
        let later = self.pending.split_off(&total.as_of);
        let earlier = std::mem::replace(&mut self.pending, later);
        self.pending_sum -= earlier.into_values().map(u128::from).sum::<u128>();
        (self.applied, self.as_of) = (total.votes, total.as_of);
    }

    /// The offset after the last record that is counted.
    fn end(&self) -> Offset {
        // Pending records are at `as_of` or later.
        self.pending
            .last_key_value()
            .map_or(self.as_of, |(last, _)| last.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::fixtures::{candidate, position};

    fn checkpoint(partition: u32, votes: u64, as_of: u64) -> Checkpoint {
        let total = AppliedTotal {
            partition: Partition::new(partition),
            votes,
            as_of: Offset::new(as_of),
        };
        Checkpoint {
            candidate: candidate("a"),
            applied_totals: vec![total],
            whole: false,
        }
    }

    fn shown(count: &Count) -> (u64, u64) {
        let tally = count.reading(&candidate("a"), Duration::ZERO).tally;
        (tally.votes, tally.version.get())
    }

    #[test]
    fn reconciling_drops_exactly_the_pending_votes_before_it() {
        let mut count = Count::default();
        for offset in 0..10 {
            count.record(position(0, offset), 1);
        }
        count.record(position(3, 7), 100);
        assert_eq!(shown(&count), (110, 10 + 8));
        count.reconcile(&checkpoint(0, 1_000, 4), Duration::ZERO);
        assert_eq!(shown(&count), (1_000 + 6 + 100, 10 + 8));
        assert_eq!(count.partitions[&Partition::new(0)].pending.len(), 6);
        count.reconcile(&checkpoint(0, 2_000, 12), Duration::ZERO);
        assert_eq!(shown(&count), (2_100, 12 + 8));
        assert!(count.has_pending());
        count.reconcile(&checkpoint(3, 100, 8), Duration::ZERO);
        assert!(!count.has_pending());
    }

    #[test]
    fn a_tally_beyond_64_bits_shows_the_largest_number_and_recovers() {
        let mut count = Count::default();
        count.record(position(0, 0), u64::MAX);
        count.record(position(0, 1), u64::MAX);
        assert_eq!(shown(&count).0, u64::MAX);
        count.reconcile(&checkpoint(0, 5, 2), Duration::ZERO);
        assert_eq!(shown(&count), (5, 2));
    }
}
