//! The partitions that are assigned to a member, with their positions and prefetched records.

use std::{collections::BTreeMap, ops::Bound, thread::Thread};

use cast_core::{
    domain::{LogBatch, LogFingerprint, Offset, Partition, Progress},
    ports::PortError,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::partition::{AssignedPartition, BufferSize, PartitionState, PrefetchedRecord};

/// The partitions that are assigned to a member, shared by its reading thread, which adds the records
/// that it reads, and its subscription, which takes batches.
///
/// Architecture invariant: the lock is held for a few memory accesses. Neither side waits for the other
/// while it holds the lock, and the thread keeps polling whatever the subscription does.
pub(super) struct Assignments {
    /// How much is prefetched.
    limit: BufferSize,
    state: Mutex<State>,
    /// Wakes the subscription.
    changed: Notify,
}

#[derive(Default)]
struct State {
    partitions: BTreeMap<Partition, AssignedPartition>,
    /// How many assignments this member has had.
    assignment_count: u64,
    /// The partition of the last batch. The next batch is of a later partition, so that none starves.
    last_served: Option<Partition>,
    /// The size of all prefetched records.
    prefetched: BufferSize,
    /// The subscription returns it after all records that were read before. Until then no record is
    /// added: it might come after a gap.
    failure: Option<PortError>,
    /// The reading thread, while it runs.
    reader: Option<Thread>,
    is_closing: bool,
}

/// A partition whose position must be looked up in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AwaitingPosition {
    pub(super) partition: Partition,
    pub(super) assignment: u64,
}

/// The result of the lookup: the store's position, and the offset that the group has committed.
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
}

/// The reading thread's side.
impl Assignments {
    /// Registers the reading thread, so that it can be woken.
    pub(super) fn begin(&self, reader: Thread) {
        self.state.lock().reader = Some(reader);
    }

    /// Called when the reading thread ends, also by a panic.
    pub(super) fn end(&self, because: PortError) {
        let mut state = self.state.lock();
        state.reader = None;
        state.partitions.clear();
        state.prefetched = BufferSize::default();
        state.failure.get_or_insert(because);
        drop(state);
        self.changed.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.state.lock().is_closing
    }

    /// Adds partitions that the group has assigned to this member.
    pub(super) fn assign(&self, partitions: &[Partition]) {
        let mut state = self.state.lock();
        for &partition in partitions {
            state.remove(partition);
            state.assignment_count += 1;
            let assigned = AssignedPartition::new(state.assignment_count);
            state.partitions.insert(partition, assigned);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Removes partitions that the group has revoked, with their prefetched records. Returns the offsets
    /// that are still to be committed.
    pub(super) fn revoke(&self, partitions: &[Partition]) -> Vec<(Partition, Offset)> {
        let mut state = self.state.lock();
        let removed = partitions.iter().filter_map(|&partition| {
            let assigned = state.remove(partition)?;
            Some((partition, assigned.to_commit?))
        });
        removed.collect()
    }

    /// The offsets at which the thread must start, or restart, to read partitions, each returned once.
    pub(super) fn take_read_starts(&self) -> Vec<(Partition, Offset)> {
        let mut state = self.state.lock();
        let assigned = state.partitions.iter_mut();
        assigned
            .filter_map(|(&partition, assigned)| match &mut assigned.state {
                PartitionState::Positioned {
                    next,
                    fingerprint,
                    not_started,
                    ..
                } => {
                    let at = fingerprint.map_or(*next, |fingerprint| fingerprint.offset);
                    std::mem::take(not_started).then_some((partition, at))
                }
                PartitionState::AwaitingPosition | PartitionState::LookingUp => None,
            })
            .collect()
    }

    /// Adds a record if it is the next one of its partition. Fails if the log does not have the store's
    /// last ballot where the store applied it.
    pub(super) fn push(
        &self,
        partition: Partition,
        record: PrefetchedRecord,
    ) -> Result<(), LogFingerprint> {
        let mut state = self.state.lock();
        let is_failing = state.failure.is_some();
        let Some(assigned) = state.partitions.get_mut(&partition).filter(|_| !is_failing) else {
            return Ok(());
        };
        let weight = assigned.push(record)?;
        state.prefetched += weight;
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Whether the thread must pause.
    pub(super) fn is_full(&self) -> bool {
        let prefetched = self.state.lock().prefetched;
        prefetched.bytes >= self.limit.bytes || prefetched.ballots >= self.limit.ballots
    }

    /// Whether a paused thread may continue: when half of the buffer is free, so that it does not pause
    /// and resume with each batch.
    pub(super) fn has_room(&self) -> bool {
        let prefetched = self.state.lock().prefetched;
        prefetched.bytes <= self.limit.bytes / 2 && prefetched.ballots <= self.limit.ballots / 2
    }

    /// The offsets to commit, each returned once.
    pub(super) fn to_commit(&self) -> Vec<(Partition, Offset)> {
        let mut state = self.state.lock();
        let assigned = state.partitions.iter_mut();
        assigned
            .filter_map(|(&partition, assigned)| Some((partition, assigned.to_commit.take()?)))
            .collect()
    }

    /// Ends the reading with an error that the subscription returns. If the subscription is used after
    /// that, it resumes at the store's positions.
    pub(super) fn fail(&self, error: PortError) {
        self.state.lock().failure.get_or_insert(error);
        self.changed.notify_one();
    }
}

/// The subscription's side.
impl Assignments {
    /// Waits until there may be a batch, an error, or a position to look up.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The partitions whose positions must be looked up, each returned once.
    pub(super) fn awaiting_position(&self) -> Vec<AwaitingPosition> {
        let mut state = self.state.lock();
        let assigned = state.partitions.iter_mut();
        assigned
            .filter(|(_, assigned)| matches!(assigned.state, PartitionState::AwaitingPosition))
            .map(|(&partition, assigned)| {
                assigned.state = PartitionState::LookingUp;
                AwaitingPosition {
                    partition,
                    assignment: assigned.assignment,
                }
            })
            .collect()
    }

    /// Takes the result of a lookup; after `None`, a failure, the position is looked up again. Returns
    /// whether the partition still waits for it.
    pub(super) fn position_found(
        &self,
        asked: AwaitingPosition,
        lookup: Option<ResumeLookup>,
    ) -> bool {
        let mut state = self.state.lock();
        let Some(assigned) = state.partitions.get_mut(&asked.partition) else {
            return false;
        };
        // The partition was revoked and assigned again meanwhile, or the consumer sought in it: the
        // result is outdated.
        if assigned.assignment != asked.assignment
            || !matches!(assigned.state, PartitionState::LookingUp)
        {
            return false;
        }
        assigned.state = match lookup {
            None => PartitionState::AwaitingPosition,
            Some(ResumeLookup { at, committed }) => {
                assigned.committed = committed;
                // The previous consumer may have applied more than it committed. Without this the lag
                // metric would be wrong until the next record.
                assigned.note_applied(at.next);
                PartitionState::starting_at(at)
            }
        };
        state.wake_reader();
        true
    }

    pub(super) fn holds(&self, partition: Partition) -> bool {
        self.state.lock().partitions.contains_key(&partition)
    }

    /// Continues a partition at another offset, if it is assigned to this member.
    pub(super) fn seek(&self, partition: Partition, to: Offset) {
        let mut state = self.state.lock();
        if let Some(assigned) = state.partitions.get_mut(&partition) {
            assigned.state = PartitionState::starting_at(Progress::at(to));
            let weight = assigned.clear_prefetched();
            state.prefetched -= weight;
        }
        state.wake_reader();
    }

    /// The next batch, if there is one; round robin over the partitions.
    pub(super) fn take(&self, max_ballots: usize) -> Result<Option<LogBatch>, PortError> {
        let mut state = self.state.lock();
        let Some(partition) = state.next_to_serve() else {
            let Some(failure) = state.failure.take() else {
                return Ok(None);
            };
            state.forget_positions();
            return Err(failure);
        };
        let assigned = state.partitions.get_mut(&partition);
        let (batch, size) = assigned
            .expect("a partition to serve is assigned")
            .take(partition, max_ballots);
        state.last_served = Some(partition);
        state.prefetched -= size;
        state.wake_reader();
        Ok(Some(batch))
    }

    /// Notes an offset to commit, if it is higher than the last one and the partition is still assigned
    /// to this member: a late commit must not overwrite one of the next consumer.
    pub(super) fn commit(&self, partition: Partition, next: Offset) {
        if let Some(assigned) = self.state.lock().partitions.get_mut(&partition) {
            assigned.note_applied(next);
        }
    }

    /// Makes the reading thread leave the group.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
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

    /// Makes all positions be looked up again: the records that were read and not added leave a gap.
    fn forget_positions(&mut self) {
        for assigned in self.partitions.values_mut() {
            // Results of earlier lookups are outdated.
            self.assignment_count += 1;
            assigned.assignment = self.assignment_count;
            assigned.state = PartitionState::AwaitingPosition;
        }
    }

    /// The first partition with a batch after the one that was served last.
    fn next_to_serve(&self) -> Option<Partition> {
        let last = self.last_served.map_or(Bound::Unbounded, Bound::Excluded);
        let after = self.partitions.range((last, Bound::Unbounded));
        let mut waiting = after
            .chain(&self.partitions)
            .filter(|(_, assigned)| assigned.has_batch());
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
