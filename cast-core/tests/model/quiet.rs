//! What a state ends in once nothing fails any more and there are no votes.
//!
//! Liveness is looked for in this way, and not with the checker's own `eventually`, which is sound
//! only where no two paths meet. From *every* state that is reached, the consumers that are there go
//! on until nothing is left for them, and tallies are read once they are old: what must come about
//! *eventually* has come about then, or never will.

use super::{
    Cast,
    bag::Bag,
    fold::read,
    state::{CANDIDATES, Consumer, PARTITIONS, Stage, State},
};

/// More rounds than any drain takes: each consumer reads to the end at most twice, once for a store
/// that was restored.
const ROUNDS: usize = 32;

impl Cast {
    /// The log is folded by the consumers that are there; by a new one in a partition that has none.
    /// All that they reconcile is lost, as it may be.
    pub(crate) fn drained(&self, state: &State) -> State {
        let checkpoints = Bag::EMPTY;
        let mut quiet = State {
            checkpoints,
            ..*state
        };
        for partition in 0..PARTITIONS {
            let here = |consumer: &Consumer| consumer.partition() == partition;
            quiet.consumers = state.consumers.only(here);
            if quiet.consumers.is_empty() {
                self.join(&mut quiet, partition);
            }
            self.drain(&mut quiet);
        }
        quiet.consumers = state.consumers;
        quiet
    }

    fn drain(&self, quiet: &mut State) {
        for _ in 0..ROUNDS {
            let (consumers, mut progressed) = (quiet.consumers, false);
            for consumer in consumers.iter() {
                progressed |= self.go_on(quiet, consumer);
                quiet.checkpoints = Bag::EMPTY;
            }
            if !progressed {
                return;
            }
        }
    }

    /// Lets a consumer do what is next; whether there is anything.
    fn go_on(&self, quiet: &mut State, consumer: Consumer) -> bool {
        match consumer {
            Consumer::Holding { .. } => self.apply(quiet, consumer),
            Consumer::Waiting { partition, at } => match quiet.log[partition].end() - at {
                0 if at <= quiet.store.progress[partition] => return false,
                0 => self.look_back(quiet, consumer),
                all => read(quiet, consumer, all),
            },
        }
        true
    }

    /// Reads each tally as one that is old, and tells whether what is shown is what the store has;
    /// also after all that was on its way from `state` to the counter has come late.
    pub(crate) fn is_refreshed(&self, state: &State, quiet: &State) -> bool {
        let mut refreshed = *quiet;
        for candidate in 0..CANDIDATES {
            let stored = refreshed.store.whole(&self.scope, candidate);
            self.reconcile(&mut refreshed, stored);
        }
        let shows_the_store = |refreshed: &State| {
            (0..CANDIDATES).all(|candidate| {
                let stored = refreshed.store.counted().of(self.scope.voters[candidate]);
                refreshed.counter[candidate].shown() == stored
            })
        };
        if !shows_the_store(&refreshed) {
            return false;
        }
        for record in state.records.iter() {
            if matches!(record.stage, Stage::Logged { .. } | Stage::Late { .. }) {
                self.record(&mut refreshed, record, [true; CANDIDATES]);
            }
        }
        for checkpoint in state.checkpoints.iter() {
            self.reconcile(&mut refreshed, checkpoint);
        }
        shows_the_store(&refreshed)
    }
}

/// Whether the store has all that the log has.
pub(crate) fn is_at_the_end(state: &State) -> bool {
    let (logs, store) = (&state.log, &state.store);
    (0..PARTITIONS).all(|partition| store.progress[partition] == logs[partition].end())
}
