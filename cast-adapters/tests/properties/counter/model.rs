//! The contract of the counter as a function of all calls.

use std::{collections::BTreeMap, time::Duration};

use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Offset, Partition, Tally, Version},
    ports::{Checkpoint, PendingVotes, Reading},
};
use proptest::{collection::vec, prelude::*};
use proptest_state_machine::ReferenceStateMachine;

use crate::small;

/// What can happen to a counter.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Record(Vec<PendingVotes>, Vec<Candidate>),
    Reconcile(Vec<Checkpoint>),
    Read(Vec<Candidate>),
    ForgetOne(Candidate),
    ForgetAll,
    Pass(Duration),
}

/// The calls about a candidate since the counter last forgot it, in order.
#[derive(Clone, Debug)]
pub(super) enum Word {
    Recorded(LogPosition, u64),
    Reconciled(Vec<AppliedTotal>),
    Whole(Duration),
}

/// The contract as a function of all calls: the readings of a counter follow from its
/// words by definition, with nothing kept up to date.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) now: Duration,
    pub(super) words: BTreeMap<Candidate, Vec<Word>>,
    /// What the last step is to be answered with.
    pub(super) expected: Vec<Reading>,
}

impl Model {
    pub(super) fn words(&self, candidate: &Candidate) -> &[Word] {
        self.words.get(candidate).map_or(&[], Vec::as_slice)
    }

    pub(super) fn log_call(&mut self, candidate: &Candidate, word: Word) {
        self.words.entry(candidate.clone()).or_default().push(word);
    }

    /// The newest applied total of each partition; the first one counts.
    pub(super) fn applied_totals(&self, candidate: &Candidate) -> Vec<AppliedTotal> {
        let mut newest: BTreeMap<Partition, AppliedTotal> = BTreeMap::new();
        for word in self.words(candidate) {
            let Word::Reconciled(applied_totals) = word else {
                continue;
            };
            for total in applied_totals
                .iter()
                .filter(|total| total.as_of > Offset::START)
            {
                let known = newest.entry(total.partition).or_insert(*total);
                if known.as_of < total.as_of {
                    *known = *total;
                }
            }
        }
        newest.into_values().collect()
    }

    /// The votes that were recorded first at each position after the applied totals.
    pub(super) fn pending(&self, candidate: &Candidate) -> BTreeMap<LogPosition, u64> {
        let reconciled = self.applied_totals(candidate);
        let mut pending = BTreeMap::new();
        for word in self.words(candidate) {
            let Word::Recorded(position, votes) = word else {
                continue;
            };
            let is_in =
                |p: &AppliedTotal| p.partition == position.partition && position.offset < p.as_of;
            if !reconciled.iter().any(is_in) {
                pending.entry(*position).or_insert(*votes);
            }
        }
        pending
    }

    pub(super) fn reading(&self, candidate: &Candidate) -> Reading {
        let (reconciled, pending) = (self.applied_totals(candidate), self.pending(candidate));
        let mut ends: BTreeMap<Partition, Offset> = BTreeMap::new();
        ends.extend(
            reconciled
                .iter()
                .map(|total| (total.partition, total.as_of)),
        );
        for position in pending.keys() {
            let end = ends.entry(position.partition).or_default();
            *end = position.offset.next().max(*end);
        }
        let whole = self
            .words(candidate)
            .iter()
            .rev()
            .find_map(|word| match word {
                Word::Whole(at) => Some(*at),
                Word::Recorded(..) | Word::Reconciled(_) => None,
            });
        Reading {
            tally: Tally {
                candidate: candidate.clone(),
                votes: reconciled.iter().map(|total| total.votes).sum::<u64>()
                    + pending.values().sum::<u64>(),
                version: Version::new(ends.values().map(|end| end.get()).sum()),
            },
            age: whole.map(|at| self.now.saturating_sub(at)),
        }
    }
}

pub(super) fn position() -> impl Strategy<Value = LogPosition> {
    (small::partition(), small::offset())
        .prop_map(|(partition, offset)| LogPosition { partition, offset })
}

pub(super) fn pending_votes() -> impl Strategy<Value = PendingVotes> {
    let votes = prop::collection::btree_map(small::candidate(), 1..100_u64, 1..4);
    (position(), votes).prop_map(|(position, votes)| PendingVotes {
        position,
        votes: votes.into_iter().collect(),
    })
}

pub(super) fn checkpoint() -> impl Strategy<Value = Checkpoint> {
    let applied_totals =
        prop::collection::btree_map(small::partition(), (0..1_000_u64, small::offset()), 0..3);
    (small::candidate(), applied_totals, any::<bool>()).prop_map(
        |(candidate, applied_totals, whole)| {
            let total = |(partition, (votes, as_of))| AppliedTotal {
                partition,
                votes,
                as_of,
            };
            Checkpoint {
                candidate,
                applied_totals: applied_totals.into_iter().map(total).collect(),
                whole,
            }
        },
    )
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        let show = || vec(small::candidate(), 0..4);
        prop_oneof![
            6 => (vec(pending_votes(), 0..4), show()).prop_map(|(records, show)| Step::Record(records, show)),
            5 => vec(checkpoint(), 0..4).prop_map(Step::Reconcile),
            2 => show().prop_map(Step::Read),
            1 => small::candidate().prop_map(Step::ForgetOne),
            1 => Just(Step::ForgetAll),
            1 => (0..5_000_u64).prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
        ]
        .boxed()
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.expected.clear();
        match step {
            Step::Record(records, show) => {
                for pending in records {
                    for (candidate, votes) in &pending.votes {
                        model.log_call(candidate, Word::Recorded(pending.position, *votes));
                    }
                }
                model.expected = show
                    .iter()
                    .map(|candidate| model.reading(candidate))
                    .collect();
            }
            Step::Reconcile(checkpoints) => {
                for checkpoint in checkpoints {
                    let candidate = &checkpoint.candidate;
                    model.log_call(
                        candidate,
                        Word::Reconciled(checkpoint.applied_totals.clone()),
                    );
                    if checkpoint.whole {
                        model.log_call(candidate, Word::Whole(model.now));
                    }
                }
            }
            Step::Read(show) => {
                model.expected = show
                    .iter()
                    .map(|candidate| model.reading(candidate))
                    .collect();
            }
            Step::ForgetOne(candidate) => {
                model.words.remove(candidate);
            }
            Step::ForgetAll => model.words.clear(),
            Step::Pass(time) => model.now += *time,
        }
        model
    }
}
