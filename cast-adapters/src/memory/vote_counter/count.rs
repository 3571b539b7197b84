//! What is known of one candidate.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use cast_core::{
    domain::{Candidate, LogPosition, Offset, Partition, Prefix, Tally, Version},
    ports::{Reading, Settlement},
};

/// A candidate's settled prefixes and the tails behind them.
#[derive(Default)]
pub(super) struct Count {
    partitions: BTreeMap<Partition, PartitionCount>,
    /// When (monotonic) it was last settled as a whole.
    settled_at: Option<Duration>,
    /// Where it stands in its shard's order of idle candidates; `None` while it has a tail.
    pub(super) idle_rank: Option<u64>,
}

/// A candidate's votes in one partition.
#[derive(Default)]
struct PartitionCount {
    /// The votes before `as_of`.
    settled: u64,
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

    pub(super) fn settle(&mut self, settlement: &Settlement, now: Duration) {
        for prefix in &settlement.prefixes {
            self.partitions
                .entry(prefix.partition)
                .or_default()
                .settle(prefix);
        }
        if settlement.whole {
            // Partitions that it does not name need nothing: those with no votes begin at nothing.
            self.settled_at = Some(now);
        }
    }

    pub(super) fn has_tail(&self) -> bool {
        self.partitions.values().any(|count| !count.tail.is_empty())
    }

    /// The settled prefixes, by partition.
    pub(super) fn settled(&self) -> Vec<Prefix> {
        let partitions = self.partitions.iter();
        let prefixes = partitions.map(|(&partition, count)| Prefix {
            partition,
            votes: count.settled,
            as_of: count.as_of,
        });
        // A partition with nothing but a tail begins at nothing.
        prefixes.filter(|p| p.as_of > Offset::START).collect()
    }

    pub(super) fn reading(&self, candidate: &Candidate, now: Duration) -> Reading {
        let votes: u128 = self
            .partitions
            .values()
            .map(|count| u128::from(count.settled) + count.tail_votes)
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
            // Another thread may have settled after this one looked at the clock.
            age: self.settled_at.map(|at| now.saturating_sub(at)),
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

    fn settle(&mut self, prefix: &Prefix) {
        if prefix.as_of <= self.as_of {
            return;
        }
        let behind = self.tail.split_off(&prefix.as_of);
        let settled = std::mem::replace(&mut self.tail, behind);
        self.tail_votes -= settled.into_values().map(u128::from).sum::<u128>();
        (self.settled, self.as_of) = (prefix.votes, prefix.as_of);
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

    fn prefix(partition: u32, votes: u64, as_of: u64) -> Settlement {
        let prefix = Prefix {
            partition: Partition::new(partition),
            votes,
            as_of: Offset::new(as_of),
        };
        Settlement {
            candidate: candidate("a"),
            prefixes: vec![prefix],
            whole: false,
        }
    }

    fn shown(count: &Count) -> (u64, u64) {
        let tally = count.reading(&candidate("a"), Duration::ZERO).tally;
        (tally.votes, tally.version.get())
    }

    #[test]
    fn settling_drops_the_tail_before_it_and_only_that() {
        let mut count = Count::default();
        for offset in 0..10 {
            count.record(position(0, offset), 1);
        }
        count.record(position(3, 7), 100);
        assert_eq!(shown(&count), (110, 10 + 8));
        count.settle(&prefix(0, 1_000, 4), Duration::ZERO);
        assert_eq!(shown(&count), (1_000 + 6 + 100, 10 + 8));
        assert_eq!(count.partitions[&Partition::new(0)].tail.len(), 6);
        count.settle(&prefix(0, 2_000, 12), Duration::ZERO);
        assert_eq!(shown(&count), (2_100, 12 + 8));
        assert!(count.has_tail());
        count.settle(&prefix(3, 100, 8), Duration::ZERO);
        assert!(!count.has_tail());
    }

    #[test]
    fn votes_beyond_what_a_tally_can_show_are_shown_as_the_most_and_heal() {
        let mut count = Count::default();
        count.record(position(0, 0), u64::MAX);
        count.record(position(0, 1), u64::MAX);
        assert_eq!(shown(&count).0, u64::MAX);
        count.settle(&prefix(0, 5, 2), Duration::ZERO);
        assert_eq!(shown(&count), (5, 2));
    }
}
