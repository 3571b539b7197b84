//! What becomes of a state once nothing fails any more and nobody votes.
//!
//! Liveness is looked for in this way, and not with the checker's own `eventually`, which is sound
//! only where no two paths meet. From *every* state that is reached, the consumers that are there go
//! on until nothing is left for them, and tallies are read once they are old: what must come about
//! *eventually* has come about then, or never will.

use super::{
    Cast,
    bag::Bag,
    scope::Mechanism,
    state::{CANDIDATES, Consumer, IN_FLIGHT, PARTITIONS, Stage, State},
};

/// More rounds than any drain takes: each consumer reads to the end at most twice, once for a store
/// that was put back.
const ROUNDS: usize = 32;

impl Cast {
    /// The log is folded by the consumers that are there; by a new one where there is none. All that
    /// they settle is lost, as it may be.
    pub(crate) fn drained(&self, state: &State) -> State {
        let mut quiet = State {
            settlements: Bag::EMPTY,
            ..*state
        };
        for partition in 0..PARTITIONS {
            let mut consumers: Bag<Consumer, IN_FLIGHT> = Bag::EMPTY;
            let here = state
                .consumers
                .iter()
                .filter(|c| c.partition() == partition);
            here.for_each(|consumer| consumers.add(consumer));
            quiet.consumers = consumers;
            if consumers.len() == 0 {
                self.join(&mut quiet, partition);
            }
            self.drain(&mut quiet);
        }
        quiet
    }

    fn drain(&self, quiet: &mut State) {
        for _ in 0..ROUNDS {
            let before = *quiet;
            for consumer in before.consumers.iter() {
                self.go_on(quiet, consumer);
            }
            quiet.settlements = Bag::EMPTY;
            if *quiet == before {
                return;
            }
        }
    }

    fn go_on(&self, quiet: &mut State, consumer: Consumer) {
        match consumer {
            Consumer::Holding { .. } => self.apply(quiet, consumer),
            Consumer::Waiting { partition, at } => match quiet.log[partition].end() - at {
                0 => self.look_back(quiet, consumer),
                all => self.read(quiet, consumer, all),
            },
        }
    }

    /// Whether the store has all that the log has.
    pub(crate) fn is_resumed(&self, quiet: &State) -> bool {
        (0..PARTITIONS).all(|partition| {
            let (log, store) = (&quiet.log[partition], &quiet.store);
            let at_the_end = self.lacks(Mechanism::Fence) || store.progress[partition] == log.end();
            at_the_end
                && log
                    .votes(0, log.end())
                    .ballots()
                    .without(store.counted().ballots())
                    .is_empty()
        })
    }

    /// Reads each tally as one that is old, and tells whether what is shown is what the store has;
    /// also after all that was on its way from `state` to the counter has come late.
    pub(crate) fn is_healed(&self, state: &State, quiet: &State) -> bool {
        let mut healed = *quiet;
        for candidate in 0..CANDIDATES {
            let stored = healed.store.whole(&self.scope, candidate);
            self.settle(&mut healed, stored);
        }
        let shows_the_store = |healed: &State| {
            (0..CANDIDATES).all(|candidate| {
                let stored = healed.store.counted().of(self.scope.voters[candidate]);
                healed.counter[candidate].shown() == stored
            })
        };
        if !shows_the_store(&healed) {
            return false;
        }
        for record in state.records.iter() {
            if matches!(record.stage, Stage::Logged { .. } | Stage::Late { .. }) {
                self.record(&mut healed, record, [true; CANDIDATES]);
            }
        }
        for settlement in state.settlements.iter() {
            self.settle(&mut healed, settlement);
        }
        shows_the_store(&healed)
    }
}
