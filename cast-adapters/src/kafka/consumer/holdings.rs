//! What a member holds: its partitions, where it is in each, and what was read ahead.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard},
    thread::Thread,
};

use cast_core::{
    domain::{LogBatch, LogFingerprint, Offset, Partition, Progress},
    ports::PortError,
};
use tokio::sync::Notify;

use super::held::{Ahead, Held, Place, Weight};

/// Shared by a member's reading thread, which puts in what it reads, and its subscription, which
/// takes out what was asked for.
///
/// Architecture invariant: the lock is held for a few memory accesses. Neither side waits for the
/// other with it, and the thread goes on polling whatever the subscription does.
pub(super) struct Holdings {
    /// How much is read ahead.
    limit: Weight,
    state: Mutex<State>,
    /// Wakes the subscription.
    news: Notify,
}

#[derive(Default)]
struct State {
    held: BTreeMap<Partition, Held>,
    /// Counts the times that a partition came to this member.
    arrivals: u64,
    /// The partition that was served last: the one behind it comes next, so that none starves.
    turn: Option<Partition>,
    /// Of all that was read ahead.
    ahead: Weight,
    /// What the subscription is to be told of, when it has all that was read before. Until then
    /// nothing more is taken in: it might come after a gap.
    failure: Option<PortError>,
    /// The reading thread, from its start to its end.
    reader: Option<Thread>,
    is_closing: bool,
}

/// A partition whose reading is to be begun, or begun anew, at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) partition: Partition,
    pub(super) at: Offset,
}

/// A partition whose place is to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unplaced {
    pub(super) partition: Partition,
    pub(super) arrival: u64,
}

/// The answer: where to begin, and what the group has committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placing {
    pub(super) at: Progress,
    pub(super) committed: Offset,
}

impl Holdings {
    pub(super) fn new(limit: Weight) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            news: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds this lock")
    }
}

/// The reading thread's side.
impl Holdings {
    /// Named by the reading thread, so that it can be woken.
    pub(super) fn begin(&self, reader: Thread) {
        self.state().reader = Some(reader);
    }

    /// The reading thread is no more, well or not.
    pub(super) fn end(&self, because: PortError) {
        {
            let mut state = self.state();
            state.reader = None;
            state.held.clear();
            state.ahead = Weight::default();
            state.failure.get_or_insert(because);
        }
        self.news.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state().is_closing
    }

    /// Partitions that are this member's from now on.
    pub(super) fn assign(&self, partitions: &[Partition]) {
        {
            let mut state = self.state();
            for &partition in partitions {
                state.remove(partition);
                state.arrivals += 1;
                let held = Held::new(state.arrivals);
                state.held.insert(partition, held);
            }
        }
        self.news.notify_one();
    }

    /// Partitions that are not this member's any more, with all that was read ahead of them. Returns
    /// what is still to be committed.
    pub(super) fn revoke(&self, partitions: &[Partition]) -> Vec<(Partition, Offset)> {
        let mut state = self.state();
        let removed = partitions.iter().filter_map(|&partition| {
            let held = state.remove(partition)?;
            Some((partition, held.to_commit?))
        });
        removed.collect()
    }

    /// Where reading is to be begun. Told once.
    pub(super) fn to_begin(&self) -> Vec<Begin> {
        let mut state = self.state();
        let held = state.held.iter_mut();
        held.filter_map(|(&partition, held)| match &mut held.place {
            Place::Known {
                next,
                fingerprint,
                is_new,
                ..
            } => {
                let at = fingerprint.map_or(*next, |fingerprint| fingerprint.offset);
                std::mem::take(is_new).then_some(Begin { partition, at })
            }
            Place::Unknown | Place::Asked => None,
        })
        .collect()
    }

    /// Takes in a record, if it is what the log is to give next. Fails where it is to be known by a
    /// fingerprint, and is not the log that has it.
    pub(super) fn push(&self, partition: Partition, record: Ahead) -> Result<(), LogFingerprint> {
        {
            let mut state = self.state();
            let is_failing = state.failure.is_some();
            let Some(held) = state.held.get_mut(&partition).filter(|_| !is_failing) else {
                return Ok(());
            };
            let weight = held.push(record)?;
            state.ahead += weight;
        }
        self.news.notify_one();
        Ok(())
    }

    /// Whether no more is to be read for now.
    pub(super) fn is_full(&self) -> bool {
        let ahead = self.state().ahead;
        ahead.bytes >= self.limit.bytes || ahead.ballots >= self.limit.ballots
    }

    /// Whether reading is to go on: when half is free again, so that it does not stop and go with
    /// each batch.
    pub(super) fn has_room(&self) -> bool {
        let ahead = self.state().ahead;
        ahead.bytes <= self.limit.bytes / 2 && ahead.ballots <= self.limit.ballots / 2
    }

    /// What is to be committed. Told once.
    pub(super) fn to_commit(&self) -> Vec<(Partition, Offset)> {
        let mut state = self.state();
        let held = state.held.iter_mut();
        held.filter_map(|(&partition, held)| Some((partition, held.to_commit.take()?)))
            .collect()
    }

    /// Ends the reading, of which the subscription is to be told. It begins anew where the store is
    /// then, if anybody goes on asking.
    pub(super) fn fail(&self, error: PortError) {
        self.state().failure.get_or_insert(error);
        self.news.notify_one();
    }
}

/// The subscription's side.
impl Holdings {
    /// Waits until there may be something new.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// The partitions whose places are to be asked for. Told once.
    pub(super) fn unplaced(&self) -> Vec<Unplaced> {
        let mut state = self.state();
        let held = state.held.iter_mut();
        held.filter(|(_, held)| matches!(held.place, Place::Unknown))
            .map(|(&partition, held)| {
                held.place = Place::Asked;
                Unplaced {
                    partition,
                    arrival: held.arrival,
                }
            })
            .collect()
    }

    /// Where a partition is to be read from. `None` if nobody could say: it is asked for again.
    /// Returns whether that is still of interest.
    pub(super) fn place(&self, asked: Unplaced, placing: Option<Placing>) -> bool {
        let mut state = self.state();
        let Some(held) = state.held.get_mut(&asked.partition) else {
            return false;
        };
        // It was away and came back meanwhile, or somebody sought in it: what was asked before does
        // not count.
        if held.arrival != asked.arrival || !matches!(held.place, Place::Asked) {
            return false;
        }
        held.place = match placing {
            None => Place::Unknown,
            Some(Placing { at, committed }) => {
                held.committed = committed;
                // Whoever was here before may have applied more than was committed; without this the
                // lag would say so until the next record.
                held.note_applied(at.next);
                Place::at(at)
            }
        };
        state.wake_reader();
        true
    }

    pub(super) fn holds(&self, partition: Partition) -> bool {
        self.state().held.contains_key(&partition)
    }

    /// Reads a partition from somewhere else, if it is the member's.
    pub(super) fn seek(&self, partition: Partition, to: Offset) {
        let mut state = self.state();
        if let Some(held) = state.held.get_mut(&partition) {
            held.place = Place::at(Progress::at(to));
            let weight = held.drop_ahead();
            state.ahead -= weight;
        }
        state.wake_reader();
    }

    /// The next batch, if there is one, of the partitions in turn.
    pub(super) fn take(&self, max_ballots: usize) -> Result<Option<LogBatch>, PortError> {
        let mut state = self.state();
        let Some(turn) = state.next_turn() else {
            let Some(failure) = state.failure.take() else {
                return Ok(None);
            };
            state.forget_places();
            return Err(failure);
        };
        let held = state.held.get_mut(&turn).expect("its turn has come");
        let (batch, weight) = held.take(turn, max_ballots);
        state.turn = Some(turn);
        state.ahead -= weight;
        state.wake_reader();
        Ok(Some(batch))
    }

    /// Notes what is to be committed, if that is news and the partition is the member's: what comes
    /// late must not undo what its new reader did.
    pub(super) fn commit(&self, partition: Partition, next: Offset) {
        if let Some(held) = self.state().held.get_mut(&partition) {
            held.note_applied(next);
        }
    }

    /// Tells the reading thread to leave the group.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closing = true;
        state.wake_reader();
    }
}

impl State {
    fn remove(&mut self, partition: Partition) -> Option<Held> {
        let mut held = self.held.remove(&partition)?;
        self.ahead -= held.drop_ahead();
        Some(held)
    }

    /// Has all places asked for anew: what was read and not taken in leaves a gap.
    fn forget_places(&mut self) {
        for held in self.held.values_mut() {
            // What was asked before does not count.
            self.arrivals += 1;
            held.arrival = self.arrivals;
            held.place = Place::Unknown;
        }
    }

    /// The partition with a batch that comes behind the one that was served last.
    fn next_turn(&self) -> Option<Partition> {
        let behind = self.turn.map_or(Bound::Unbounded, Bound::Excluded);
        let after = self.held.range((behind, Bound::Unbounded));
        let mut waiting = after.chain(&self.held).filter(|(_, held)| held.has_batch());
        waiting.next().map(|(&partition, _)| partition)
    }

    fn wake_reader(&self) {
        if let Some(reader) = &self.reader {
            reader.unpark();
        }
    }
}

#[cfg(test)]
mod tests;
