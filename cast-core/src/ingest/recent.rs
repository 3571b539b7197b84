//! Remembers where the ballots went that this door saw acknowledged.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::{BallotId, LogPosition};

/// The last ballots and their positions, so that a voter who asks is told "logged" before the store
/// has it. A courtesy of one door, bounded, and lost with it.
pub(super) struct Recent {
    limit: usize,
    ballots: Mutex<Ballots>,
}

/// Two halves of the memory: when the newer one is full, the older one is forgotten as a whole. Half
/// the work, on each vote's way, of forgetting ballot by ballot.
#[derive(Default)]
struct Ballots {
    newer: HashMap<BallotId, LogPosition>,
    older: HashMap<BallotId, LogPosition>,
}

impl Recent {
    /// Remembers at most `limit` ballots, and at least the last half as many.
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
        let mut ballots = self.ballots.lock().unwrap_or_else(PoisonError::into_inner);
        let Ballots { newer, older } = &mut *ballots;
        for (id, position) in logged {
            if newer.len() == half {
                // Swapped, so that the room of the one forgotten is used again.
                std::mem::swap(newer, older);
                newer.clear();
            }
            newer.insert(id, position);
        }
    }

    pub(super) fn position(&self, id: BallotId) -> Option<LogPosition> {
        let ballots = self.ballots.lock().unwrap_or_else(PoisonError::into_inner);
        let Ballots { newer, older } = &*ballots;
        newer.get(&id).or_else(|| older.get(&id)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Offset, Partition};

    #[test]
    fn the_oldest_are_forgotten_first() {
        let id = |n: u32| BallotId::new(uuid::Uuid::from_u128(u128::from(n))).expect("an id");
        let at = |n| LogPosition {
            partition: Partition::new(0),
            offset: Offset::new(n),
        };
        let recent = Recent::new(4);
        let remember = |n, position| recent.remember([(id(n), at(position))].into_iter());
        let known = || [1, 2, 3, 4, 5].map(|n| recent.position(id(n)));
        remember(1, 0);
        remember(2, 1);
        remember(1, 2);
        let again = [Some(at(2)), Some(at(1)), None, None, None];
        assert_eq!(known(), again, "the last place told is the one remembered");
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
    fn a_limit_of_none_remembers_nothing() {
        let recent = Recent::new(0);
        let id = BallotId::new(uuid::Uuid::from_u128(1)).expect("an id");
        let position = LogPosition {
            partition: Partition::new(0),
            offset: Offset::new(0),
        };
        recent.remember([(id, position)].into_iter());
        assert_eq!(recent.position(id), None);
    }
}
