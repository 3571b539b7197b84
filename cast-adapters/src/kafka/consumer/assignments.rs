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

use super::partition::{PrefetchedRecord, AssignedPartition, PartitionState, BufferSize};

/// Shared by a member's reading thread, which puts in what it reads, and its subscription, which
/// takes out what was asked for.
///
/// Architecture invariant: the lock is held for a few memory accesses. Neither side waits for the
/// other with it, and the thread goes on polling whatever the subscription does.
pub(super) struct Assignments {
    /// How much is read ahead.
    limit: BufferSize,
    state: Mutex<State>,
    /// Wakes the subscription.
    changed: Notify,
}

#[derive(Default)]
struct State {
    partitions: BTreeMap<Partition, AssignedPartition>,
    /// Counts the times that a partition came to this member.
    assignment_count: u64,
    /// The partition that was served last: the one behind it comes next, so that none starves.
    last_served: Option<Partition>,
    /// Of all that was read ahead.
    prefetched: BufferSize,
    /// What the subscription is to be told of, when it has all that was read before. Until then
    /// nothing more is taken in: it might come after a gap.
    failure: Option<PortError>,
    /// The reading thread, from its start to its end.
    reader: Option<Thread>,
    is_closing: bool,
}

/// A partition whose reading is to be begun, or begun anew, at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadStart {
    pub(super) partition: Partition,
    pub(super) at: Offset,
}

/// A partition whose place is to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AwaitingPosition {
    pub(super) partition: Partition,
    pub(super) assignment: u64,
}

/// The answer: where to begin, and what the group has committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResumeLookup {
    pub(super) at: Progress,
    pub(super) committed: Offset,
}

impl Assignments {
    pub(super) fn new(limit: BufferSize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds this lock")
    }
}

/// The reading thread's side.
impl Assignments {
    /// Named by the reading thread, so that it can be woken.
    pub(super) fn begin(&self, reader: Thread) {
        self.state().reader = Some(reader);
    }

    /// The reading thread is no more, well or not.
    pub(super) fn end(&self, because: PortError) {
        {
            let mut state = self.state();
            state.reader = None;
            state.partitions.clear();
            state.prefetched = BufferSize::default();
            state.failure.get_or_insert(because);
        }
        self.changed.notify_one();
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
                state.assignment_count += 1;
                let assigned = AssignedPartition::new(state.assignment_count);
                state.partitions.insert(partition, assigned);
            }
        }
        self.changed.notify_one();
    }

    /// Partitions that are not this member's any more, with all that was read ahead of them. Returns
    /// what is still to be committed.
    pub(super) fn revoke(&self, partitions: &[Partition]) -> Vec<(Partition, Offset)> {
        let mut state = self.state();
        let removed = partitions.iter().filter_map(|&partition| {
            let assigned = state.remove(partition)?;
            Some((partition, assigned.to_commit?))
        });
        removed.collect()
    }

    /// Where reading is to be begun. Told once.
    pub(super) fn take_read_starts(&self) -> Vec<ReadStart> {
        let mut state = self.state();
        let assigned = state.partitions.iter_mut();
        assigned.filter_map(|(&partition, assigned)| match &mut assigned.state {
            PartitionState::Positioned {
                next,
                fingerprint,
                not_started,
                ..
            } => {
                let at = fingerprint.map_or(*next, |fingerprint| fingerprint.offset);
                std::mem::take(not_started).then_some(ReadStart { partition, at })
            }
            PartitionState::AwaitingPosition | PartitionState::LookingUp => None,
        })
        .collect()
    }

    /// Takes in a record, if it is what the log is to give next. Fails where it is to be known by a
    /// fingerprint, and is not the log that has it.
    pub(super) fn push(&self, partition: Partition, record: PrefetchedRecord) -> Result<(), LogFingerprint> {
        {
            let mut state = self.state();
            let is_failing = state.failure.is_some();
            let Some(assigned) = state.partitions.get_mut(&partition).filter(|_| !is_failing) else {
                return Ok(());
            };
            let weight = assigned.push(record)?;
            state.prefetched += weight;
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Whether no more is to be read for now.
    pub(super) fn is_full(&self) -> bool {
        let prefetched = self.state().prefetched;
        prefetched.bytes >= self.limit.bytes || prefetched.ballots >= self.limit.ballots
    }

    /// Whether reading is to go on: when half is free again, so that it does not stop and go with
    /// each batch.
    pub(super) fn has_room(&self) -> bool {
        let prefetched = self.state().prefetched;
        prefetched.bytes <= self.limit.bytes / 2 && prefetched.ballots <= self.limit.ballots / 2
    }

    /// What is to be committed. Told once.
    pub(super) fn to_commit(&self) -> Vec<(Partition, Offset)> {
        let mut state = self.state();
        let assigned = state.partitions.iter_mut();
        assigned.filter_map(|(&partition, assigned)| Some((partition, assigned.to_commit.take()?)))
            .collect()
    }

    /// Ends the reading, of which the subscription is to be told. It begins anew where the store is
    /// then, if anybody goes on asking.
    pub(super) fn fail(&self, error: PortError) {
        self.state().failure.get_or_insert(error);
        self.changed.notify_one();
    }
}

/// The subscription's side.
impl Assignments {
    /// Waits until there may be something new.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The partitions whose places are to be asked for. Told once.
    pub(super) fn awaiting_position(&self) -> Vec<AwaitingPosition> {
        let mut state = self.state();
        let assigned = state.partitions.iter_mut();
        assigned.filter(|(_, assigned)| matches!(assigned.state, PartitionState::AwaitingPosition))
            .map(|(&partition, assigned)| {
                assigned.state = PartitionState::LookingUp;
                AwaitingPosition {
                    partition,
                    assignment: assigned.assignment,
                }
            })
            .collect()
    }

    /// Where a partition is to be read from. `None` if nobody could say: it is asked for again.
    /// Returns whether that is still of interest.
    pub(super) fn position_found(&self, asked: AwaitingPosition, lookup: Option<ResumeLookup>) -> bool {
        let mut state = self.state();
        let Some(assigned) = state.partitions.get_mut(&asked.partition) else {
            return false;
        };
        // It was away and came back meanwhile, or somebody sought in it: what was asked before does
        // not count.
        if assigned.assignment != asked.assignment || !matches!(assigned.state, PartitionState::LookingUp) {
            return false;
        }
        assigned.state = match lookup {
            None => PartitionState::AwaitingPosition,
            Some(ResumeLookup { at, committed }) => {
                assigned.committed = committed;
                // Whoever was here before may have applied more than was committed; without this the
                // lag would say so until the next record.
                assigned.note_applied(at.next);
                PartitionState::starting_at(at)
            }
        };
        state.wake_reader();
        true
    }

    pub(super) fn holds(&self, partition: Partition) -> bool {
        self.state().partitions.contains_key(&partition)
    }

    /// Reads a partition from somewhere else, if it is the member's.
    pub(super) fn seek(&self, partition: Partition, to: Offset) {
        let mut state = self.state();
        if let Some(assigned) = state.partitions.get_mut(&partition) {
            assigned.state = PartitionState::starting_at(Progress::at(to));
            let weight = assigned.clear_prefetched();
            state.prefetched -= weight;
        }
        state.wake_reader();
    }

    /// The next batch, if there is one, of the partitions in turn.
    pub(super) fn take(&self, max_ballots: usize) -> Result<Option<LogBatch>, PortError> {
        let mut state = self.state();
        let Some(turn) = state.next_to_serve() else {
            let Some(failure) = state.failure.take() else {
                return Ok(None);
            };
            state.forget_positions();
            return Err(failure);
        };
        let assigned = state.partitions.get_mut(&turn).expect("its turn has come");
        let (batch, weight) = assigned.take(turn, max_ballots);
        state.last_served = Some(turn);
        state.prefetched -= weight;
        state.wake_reader();
        Ok(Some(batch))
    }

    /// Notes what is to be committed, if that is news and the partition is the member's: what comes
    /// late must not undo what its new reader did.
    pub(super) fn commit(&self, partition: Partition, next: Offset) {
        if let Some(assigned) = self.state().partitions.get_mut(&partition) {
            assigned.note_applied(next);
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
    fn remove(&mut self, partition: Partition) -> Option<AssignedPartition> {
        let mut assigned = self.partitions.remove(&partition)?;
        self.prefetched -= assigned.clear_prefetched();
        Some(assigned)
    }

    /// Has all places asked for anew: what was read and not taken in leaves a gap.
    fn forget_positions(&mut self) {
        for assigned in self.partitions.values_mut() {
            // What was asked before does not count.
            self.assignment_count += 1;
            assigned.assignment = self.assignment_count;
            assigned.state = PartitionState::AwaitingPosition;
        }
    }

    /// The partition with a batch that comes behind the one that was served last.
    fn next_to_serve(&self) -> Option<Partition> {
        let behind = self.last_served.map_or(Bound::Unbounded, Bound::Excluded);
        let after = self.partitions.range((behind, Bound::Unbounded));
        let mut waiting = after.chain(&self.partitions).filter(|(_, assigned)| assigned.has_batch());
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
