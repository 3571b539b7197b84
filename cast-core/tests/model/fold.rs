//! The steps after a vote: read, apply, reconcile, refresh.

use super::{
    Cast,
    scope::Mechanism,
    state::{AppliedTotal, Checkpoint, Consumer, Count, Offset, PARTITIONS, State},
    votes::{Ballots, Votes},
};

impl Cast {
    /// Where a consumer that is given a partition reads on.
    pub(crate) fn resume_from(&self, state: &State, partition: usize) -> Offset {
        if self.lacks(Mechanism::ProgressInStore) {
            state.committed[partition]
        } else {
            state.store.progress[partition]
        }
    }

    pub(crate) fn join(&self, state: &mut State, partition: usize) {
        let at = self.resume_from(state, partition);
        state.consumers.add(Consumer::Waiting { partition, at });
    }

    /// A waiting consumer asks the store whether it was restored.
    pub(crate) fn look_back(&self, state: &mut State, consumer: Consumer) {
        let Consumer::Waiting { partition, at } = consumer else {
            unreachable!("only who waits looks back");
        };
        let progress = state.store.progress[partition];
        let lacks = self.lacks(Mechanism::LookBack) || self.lacks(Mechanism::ProgressInStore);
        if progress < at && !lacks {
            let waiting = Consumer::Waiting {
                partition,
                at: progress,
            };
            state.consumers.replace(consumer, waiting);
        }
    }

    /// One transaction of the store, and what its consumer makes of the answer.
    pub(crate) fn apply(&self, state: &mut State, consumer: Consumer) {
        let Consumer::Holding {
            partition,
            start,
            next,
        } = consumer
        else {
            unreachable!("only who holds a batch applies it");
        };
        let progress = state.store.progress[partition];
        let mut on = Consumer::Waiting {
            partition,
            at: next,
        };
        if progress == start || self.lacks(Mechanism::Fence) {
            self.fold(state, partition, start, next);
            for candidate in self.named(state, partition, start, next) {
                self.send(state, self.part(state, candidate, partition));
            }
            self.commit(state, partition, next);
        } else if self.lacks(Mechanism::ProgressInStore) {
            // Fenced, and the progress is not known: another consumer must have applied it.
            self.commit(state, partition, next);
        } else if progress < start {
            // The store was restored, and so is the reader.
            on = Consumer::Waiting {
                partition,
                at: progress,
            };
        } else if progress < next {
            on = Consumer::Holding {
                partition,
                start: progress,
                next,
            };
        } else {
            for candidate in self.named(state, partition, start, next) {
                self.send(state, state.store.whole(&self.scope, candidate));
            }
            on = Consumer::Waiting {
                partition,
                at: progress,
            };
        }
        state.consumers.replace(consumer, on);
    }

    fn fold(&self, state: &mut State, partition: usize, start: Offset, next: Offset) {
        for ballots in state.log[partition].between(start, next) {
            let known = if self.lacks(Mechanism::Dedup) {
                Ballots::NONE
            } else {
                state.store.counted().ballots()
            };
            let total = &mut state.store.totals[partition];
            *total = total.plus(Votes::once(ballots.without(known)));
        }
        state.store.progress[partition] = next;
    }

    fn named(
        &self,
        state: &State,
        partition: usize,
        start: Offset,
        next: Offset,
    ) -> impl Iterator<Item = usize> + use<'_> {
        let ballots = state.log[partition].votes(start, next).ballots();
        self.scope.selected(ballots)
    }

    /// What applying a step says of a candidate: its partition's total, and nothing of others.
    fn part(&self, state: &State, candidate: usize, partition: usize) -> Checkpoint {
        let mut checkpoint = state.store.whole(&self.scope, candidate);
        for other in (0..PARTITIONS).filter(|other| *other != partition) {
            checkpoint.applied_totals[other] = None;
        }
        checkpoint
    }

    /// A checkpoint is on its way, or lost.
    fn send(&self, state: &mut State, checkpoint: Checkpoint) {
        if state.checkpoints.len() < self.scope.checkpoints {
            state.checkpoints.add(checkpoint);
        }
    }

    fn commit(&self, state: &mut State, partition: usize, next: Offset) {
        // Where it decides nothing, it is not worth a state.
        if self.lacks(Mechanism::ProgressInStore) {
            let committed = &mut state.committed[partition];
            *committed = next.max(*committed);
        }
    }

    /// The counter takes over applied totals.
    pub(crate) fn reconcile(&self, state: &mut State, checkpoint: Checkpoint) {
        let Checkpoint {
            candidate,
            applied_totals,
        } = checkpoint;
        for (partition, total) in applied_totals.into_iter().enumerate() {
            let Some(AppliedTotal { as_of, votes }) = total else {
                continue;
            };
            let count = &mut state.counter[candidate].partitions[partition];
            if as_of <= count.as_of && !self.lacks(Mechanism::ReconcileIfNewer) {
                continue;
            }
            (count.as_of, count.reconciled) = (as_of, votes);
            if self.lacks(Mechanism::PendingByPosition) {
                count.pending[0] = Votes::NONE;
            } else if !self.lacks(Mechanism::PendingEverDropped) {
                count.pending[..usize::from(as_of)].fill(Votes::NONE);
            }
        }
        note_shown(state, candidate);
    }
}

pub(crate) fn read(state: &mut State, consumer: Consumer, records: u8) {
    let Consumer::Waiting { partition, at } = consumer else {
        unreachable!("only who waits reads");
    };
    let (start, next) = (at, at + records);
    let holding = Consumer::Holding {
        partition,
        start,
        next,
    };
    state.consumers.replace(consumer, holding);
}

/// What is shown may have been seen.
pub(crate) fn note_shown(state: &mut State, candidate: usize) {
    let shown = state.counter[candidate].shown().ballots();
    state.due[candidate] = state.due[candidate].and(shown);
}

pub(crate) fn forget(state: &mut State, candidate: usize) {
    state.counter[candidate] = Count::default();
    state.due[candidate] = Ballots::NONE;
}
