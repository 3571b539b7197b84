//! Remembers where the ballots went that this door saw acknowledged.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use crate::domain::{BallotId, LogPosition};

/// The last ballots and their positions, so that a voter who asks is told "logged" before the store
/// has it. A courtesy of one door, bounded, and lost with it.
pub(super) struct Recent {
    limit: usize,
    ballots: Mutex<Ballots>,
}

#[derive(Default)]
struct Ballots {
    positions: HashMap<BallotId, LogPosition>,
    /// Oldest first.
    order: VecDeque<BallotId>,
}

impl Recent {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ballots: Mutex::default(),
        }
    }

    pub(super) fn remember(&self, logged: impl Iterator<Item = (BallotId, LogPosition)>) {
        let mut ballots = self.ballots.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, position) in logged {
            if ballots.positions.insert(id, position).is_none() {
                ballots.order.push_back(id);
            }
        }
        while ballots.order.len() > self.limit {
            if let Some(oldest) = ballots.order.pop_front() {
                ballots.positions.remove(&oldest);
            }
        }
    }

    pub(super) fn position(&self, id: BallotId) -> Option<LogPosition> {
        let ballots = self.ballots.lock().unwrap_or_else(PoisonError::into_inner);
        ballots.positions.get(&id).copied()
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
        let recent = Recent::new(2);
        recent.remember([(id(1), at(0)), (id(2), at(1)), (id(1), at(2))].into_iter());
        assert_eq!(
            [1, 2].map(|n| recent.position(id(n))),
            [Some(at(2)), Some(at(1))]
        );
        recent.remember([(id(3), at(3))].into_iter());
        assert_eq!(
            [1, 2, 3].map(|n| recent.position(id(n)).is_some()),
            [false, true, true]
        );
    }
}
