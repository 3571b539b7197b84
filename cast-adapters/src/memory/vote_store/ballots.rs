//! The counted ballots, in the order in which they were counted.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use cast_core::domain::{BallotId, Candidate, LogPosition, LoggedBallot, Partition};

/// A counted ballot, with its position in the log.
pub(super) type CountedBallot = (LogPosition, LoggedBallot);

/// The most ballots of a segment. A segment is forgotten as a whole.
const MAX_SEGMENT_LEN: usize = 1_024;

/// Counted ballots. The oldest are forgotten, and only their votes are kept, as sums.
///
/// The ballots are in sealed segments, which never change, so a clone costs one reference per segment. A
/// recount uses a clone, outside of the store's lock.
#[derive(Clone, Default)]
pub(super) struct Ballots {
    sealed: VecDeque<Arc<[CountedBallot]>>,
    /// The segment that is being filled.
    open: Vec<CountedBallot>,
    /// The votes of the forgotten ballots.
    forgotten: Sums,
    /// The number of forgotten ballots.
    forgotten_len: u64,
    len: usize,
}

/// Votes by candidate and partition.
pub(super) type Sums = BTreeMap<(Candidate, Partition), u64>;

fn add(sums: &mut Sums, segment: &[CountedBallot]) {
    for (position, ballot) in segment {
        for selection in ballot.selections.iter() {
            let key = (selection.candidate.clone(), position.partition);
            *sums.entry(key).or_default() += u64::from(selection.votes.get());
        }
    }
}

impl Ballots {
    /// Adds a ballot. If there are more than `max` then, forgets old ones and returns their ids.
    pub(super) fn push(&mut self, counted: CountedBallot, max: usize) -> Vec<BallotId> {
        self.open.push(counted);
        self.len += 1;
        // A small part of the bound, so that nearly as many ballots as allowed are kept.
        if self.open.len() >= (max / 64).clamp(1, MAX_SEGMENT_LEN) {
            let segment = std::mem::take(&mut self.open);
            self.sealed.push_back(segment.into());
        }
        let mut forgotten = Vec::new();
        while self.len > max
            && let Some(segment) = self.sealed.pop_front()
        {
            self.len -= segment.len();
            self.forgotten_len += segment.len() as u64;
            add(&mut self.forgotten, &segment);
            forgotten.extend(segment.iter().map(|(_, ballot)| ballot.id));
        }
        forgotten
    }

    /// The ballots in memory, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &CountedBallot> {
        let sealed = self.sealed.iter().flat_map(|segment| segment.iter());
        sealed.chain(&self.open)
    }

    /// The number of the next ballot.
    pub(super) const fn count(&self) -> u64 {
        self.forgotten_len + self.len as u64
    }

    /// The ballot with this number, counted from 0, unless it is forgotten.
    pub(super) fn get(&self, number: u64) -> Option<&CountedBallot> {
        let index = usize::try_from(number.checked_sub(self.forgotten_len)?).ok()?;
        // All sealed segments have the same length.
        let len = self.sealed.front().map_or(1, |segment| segment.len());
        match self.sealed.get(index / len) {
            Some(segment) => segment.get(index % len),
            None => self.open.get(index - self.sealed.len() * len),
        }
    }

    /// The votes of all ballots, including the forgotten ones. It yields to other tasks now and then,
    /// because there may be millions of ballots.
    pub(super) async fn recount(self) -> Sums {
        let mut sums = self.forgotten;
        let open: Arc<[CountedBallot]> = self.open.into();
        for segment in self.sealed.into_iter().chain([open]) {
            add(&mut sums, &segment);
            tokio::task::yield_now().await;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::fixtures::{ballot, candidate, id, position};

    #[tokio::test]
    async fn the_oldest_are_forgotten_into_sums() {
        let mut ballots = Ballots::default();
        let mut forgotten = Vec::new();
        for number in 0..5 {
            let name = if number < 2 { "a" } else { "b" };
            let counted = (position(0, number), ballot(number, name, 10));
            forgotten.extend(ballots.push(counted, 3));
        }
        assert_eq!(forgotten, [id(0), id(1)]);
        let kept: Vec<_> = ballots.iter().map(|(_, ballot)| ballot.id).collect();
        assert_eq!(kept, [id(2), id(3), id(4)]);
        let numbered: Vec<_> = (0..6).map(|n| ballots.get(n).map(|(_, b)| b.id)).collect();
        let (two, three, four) = (Some(id(2)), Some(id(3)), Some(id(4)));
        assert_eq!(numbered, [None, None, two, three, four, None]);
        assert_eq!(ballots.count(), 5);
        let p0 = Partition::new(0);
        let recounted: Vec<_> = ballots.recount().await.into_iter().collect();
        assert_eq!(
            recounted,
            [((candidate("a"), p0), 20), ((candidate("b"), p0), 30)]
        );
    }

    #[tokio::test]
    async fn segments_keep_the_bound_and_lose_no_vote() {
        // A few more than fill the last segment.
        const PUSHED: u64 = 5_003;
        let mut ballots = Ballots::default();
        for number in 0..PUSHED {
            ballots.push((position(0, number), ballot(number, "a", 1)), 640);
            assert!(ballots.iter().count() <= 640);
        }
        assert!(ballots.iter().count() > 640 - 10);
        for number in 0..=PUSHED {
            let there = ballots
                .get(number)
                .map(|(position, _)| position.offset.get());
            let is_kept = (PUSHED - ballots.len as u64..PUSHED).contains(&number);
            assert_eq!(there, is_kept.then_some(number));
        }
        let recounted: Vec<_> = ballots.recount().await.into_values().collect();
        assert_eq!(recounted, [PUSHED]);
    }
}
