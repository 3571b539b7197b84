//! What is known of one candidate.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition, Tally, Version},
    ports::{Checkpoint, Reading},
};

/// A candidate's applied totals and the tails behind them.
#[derive(Default)]
pub(super) struct Count {
    partitions: BTreeMap<Partition, PartitionCount>,
    /// When (monotonic) it was last reconciled as a whole.
    reconciled_at: Option<Duration>,
    /// Where it stands in its shard's order of idle candidates; `None` while it has a tail.
    pub(super) idle_rank: Option<u64>,
}

/// A candidate's votes in one partition.
#[derive(Default)]
struct PartitionCount {
    /// The votes before `as_of`.
    reconciled: u64,
    as_of: Offset,
    /// The votes at `as_of` and behind it, each record's by its offset.
    tail: BTreeMap<Offset, u64>,
    /// The sum of `tail`, in a type that cannot overflow.
    tail_votes: u128,
}

impl Count {
    pub(super) fn record(&mut self, position: LogPosition, votes: u64) {
        self.partitions
            .entry(position.partition)
            .or_default()
            .record(position.offset, votes);
    }

    pub(super) fn reconcile(&mut self, checkpoint: &Checkpoint, now: Duration) {
        for prefix in &checkpoint.applied_totals {
            self.partitions
                .entry(prefix.partition)
                .or_default()
                .reconcile(prefix);
        }
        if checkpoint.whole {
            // Partitions that it does not name need nothing: those with no votes begin at nothing.
            self.reconciled_at = Some(now);
        }
    }

    pub(super) fn has_tail(&self) -> bool {
        self.partitions.values().any(|count| !count.tail.is_empty())
    }

    /// The applied totals, by partition.
    pub(super) fn applied_totals(&self) -> Vec<AppliedTotal> {
        let partitions = self.partitions.iter();
        let applied_totals = partitions.map(|(&partition, count)| AppliedTotal {
            partition,
            votes: count.reconciled,
            as_of: count.as_of,
        });
        // A partition with nothing but a tail begins at nothing.
        applied_totals.filter(|p| p.as_of > Offset::START).collect()
    }

    pub(super) fn reading(&self, candidate: &Candidate, now: Duration) -> Reading {
        let votes: u128 = self
            .partitions
            .values()
            .map(|count| u128::from(count.reconciled) + count.tail_votes)
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
            // Another thread may have reconciled after this one looked at the clock.
            age: self.reconciled_at.map(|at| now.saturating_sub(at)),
        }
    }
}

impl PartitionCount {
    fn record(&mut self, offset: Offset, votes: u64) {
        if offset < self.as_of {
            return;
        }
        if let Entry::Vacant(new) = self.tail.entry(offset) {
            new.insert(votes);
            self.tail_votes += u128::from(votes);
        }
    }

    fn reconcile(&mut self, prefix: &AppliedTotal) {
        if prefix.as_of <= self.as_of {
            return;
        }
        let behind = self.tail.split_off(&prefix.as_of);
        let reconciled = std::mem::replace(&mut self.tail, behind);
        self.tail_votes -= reconciled.into_values().map(u128::from).sum::<u128>();
        (self.reconciled, self.as_of) = (prefix.votes, prefix.as_of);
    }

    /// The offset behind the last record taken in.
    fn end(&self) -> Offset {
        // A tail lies at or behind `as_of`.
        self.tail
            .last_key_value()
            .map_or(self.as_of, |(last, _)| last.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::fixtures::{candidate, position};

    fn prefix(partition: u32, votes: u64, as_of: u64) -> Checkpoint {
        let prefix = AppliedTotal {
            partition: Partition::new(partition),
            votes,
            as_of: Offset::new(as_of),
        };
        Checkpoint {
            candidate: candidate("a"),
            applied_totals: vec![prefix],
            whole: false,
        }
    }

    fn shown(count: &Count) -> (u64, u64) {
        let tally = count.reading(&candidate("a"), Duration::ZERO).tally;
        (tally.votes, tally.version.get())
    }

    #[test]
    fn reconciling_drops_the_tail_before_it_and_only_that() {
        let mut count = Count::default();
        for offset in 0..10 {
            count.record(position(0, offset), 1);
        }
        count.record(position(3, 7), 100);
        assert_eq!(shown(&count), (110, 10 + 8));
        count.reconcile(&prefix(0, 1_000, 4), Duration::ZERO);
        assert_eq!(shown(&count), (1_000 + 6 + 100, 10 + 8));
        assert_eq!(count.partitions[&Partition::new(0)].tail.len(), 6);
        count.reconcile(&prefix(0, 2_000, 12), Duration::ZERO);
        assert_eq!(shown(&count), (2_100, 12 + 8));
        assert!(count.has_tail());
        count.reconcile(&prefix(3, 100, 8), Duration::ZERO);
        assert!(!count.has_tail());
    }

    #[test]
    fn votes_beyond_what_a_tally_can_show_are_shown_as_the_most_and_heal() {
        let mut count = Count::default();
        count.record(position(0, 0), u64::MAX);
        count.record(position(0, 1), u64::MAX);
        assert_eq!(shown(&count).0, u64::MAX);
        count.reconcile(&prefix(0, 5, 2), Duration::ZERO);
        assert_eq!(shown(&count), (5, 2));
    }
}
