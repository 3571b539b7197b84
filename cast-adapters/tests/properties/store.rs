//! The store beside a fold of the log that begins anew each time it is asked.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use cast_adapters::memory::{MemoryStore, StoreOptions, StoreSnapshot};
use cast_core::{
    domain::{
        AppliedTotal, BallotId, Candidate, Fate, FoldStep, LogFingerprint, LogPosition, Offset,
        Partition, PositionedBallot, Rejection, StoredTally, Tally, Unreadable, Version, sum_votes,
    },
    ports::{Applied, PortErrorKind, Recounted, StoredBallot, VoteStore},
};
use cast_testkit::properties;
use proptest::{collection::vec, prelude::*};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use crate::small;

/// So small that some steps are beyond it.
const LARGEST_TOTAL: u64 = 300;

/// What is at an offset.
type Content = Result<Vec<Entry>, Unreadable>;

/// A ballot of a record, and whether the consumer rejects it.
type Entry = (cast_core::domain::LoggedBallot, bool);

/// What can happen to a store. A step is that of `len` records from `start` on, where the store is
/// there or not.
#[derive(Clone, Debug)]
enum Step {
    Apply {
        partition: Partition,
        start: u64,
        len: u64,
    },
    DryRun {
        partition: Partition,
        start: u64,
        len: u64,
    },
    BackUp,
    PutBack,
}

/// A log, and which steps of it were applied: all else follows.
#[derive(Clone, Debug, Default)]
struct Model {
    log: BTreeMap<Partition, Vec<Content>>,
    /// In the order in which they were.
    applied: Vec<FoldStep>,
    backup: Vec<FoldStep>,
    /// What the last step is to be answered with.
    expected: Option<Answer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Applied(Applied),
    DryRun,
    Corrupt,
}

impl Model {
    fn step(&self, partition: Partition, start: u64, len: u64) -> FoldStep {
        let log = self.log.get(&partition).map_or(&[][..], Vec::as_slice);
        let mut step = FoldStep {
            partition,
            start: Offset::new(start),
            next: Offset::new(start + len),
            ballots: vec![],
            rejections: vec![],
        };
        for (offset, content) in (0..).map(Offset::new).zip(log) {
            if offset < step.start || offset >= step.next {
                continue;
            }
            match content {
                Err(content) => step
                    .rejections
                    .push(Rejection::of_record(offset, content.clone())),
                Ok(entries) => {
                    for (ballot, is_rejected) in entries {
                        let placed = PositionedBallot {
                            offset,
                            ballot: ballot.clone(),
                        };
                        if *is_rejected {
                            step.rejections.push(Rejection::of_ballot(placed, "no"));
                        } else {
                            step.ballots.push(placed);
                        }
                    }
                }
            }
        }
        step
    }

    fn last_ballot(&self, partition: Partition) -> Option<LogFingerprint> {
        let steps = self.applied.iter();
        let of_it = steps.filter(|step| step.partition == partition);
        of_it.filter_map(FoldStep::fingerprint).next_back()
    }

    fn progress(&self, partition: Partition) -> Offset {
        let steps = self
            .applied
            .iter()
            .filter(|step| step.partition == partition);
        steps.map(|step| step.next).next_back().unwrap_or_default()
    }

    fn folded(&self) -> BTreeSet<Partition> {
        self.applied.iter().map(|step| step.partition).collect()
    }

    /// Each counted ballot where it was first applied, in order.
    fn counted(&self) -> Vec<(LogPosition, &PositionedBallot)> {
        let mut seen = BTreeSet::new();
        let all = self
            .applied
            .iter()
            .flat_map(|step| step.ballots.iter().map(|b| (step.position(b.offset), b)));
        all.filter(|(_, placed)| seen.insert(placed.ballot.id))
            .collect()
    }

    fn total(&self, candidate: &Candidate, partition: Partition) -> u64 {
        let counted = self
            .counted()
            .into_iter()
            .filter(|(at, _)| at.partition == partition);
        let sums = sum_votes(counted.map(|(_, placed)| &placed.ballot));
        sums.get(candidate).copied().unwrap_or(0)
    }

    /// What applying the step to a store that is at its start gives, and the model behind it.
    fn after(&self, step: &FoldStep) -> Result<(Applied, Self), ()> {
        let mut after = self.clone();
        after.applied.push(step.clone());
        let total = |who: Candidate| {
            let total = after.total(&who, step.partition);
            (who, total)
        };
        let totals: Vec<_> = step.candidates().into_iter().map(total).collect();
        if totals.iter().any(|(_, total)| *total > LARGEST_TOTAL) {
            return Err(());
        }
        let counted = after.counted().len() - self.counted().len();
        Ok((Applied::Folded { totals, counted }, after))
    }

    fn tally(&self, candidate: &Candidate) -> StoredTally {
        let prefix = |partition| AppliedTotal {
            partition,
            votes: self.total(candidate, partition),
            as_of: self.progress(partition),
        };
        StoredTally {
            candidate: candidate.clone(),
            applied_totals: self.folded().into_iter().map(prefix).collect(),
        }
    }

    fn leaders(&self, first: usize) -> Vec<Tally> {
        let version = self
            .folded()
            .into_iter()
            .map(|p| self.progress(p).get())
            .sum();
        let voted: BTreeSet<Candidate> =
            sum_votes(self.counted().into_iter().map(|(_, b)| &b.ballot))
                .into_keys()
                .collect();
        let tally = |candidate: Candidate| Tally {
            votes: self
                .tally(&candidate)
                .applied_totals
                .iter()
                .map(|prefix| prefix.votes)
                .sum(),
            version: Version::new(version),
            candidate,
        };
        let mut leaders: Vec<_> = voted.into_iter().map(tally).collect();
        leaders.sort_by_key(|tally| (Reverse(tally.votes), tally.candidate.clone()));
        leaders.truncate(first);
        leaders
    }

    fn stored_ballots(&self, id: BallotId) -> Option<StoredBallot> {
        let counted = self
            .counted()
            .into_iter()
            .find(|(_, placed)| placed.ballot.id == id);
        counted
            .map(|(position, placed)| StoredBallot::Counted {
                position,
                ballot: Ok(placed.ballot.clone()),
            })
            .or_else(|| {
                self.rejected_at(id)
                    .map(|position| StoredBallot::Rejected { position })
            })
    }

    /// Where the first rejection of a ballot is that was never counted.
    fn rejected_at(&self, id: BallotId) -> Option<LogPosition> {
        let rejections = self.applied.iter().flat_map(|step| {
            let of = |rejection: &&Rejection| rejection.ballot() == Some(id);
            step.rejections
                .iter()
                .filter(of)
                .map(|rejection| step.position(rejection.offset()))
        });
        rejections.into_iter().next()
    }

    fn fate(&self, id: BallotId) -> Option<Fate> {
        self.stored_ballots(id).map(|kept| match kept {
            StoredBallot::Counted { position, .. } => Fate::Counted(position),
            StoredBallot::Rejected { position } => Fate::Rejected {
                position,
                reason: "no".into(),
            },
        })
    }

    fn recount(&self) -> Vec<Recounted> {
        let each = small::everybody().into_iter().flat_map(|candidate| {
            let of = move |partition| (candidate.clone(), partition);
            self.folded().into_iter().map(of)
        });
        let counted = each.map(|(candidate, partition)| {
            let votes = self.total(&candidate, partition);
            Recounted {
                candidate,
                partition,
                votes,
                total: votes,
            }
        });
        counted.filter(|counted| counted.votes > 0).collect()
    }
}

fn content() -> impl Strategy<Value = Content> {
    let entry = (small::ballot(), prop::bool::weighted(0.1));
    let unreadable = Unreadable {
        bytes: (*b"?").into(),
        reason: "no record".into(),
    };
    prop_oneof![9 => vec(entry, 1..4).prop_map(Ok), 1 => Just(Err(unreadable))]
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let log = prop::collection::btree_map(small::partition(), vec(content(), 0..12), 1..3);
        log.prop_map(|log| Self {
            log,
            ..Self::default()
        })
        .boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Step> {
        let model = model.clone();
        let place = small::partition()
            .prop_flat_map(move |partition| {
                let progress = model.progress(partition).get();
                // Mostly where the store is; sometimes where a zombie or a reader of more is.
                let start = prop_oneof![3 => Just(progress), 1 => 0..12_u64];
                (
                    Just(partition),
                    start,
                    prop_oneof![6 => 1..5_u64, 1 => Just(0)],
                )
            })
            .boxed();
        prop_oneof![
            8 => place.clone().prop_map(|(partition, start, len)| Step::Apply { partition, start, len }),
            3 => place.prop_map(|(partition, start, len)| Step::DryRun { partition, start, len }),
            1 => Just(Step::BackUp),
            1 => Just(Step::PutBack),
        ]
        .boxed()
    }

    /// A step of no length has no ballots, whatever is at its start.
    fn preconditions(model: &Self, step: &Step) -> bool {
        match step {
            Step::Apply {
                partition,
                start,
                len,
            }
            | Step::DryRun {
                partition,
                start,
                len,
            } => *len > 0 || *start == model.progress(*partition).get(),
            Step::BackUp | Step::PutBack => true,
        }
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.expected = None;
        match *step {
            Step::Apply {
                partition,
                start,
                len,
            } => {
                let step = model.step(partition, start, len);
                let progress = model.progress(partition);
                if step.start != progress {
                    model.expected = Some(Answer::Applied(Applied::Fenced { progress }));
                    return model;
                }
                match model.after(&step) {
                    Ok((applied, mut after)) => {
                        after.expected = Some(Answer::Applied(applied));
                        return after;
                    }
                    Err(()) => model.expected = Some(Answer::Corrupt),
                }
            }
            Step::DryRun {
                partition,
                start,
                len,
            } => {
                let step = model.step(partition, start, len);
                let is_next = step.start == model.progress(partition);
                let fails = is_next && model.after(&step).is_err();
                model.expected = Some(if fails {
                    Answer::Corrupt
                } else {
                    Answer::DryRun
                });
            }
            Step::BackUp => model.backup.clone_from(&model.applied),
            Step::PutBack => model.applied.clone_from(&model.backup),
        }
        model
    }
}

/// The store in memory, and a backup of it.
struct Storing {
    runtime: Runtime,
    store: MemoryStore,
    backup: StoreSnapshot,
}

impl fmt::Debug for Storing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.store.ballots()).finish()
    }
}

impl Storing {
    fn new(largest_total: u64) -> Self {
        let store = MemoryStore::with_options(StoreOptions {
            largest_total,
            ..StoreOptions::default()
        });
        Self {
            runtime: small::runtime(),
            backup: store.snapshot(),
            store,
        }
    }

    fn apply(&self, step: &FoldStep) -> Answer {
        match self.runtime.block_on(self.store.apply(step)) {
            Ok(applied) => Answer::Applied(applied),
            Err(error) if error.kind() == PortErrorKind::Corrupt => Answer::Corrupt,
            Err(error) => panic!("{error}"),
        }
    }

    fn dry_run(&self, step: &FoldStep) -> Answer {
        match self.runtime.block_on(self.store.dry_run(step)) {
            Ok(()) => Answer::DryRun,
            Err(error) if error.kind() == PortErrorKind::Corrupt => Answer::Corrupt,
            Err(error) => panic!("{error}"),
        }
    }
}

impl StateMachineTest for Storing {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        Self::new(LARGEST_TOTAL)
    }

    fn apply(mut storing: Self, model: &Model, step: Step) -> Self {
        let answer = match step {
            Step::Apply {
                partition,
                start,
                len,
            } => Some(storing.apply(&model.step(partition, start, len))),
            Step::DryRun {
                partition,
                start,
                len,
            } => Some(storing.dry_run(&model.step(partition, start, len))),
            Step::BackUp => {
                storing.backup = storing.store.snapshot();
                None
            }
            Step::PutBack => {
                storing.store.restore(storing.backup.clone());
                None
            }
        };
        assert_eq!(answer, model.expected);
        storing
    }

    fn check_invariants(storing: &Self, model: &Model) {
        let (store, everybody) = (&storing.store, small::everybody());
        let ids: Vec<BallotId> = (0..small::BALLOTS).map(small::id).collect();
        storing.runtime.block_on(async {
            for partition in (0..small::PARTITIONS).map(Partition::new) {
                let progress = store.progress(partition).await.expect("told");
                let expected = (model.progress(partition), model.last_ballot(partition));
                assert_eq!((progress.next, progress.last), expected);
            }
            let expected: Vec<_> = everybody.iter().map(|who| model.tally(who)).collect();
            assert_eq!(store.tallies(&everybody).await.expect("told"), expected);
            for first in 0..4 {
                assert_eq!(
                    store.leaders(first).await.expect("told"),
                    model.leaders(first)
                );
            }
            for id in &ids {
                assert_eq!(
                    store.ballot(*id).await.expect("told"),
                    model.fate(*id),
                    "{id}"
                );
            }
            let kept: Vec<_> = ids.iter().map(|id| model.stored_ballots(*id)).collect();
            assert_eq!(store.stored_ballots(&ids).await.expect("told"), kept);
            let recount = store.recount().await.expect("told");
            assert_eq!(recount.counts, model.recount());
            let progress = model.folded().into_iter().map(|p| (p, model.progress(p)));
            assert_eq!(recount.progress, progress.collect::<Vec<_>>());
        });
    }
}

prop_state_machine! {
    #![proptest_config(properties::config(64))]

    #[test]
    fn it_holds_the_fold_of_what_was_applied_and_of_nothing_else(sequential 1..30 => Storing);
}

/// A log of one partition.
fn log() -> impl Strategy<Value = Model> {
    vec(content(), 1..12).prop_map(|log| Model {
        log: [(Partition::new(0), log)].into(),
        ..Model::default()
    })
}

/// Steps of a log as consumers make them that do not know of each other: some read on from where the
/// store is, some are zombies that come back with what they had read.
fn steps() -> impl Strategy<Value = Vec<(bool, u64, u64)>> {
    vec((prop::bool::weighted(0.6), 0..12_u64, 1..6_u64), 0..16)
}

proptest! {
    #![proptest_config(properties::config(256))]

    #[test]
    fn a_log_folds_to_the_same_however_it_is_cut_delivered_and_raced_for(log in log(), steps in steps()) {
        let partition = Partition::new(0);
        let len = log.log[&partition].len() as u64;
        let (once, cut) = (Storing::new(u64::MAX), Storing::new(u64::MAX));
        once.apply(&log.step(partition, 0, len));
        let progress = || cut.runtime.block_on(cut.store.progress(partition)).expect("told").next.get();
        for (is_next, elsewhere, records) in steps {
            let start = if is_next { progress() } else { elsewhere };
            if start < len {
                cut.apply(&log.step(partition, start, records.min(len - start)));
            }
        }
        cut.apply(&log.step(partition, progress(), len - progress()));
        prop_assert_eq!(progress(), len);
        prop_assert_eq!(cut.store.ballots(), once.store.ballots());
        prop_assert_eq!(cut.store.rejections(), once.store.rejections());
        let shown = |storing: &Storing| {
            let tallies = storing.runtime.block_on(storing.store.tallies(&small::everybody()));
            let recount = storing.runtime.block_on(storing.store.recount());
            (tallies.expect("told"), recount.expect("told"))
        };
        prop_assert_eq!(shown(&cut), shown(&once));
    }
}
