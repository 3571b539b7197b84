//! Remembers the positions of ballots that this process saw acknowledged.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::{BallotId, LogPosition};

/// The most recent ballots and their positions: they can be found as logged before the store has applied
/// them. It is bounded, local to this process, and lost with it.
pub(super) struct RecentBallots {
    limit: usize,
    ballots: Mutex<Ballots>,
}

/// Two generations: when the newer one is full, the older one is dropped as a whole. That is half the work
/// of dropping ballot by ballot, and it is on the path of every vote.
#[derive(Default)]
struct Ballots {
    newer: HashMap<BallotId, LogPosition>,
    older: HashMap<BallotId, LogPosition>,
}

impl RecentBallots {
    /// Remembers at most `limit` ballots, and at least the last `limit / 2`.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ballots: Mutex::default(),
        }
    }

    pub(super) fn remember(&self, logged: impl Iterator<Item = (BallotId, LogPosition)>) {
        let half = self.limit / 2;
        if half == 0 {
            return;
        }
        let mut ballots = self.ballots.lock();
        let Ballots { newer, older } = &mut *ballots;
        for (id, position) in logged {
            if newer.len() == half {
                // Swapped, so that the memory of the dropped generation is used again.
                std::mem::swap(newer, older);
                newer.clear();
            }
            newer.insert(id, position);
        }
    }

    pub(super) fn position(&self, id: BallotId) -> Option<LogPosition> {
        let ballots = self.ballots.lock();
        let Ballots { newer, older } = &*ballots;
        newer.get(&id).or_else(|| older.get(&id)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Offset, Partition};

    #[test]
    fn the_oldest_ballots_are_forgotten_first() {
        let id = |n: u32| BallotId::new(uuid::Uuid::from_u128(u128::from(n))).expect("an id");
        let at = |n| LogPosition {
            partition: Partition::new(0),
            offset: Offset::new(n),
        };
        let recent = RecentBallots::new(4);
        let remember = |n, position| recent.remember([(id(n), at(position))].into_iter());
        let known = || [1, 2, 3, 4, 5].map(|n| recent.position(id(n)));
        remember(1, 0);
        remember(2, 1);
        remember(1, 2);
        let again = [Some(at(2)), Some(at(1)), None, None, None];
        assert_eq!(
            known(),
            again,
            "the last position is the one that is remembered"
        );
        remember(3, 3);
        remember(4, 4);
        let newest = [Some(at(2)), None, Some(at(3)), Some(at(4)), None];
        assert_eq!(known(), newest);
        remember(5, 5);
        remember(6, 6);
        let newest = [None, None, None, Some(at(4)), Some(at(5))];
        assert_eq!(known(), newest);
    }

    #[test]
    fn a_limit_of_zero_remembers_nothing() {
        let recent = RecentBallots::new(0);
        let id = BallotId::new(uuid::Uuid::from_u128(1)).expect("an id");
        let position = LogPosition {
            partition: Partition::new(0),
            offset: Offset::new(0),
        };
        recent.remember([(id, position)].into_iter());
        assert_eq!(recent.position(id), None);
    }
}
