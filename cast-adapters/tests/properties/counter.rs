//! The counter beside its contract, and the tallies however votes come to it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use cast_adapters::memory::MemoryCounter;
use cast_core::{
    domain::{
        AppliedTotal, Candidate, LogPosition, LoggedBallot, Offset, Partition, Tally, Version,
        sum_votes,
    },
    ports::{Checkpoint, Clock, PendingVotes, Reading, VoteCounter},
};
use cast_testkit::{ManualClock, properties};
use proptest::{collection::vec, prelude::*, sample::Index};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use crate::small;

/// What can happen to a counter.
#[derive(Clone, Debug)]
enum Step {
    Record(Vec<PendingVotes>, Vec<Candidate>),
    Reconcile(Vec<Checkpoint>),
    Read(Vec<Candidate>),
    ForgetOne(Candidate),
    ForgetAll,
    Pass(Duration),
}

/// What a counter has been told of a candidate, since it last forgot it; in order.
#[derive(Clone, Debug)]
enum Word {
    Recorded(LogPosition, u64),
    Reconciled(Vec<AppliedTotal>),
    Whole(Duration),
}

/// The contract, read as a function of all that was ever told: what a counter shows follows from its
/// words by definition, with nothing kept up to date.
#[derive(Clone, Debug, Default)]
struct Model {
    now: Duration,
    words: BTreeMap<Candidate, Vec<Word>>,
    /// What the last step is to be answered with.
    expected: Vec<Reading>,
}

impl Model {
    fn words(&self, candidate: &Candidate) -> &[Word] {
        self.words.get(candidate).map_or(&[], Vec::as_slice)
    }

    fn tell(&mut self, candidate: &Candidate, word: Word) {
        self.words.entry(candidate.clone()).or_default().push(word);
    }

    /// Of each partition the newest prefix, of which the first that was told counts.
    fn applied_totals(&self, candidate: &Candidate) -> Vec<AppliedTotal> {
        let mut newest: BTreeMap<Partition, AppliedTotal> = BTreeMap::new();
        for word in self.words(candidate) {
            let Word::Reconciled(applied_totals) = word else {
                continue;
            };
            for prefix in applied_totals
                .iter()
                .filter(|prefix| prefix.as_of > Offset::START)
            {
                let known = newest.entry(prefix.partition).or_insert(*prefix);
                if known.as_of < prefix.as_of {
                    *known = *prefix;
                }
            }
        }
        newest.into_values().collect()
    }

    /// What was recorded first at each position that no prefix takes in.
    fn tail(&self, candidate: &Candidate) -> BTreeMap<LogPosition, u64> {
        let reconciled = self.applied_totals(candidate);
        let mut tail = BTreeMap::new();
        for word in self.words(candidate) {
            let Word::Recorded(position, votes) = word else {
                continue;
            };
            let is_in =
                |p: &AppliedTotal| p.partition == position.partition && position.offset < p.as_of;
            if !reconciled.iter().any(is_in) {
                tail.entry(*position).or_insert(*votes);
            }
        }
        tail
    }

    fn reading(&self, candidate: &Candidate) -> Reading {
        let (reconciled, tail) = (self.applied_totals(candidate), self.tail(candidate));
        let mut ends: BTreeMap<Partition, Offset> = BTreeMap::new();
        ends.extend(
            reconciled
                .iter()
                .map(|prefix| (prefix.partition, prefix.as_of)),
        );
        for position in tail.keys() {
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
                votes: reconciled.iter().map(|prefix| prefix.votes).sum::<u64>()
                    + tail.values().sum::<u64>(),
                version: Version::new(ends.values().map(|end| end.get()).sum()),
            },
            age: whole.map(|at| self.now.saturating_sub(at)),
        }
    }
}

fn position() -> impl Strategy<Value = LogPosition> {
    (small::partition(), small::offset())
        .prop_map(|(partition, offset)| LogPosition { partition, offset })
}

fn tail() -> impl Strategy<Value = PendingVotes> {
    let votes = prop::collection::btree_map(small::somebody(), 1..100_u64, 1..4);
    (position(), votes).prop_map(|(position, votes)| PendingVotes {
        position,
        votes: votes.into_iter().collect(),
    })
}

fn checkpoint() -> impl Strategy<Value = Checkpoint> {
    let applied_totals =
        prop::collection::btree_map(small::partition(), (0..1_000_u64, small::offset()), 0..3);
    (small::somebody(), applied_totals, any::<bool>()).prop_map(
        |(candidate, applied_totals, whole)| {
            let prefix = |(partition, (votes, as_of))| AppliedTotal {
                partition,
                votes,
                as_of,
            };
            Checkpoint {
                candidate,
                applied_totals: applied_totals.into_iter().map(prefix).collect(),
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
        let show = || vec(small::somebody(), 0..4);
        prop_oneof![
            6 => (vec(tail(), 0..4), show()).prop_map(|(tails, show)| Step::Record(tails, show)),
            5 => vec(checkpoint(), 0..4).prop_map(Step::Reconcile),
            2 => show().prop_map(Step::Read),
            1 => small::somebody().prop_map(Step::ForgetOne),
            1 => Just(Step::ForgetAll),
            1 => (0..5_000_u64).prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
        ]
        .boxed()
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.expected.clear();
        match step {
            Step::Record(tails, show) => {
                for tail in tails {
                    for (candidate, votes) in &tail.votes {
                        model.tell(candidate, Word::Recorded(tail.position, *votes));
                    }
                }
                model.expected = show.iter().map(|who| model.reading(who)).collect();
            }
            Step::Reconcile(checkpoints) => {
                for checkpoint in checkpoints {
                    let who = &checkpoint.candidate;
                    model.tell(who, Word::Reconciled(checkpoint.applied_totals.clone()));
                    if checkpoint.whole {
                        model.tell(who, Word::Whole(model.now));
                    }
                }
            }
            Step::Read(show) => {
                model.expected = show.iter().map(|who| model.reading(who)).collect();
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

/// The counter in memory.
struct Counting {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    counter: MemoryCounter,
}

impl Counting {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        Self {
            runtime: small::runtime(),
            counter: MemoryCounter::new(Arc::clone(&clock) as Arc<dyn Clock>),
            clock,
        }
    }

    fn record(&self, tails: &[PendingVotes], show: &[Candidate]) -> Vec<Reading> {
        let recorded = self.runtime.block_on(self.counter.record(tails, show));
        recorded.expect("recorded")
    }

    fn reconcile(&self, checkpoints: &[Checkpoint]) {
        let reconciled = self.runtime.block_on(self.counter.reconcile(checkpoints));
        reconciled.expect("reconciled");
    }

    fn read(&self, show: &[Candidate]) -> Vec<Reading> {
        self.runtime
            .block_on(self.counter.read(show))
            .expect("read")
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.read(&small::everybody()))
            .finish()
    }
}

impl StateMachineTest for Counting {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        Self::new()
    }

    fn apply(counting: Self, model: &Model, step: Step) -> Self {
        let shown = match step {
            Step::Record(tails, show) => counting.record(&tails, &show),
            Step::Reconcile(checkpoints) => {
                counting.reconcile(&checkpoints);
                vec![]
            }
            Step::Read(show) => counting.read(&show),
            Step::ForgetOne(candidate) => {
                counting.counter.forget_candidate(&candidate);
                vec![]
            }
            Step::ForgetAll => {
                counting.counter.forget();
                vec![]
            }
            Step::Pass(time) => {
                counting.clock.advance(time);
                vec![]
            }
        };
        assert_eq!(shown, model.expected);
        counting
    }

    fn check_invariants(counting: &Self, model: &Model) {
        let everybody = small::everybody();
        let expected: Vec<_> = everybody.iter().map(|who| model.reading(who)).collect();
        assert_eq!(counting.read(&everybody), expected);
        let reconciled = counting
            .runtime
            .block_on(counting.counter.applied_totals(&everybody));
        let expected: Vec<_> = everybody
            .iter()
            .map(|who| model.applied_totals(who))
            .collect();
        assert_eq!(reconciled.expect("told"), expected);
    }
}

prop_state_machine! {
    #![proptest_config(properties::config(128))]

    #[test]
    fn it_shows_what_follows_from_all_that_it_was_told(sequential 1..40 => Counting);
}

/// The ballots of some flushes, each in a partition, as tails at their positions.
fn flushes() -> impl Strategy<Value = Vec<(LogPosition, Vec<LoggedBallot>)>> {
    let flush = (small::partition(), vec(small::ballot(), 1..5));
    vec(flush, 1..10).prop_map(|flushes| {
        let mut ends: BTreeMap<Partition, Offset> = BTreeMap::new();
        let placed = flushes.into_iter().map(|(partition, ballots)| {
            let end = ends.entry(partition).or_default();
            let offset = std::mem::replace(end, end.next());
            (LogPosition { partition, offset }, ballots)
        });
        placed.collect()
    })
}

fn tail_of((position, ballots): &(LogPosition, Vec<LoggedBallot>)) -> PendingVotes {
    PendingVotes {
        position: *position,
        votes: sum_votes(ballots).into_iter().collect(),
    }
}

/// The prefix of everybody in a partition, up to `as_of`.
fn checkpoints(
    flushes: &[(LogPosition, Vec<LoggedBallot>)],
    partition: Partition,
    as_of: Offset,
) -> Vec<Checkpoint> {
    let before = flushes
        .iter()
        .filter(|(position, _)| position.partition == partition && position.offset < as_of);
    let sums = sum_votes(before.flat_map(|(_, ballots)| ballots));
    let of = |candidate: Candidate| Checkpoint {
        applied_totals: vec![AppliedTotal {
            partition,
            votes: sums.get(&candidate).copied().unwrap_or(0),
            as_of,
        }],
        candidate,
        whole: false,
    };
    small::everybody().into_iter().map(of).collect()
}

/// What is done about a log: each flush is recorded, and prefixes of it are reconciled.
#[derive(Clone, Debug)]
enum Deed {
    Record(Index),
    Reconcile(Partition, Index),
}

fn votes_of(counting: &Counting) -> Vec<u64> {
    let readings = counting.read(&small::everybody());
    readings.iter().map(|reading| reading.tally.votes).collect()
}

proptest! {
    #![proptest_config(properties::config(128))]

    #[test]
    fn tallies_are_the_sum_however_ballots_fall_into_flushes_and_calls(
        flushes in flushes(), order in vec(any::<Index>(), 0..20), calls in 1..4_usize
    ) {
        let counting = Counting::new();
        let mut tails: Vec<PendingVotes> = flushes.iter().map(tail_of).collect();
        // In any order, some of them twice.
        tails.extend(order.iter().map(|at| at.get(&tails).clone()).collect::<Vec<_>>());
        for (at, with) in order.iter().enumerate() {
            let (at, with) = (at % tails.len(), with.index(tails.len()));
            tails.swap(at, with);
        }
        for call in tails.chunks(calls) {
            counting.record(call, &[]);
        }
        let sums = sum_votes(flushes.iter().flat_map(|(_, ballots)| ballots));
        let expected: Vec<u64> = small::everybody().iter().map(|who| sums.get(who).copied().unwrap_or(0)).collect();
        prop_assert_eq!(votes_of(&counting), expected);
    }

    #[test]
    fn a_log_that_is_recorded_shows_whole_whatever_is_reconciled_of_it_and_when(
        flushes in flushes(),
        deeds in vec(prop_oneof![
            any::<Index>().prop_map(Deed::Record),
            (small::partition(), any::<Index>()).prop_map(|(p, at)| Deed::Reconcile(p, at)),
        ], 0..20)
    ) {
        let counting = Counting::new();
        let all: Vec<PendingVotes> = flushes.iter().map(tail_of).collect();
        let end = |partition| flushes.iter().filter(|(at, _)| at.partition == partition).count();
        let deed = |deed: &Deed| match deed {
            Deed::Record(at) => drop(counting.record(std::slice::from_ref(at.get(&all)), &[])),
            Deed::Reconcile(partition, at) => {
                let as_of = Offset::new(at.index(end(*partition) + 1) as u64);
                counting.reconcile(&checkpoints(&flushes, *partition, as_of));
            }
        };
        // Some before the log is recorded, all of them (again) behind it.
        deeds.iter().step_by(2).for_each(&deed);
        counting.record(&all, &[]);
        let sums = sum_votes(flushes.iter().flat_map(|(_, ballots)| ballots));
        let expected: Vec<u64> = small::everybody().iter().map(|who| sums.get(who).copied().unwrap_or(0)).collect();
        prop_assert_eq!(&votes_of(&counting), &expected);
        for step in deeds.iter().rev() {
            deed(step);
            prop_assert_eq!(&votes_of(&counting), &expected);
        }
    }

    #[test]
    fn reconciling_in_any_order_any_number_of_times_ends_the_same(
        flushes in flushes(), order in vec((small::partition(), any::<Index>()), 1..12), turned in any::<Index>()
    ) {
        let end = |partition| flushes.iter().filter(|(at, _)| at.partition == partition).count();
        let checkpoints: Vec<_> = order
            .iter()
            .map(|(partition, at)| {
                let as_of = Offset::new(at.index(end(*partition) + 1) as u64);
                checkpoints(&flushes, *partition, as_of)
            })
            .collect();
        let ends = |orders: &[&[Vec<Checkpoint>]]| {
            let counting = Counting::new();
            counting.record(&flushes.iter().map(tail_of).collect::<Vec<_>>(), &[]);
            orders.iter().copied().flatten().for_each(|reconciled| counting.reconcile(reconciled));
            let reconciled = counting.runtime.block_on(counting.counter.applied_totals(&small::everybody()));
            (counting.read(&small::everybody()), reconciled.expect("told"))
        };
        let (front, back) = checkpoints.split_at(turned.index(checkpoints.len() + 1));
        let once = ends(&[&checkpoints]);
        prop_assert_eq!(&ends(&[back, front]), &once);
        prop_assert_eq!(&ends(&[&checkpoints, &checkpoints]), &once);
        prop_assert_eq!(&ends(&[back, back, front, back]), &once);
        let reversed: Vec<_> = checkpoints.iter().rev().cloned().collect();
        prop_assert_eq!(&ends(&[&reversed]), &once);
    }
}
