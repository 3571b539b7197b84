//! The ballots that were counted, in the order in which they were.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use cast_core::domain::{BallotId, Candidate, LogPosition, LoggedBallot, sum_votes};

/// A counted ballot and where it is in the log.
pub(super) type Kept = (LogPosition, LoggedBallot);

/// The most ballots of a segment: few enough to forget one at once.
const MAX_SEGMENT_LEN: usize = 1_024;

/// Counted ballots, of which the oldest are forgotten into sums.
///
/// They lie in sealed segments that never change again, so that a clone costs a reference for each
/// of them: who counts again does so on a clone, behind the store's lock.
#[derive(Clone, Default)]
pub(super) struct Ballots {
    sealed: VecDeque<Arc<[Kept]>>,
    /// The segment that is being filled.
    open: Vec<Kept>,
    /// What the forgotten ballots gave to each candidate.
    forgotten: BTreeMap<Candidate, u64>,
    len: usize,
}

impl Ballots {
    /// Adds a ballot; where there are then more than `max`, forgets old ones and returns their
    /// ids.
    pub(super) fn push(&mut self, kept: Kept, max: usize) -> Vec<BallotId> {
        self.open.push(kept);
        self.len += 1;
        // A small part of the whole, so that nearly as many are kept as may be.
        if self.open.len() >= (max / 64).clamp(1, MAX_SEGMENT_LEN) {
            let segment = std::mem::take(&mut self.open);
            self.sealed.push_back(segment.into());
        }
        let mut forgotten = Vec::new();
        while self.len > max
            && let Some(segment) = self.sealed.pop_front()
        {
            self.len -= segment.len();
            for (candidate, votes) in sum_votes(segment.iter().map(|(_, ballot)| ballot)) {
                *self.forgotten.entry(candidate).or_default() += votes;
            }
            forgotten.extend(segment.iter().map(|(_, ballot)| ballot.id));
        }
        forgotten
    }

    /// Those that are kept, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Kept> {
        let sealed = self.sealed.iter().flat_map(|segment| segment.iter());
        sealed.chain(&self.open)
    }

    /// What all ballots, forgotten or kept, gave to each candidate. Lets other tasks run in
    /// between: there may be millions.
    pub(super) async fn recount(self) -> Vec<(Candidate, u64)> {
        let mut sums = self.forgotten;
        let open: Arc<[Kept]> = self.open.into();
        for segment in self.sealed.into_iter().chain([open]) {
            for (candidate, votes) in sum_votes(segment.iter().map(|(_, ballot)| ballot)) {
                *sums.entry(candidate).or_default() += votes;
            }
            tokio::task::yield_now().await;
        }
        sums.into_iter().collect()
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
            let kept = (position(0, number), ballot(number, name, 10));
            forgotten.extend(ballots.push(kept, 3));
        }
        assert_eq!(forgotten, [id(0), id(1)]);
        let kept: Vec<_> = ballots.iter().map(|(_, ballot)| ballot.id).collect();
        assert_eq!(kept, [id(2), id(3), id(4)]);
        let recounted = ballots.recount().await;
        assert_eq!(recounted, [(candidate("a"), 20), (candidate("b"), 30)]);
    }

    #[tokio::test]
    async fn segments_keep_the_bound_and_lose_no_vote() {
        let mut ballots = Ballots::default();
        for number in 0..5_000 {
            ballots.push((position(0, number), ballot(number, "a", 1)), 640);
            assert!(ballots.iter().count() <= 640);
        }
        assert!(ballots.iter().count() > 640 - 10);
        assert_eq!(ballots.recount().await, [(candidate("a"), 5_000)]);
    }
}
