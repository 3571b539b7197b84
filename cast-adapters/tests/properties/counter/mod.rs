//! The counter, compared with its contract; and its tallies, however votes arrive.

mod model;

use std::{collections::BTreeMap, fmt, sync::Arc};

use cast_adapters::memory::MemoryCounter;
use cast_core::{
    domain::{
        AppliedTotal, Candidate, Clock, LogPosition, LoggedBallot, Offset, Partition, sum_votes,
    },
    ports::{Checkpoint, PendingVotes, Reading, VoteCounter},
};
use cast_testkit::{ManualClock, properties};
use proptest::{collection::vec, prelude::*, sample::Index};
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use self::model::{Model, Step};
use crate::small;

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

    fn record(&self, pending: &[PendingVotes], show: &[Candidate]) -> Vec<Reading> {
        let recorded = self.runtime.block_on(self.counter.record(pending, show));
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
            .entries(self.read(&small::candidates()))
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
            Step::Record(pending, show) => counting.record(&pending, &show),
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
        let candidates = small::candidates();
        let expected: Vec<_> = candidates
            .iter()
            .map(|candidate| model.reading(candidate))
            .collect();
        assert_eq!(counting.read(&candidates), expected);
        let reconciled = counting
            .runtime
            .block_on(counting.counter.applied_totals(&candidates));
        let expected: Vec<_> = candidates
            .iter()
            .map(|candidate| model.applied_totals(candidate))
            .collect();
        assert_eq!(reconciled.expect("answered"), expected);
    }
}

prop_state_machine! {
    #![proptest_config(properties::config(128))]

    #[test]
    fn its_readings_follow_from_its_calls(sequential 1..40 => Counting);
}

/// The ballots of some flushes, each in a partition, as pending votes at their positions.
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

fn pending_of((position, ballots): &(LogPosition, Vec<LoggedBallot>)) -> PendingVotes {
    PendingVotes {
        position: *position,
        votes: sum_votes(ballots).into_iter().collect(),
    }
}

/// The applied totals of all candidates in a partition, up to `as_of`.
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
    small::candidates().into_iter().map(of).collect()
}

/// A step of the test: a flush is recorded, or an applied total is reconciled.
#[derive(Clone, Debug)]
enum TestStep {
    Record(Index),
    Reconcile(Partition, Index),
}

fn votes_of(counting: &Counting) -> Vec<u64> {
    let readings = counting.read(&small::candidates());
    readings.iter().map(|reading| reading.tally.votes).collect()
}

proptest! {
    #![proptest_config(properties::config(128))]

    #[test]
    fn tallies_are_the_sum_however_ballots_fall_into_flushes_and_calls(
        flushes in flushes(), order in vec(any::<Index>(), 0..20), calls in 1..4_usize
    ) {
        let counting = Counting::new();
        let mut pending: Vec<PendingVotes> = flushes.iter().map(pending_of).collect();
        // In any order, some of them twice.
        pending.extend(order.iter().map(|at| at.get(&pending).clone()).collect::<Vec<_>>());
        for (at, with) in order.iter().enumerate() {
            let (at, with) = (at % pending.len(), with.index(pending.len()));
            pending.swap(at, with);
        }
        for call in pending.chunks(calls) {
            counting.record(call, &[]);
        }
        let sums = sum_votes(flushes.iter().flat_map(|(_, ballots)| ballots));
        let expected: Vec<u64> = small::candidates().iter().map(|candidate| sums.get(candidate).copied().unwrap_or(0)).collect();
        prop_assert_eq!(votes_of(&counting), expected);
    }

    #[test]
    fn a_log_that_is_recorded_shows_whole_whatever_is_reconciled_of_it_and_when(
        flushes in flushes(),
        steps in vec(prop_oneof![
            any::<Index>().prop_map(TestStep::Record),
            (small::partition(), any::<Index>()).prop_map(|(p, at)| TestStep::Reconcile(p, at)),
        ], 0..20)
    ) {
        let counting = Counting::new();
        let all: Vec<PendingVotes> = flushes.iter().map(pending_of).collect();
        let end = |partition| flushes.iter().filter(|(at, _)| at.partition == partition).count();
        let run = |run: &TestStep| match run {
            TestStep::Record(at) => drop(counting.record(std::slice::from_ref(at.get(&all)), &[])),
            TestStep::Reconcile(partition, at) => {
                let as_of = Offset::new(at.index(end(*partition) + 1) as u64);
                counting.reconcile(&checkpoints(&flushes, *partition, as_of));
            }
        };
        // Some before the log is recorded, all of them (again) behind it.
        steps.iter().step_by(2).for_each(&run);
        counting.record(&all, &[]);
        let sums = sum_votes(flushes.iter().flat_map(|(_, ballots)| ballots));
        let expected: Vec<u64> = small::candidates().iter().map(|candidate| sums.get(candidate).copied().unwrap_or(0)).collect();
        prop_assert_eq!(&votes_of(&counting), &expected);
        for step in steps.iter().rev() {
            run(step);
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
            counting.record(&flushes.iter().map(pending_of).collect::<Vec<_>>(), &[]);
            orders.iter().copied().flatten().for_each(|reconciled| counting.reconcile(reconciled));
            let reconciled = counting.runtime.block_on(counting.counter.applied_totals(&small::candidates()));
            (counting.read(&small::candidates()), reconciled.expect("answered"))
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
