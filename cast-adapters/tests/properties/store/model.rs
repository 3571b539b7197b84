//! The contract of the store as a function of the steps that were applied.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use cast_core::{
    domain::{
        AppliedTotal, BallotId, Candidate, Fate, FoldStep, LogFingerprint, LogPosition, Offset,
        Partition, PositionedBallot, Rejection, StoredTally, Tally, Unreadable, Version, sum_votes,
    },
    ports::{Applied, Recounted, StoredBallot},
};
use proptest::{collection::vec, prelude::*};
use proptest_state_machine::ReferenceStateMachine;

use crate::small;

/// So small that some steps are beyond it.
pub(super) const LARGEST_TOTAL: u64 = 300;

/// What is at an offset.
pub(super) type Content = Result<Vec<Entry>, Unreadable>;

/// A ballot of a record, and whether the consumer rejects it.
pub(super) type Entry = (cast_core::domain::LoggedBallot, bool);

/// What can happen to a store. A step is that of `len` records from `start` on, where the store is
/// there or not.
#[derive(Clone, Debug)]
pub(super) enum Step {
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
    Restore,
}

/// A log, and which steps of it were applied to a store whose largest total is `LARGEST`: all else follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Model<const LARGEST: u64 = LARGEST_TOTAL> {
    pub(super) log: BTreeMap<Partition, Vec<Content>>,
    /// In the order in which they were.
    pub(super) applied: Vec<FoldStep>,
    pub(super) backup: Vec<FoldStep>,
    /// What the last step is to be answered with.
    pub(super) expected: Option<Answer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Applied(Applied),
    DryRun,
    Corrupt,
}

impl<const LARGEST: u64> Model<LARGEST> {
    pub(super) fn step(&self, partition: Partition, start: u64, len: u64) -> FoldStep {
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

    pub(super) fn last_ballot(&self, partition: Partition) -> Option<LogFingerprint> {
        let steps = self.applied.iter();
        let of_it = steps.filter(|step| step.partition == partition);
        of_it.filter_map(FoldStep::fingerprint).next_back()
    }

    pub(super) fn progress(&self, partition: Partition) -> Offset {
        let steps = self
            .applied
            .iter()
            .filter(|step| step.partition == partition);
        steps.map(|step| step.next).next_back().unwrap_or_default()
    }

    pub(super) fn folded(&self) -> BTreeSet<Partition> {
        self.applied.iter().map(|step| step.partition).collect()
    }

    /// Each counted ballot where it was first applied, in order.
    pub(super) fn counted(&self) -> Vec<(LogPosition, &PositionedBallot)> {
        let mut seen = BTreeSet::new();
        let all = self
            .applied
            .iter()
            .flat_map(|step| step.ballots.iter().map(|b| (step.position(b.offset), b)));
        all.filter(|(_, placed)| seen.insert(placed.ballot.id))
            .collect()
    }

    pub(super) fn total(&self, candidate: &Candidate, partition: Partition) -> u64 {
        let counted = self
            .counted()
            .into_iter()
            .filter(|(at, _)| at.partition == partition);
        let sums = sum_votes(counted.map(|(_, placed)| &placed.ballot));
        sums.get(candidate).copied().unwrap_or(0)
    }

    /// What applying the step to a store that is at its start gives, and the model behind it.
    pub(super) fn after(&self, step: &FoldStep) -> Result<(Applied, Self), ()> {
        let mut after = self.clone();
        after.applied.push(step.clone());
        let total = |who: Candidate| {
            let total = after.total(&who, step.partition);
            (who, total)
        };
        let totals: Vec<_> = step.candidates().into_iter().map(total).collect();
        if totals.iter().any(|(_, total)| *total > LARGEST) {
            return Err(());
        }
        let counted = after.counted().len() - self.counted().len();
        Ok((Applied::Folded { totals, counted }, after))
    }

    pub(super) fn tally(&self, candidate: &Candidate) -> StoredTally {
        let total = |partition| AppliedTotal {
            partition,
            votes: self.total(candidate, partition),
            as_of: self.progress(partition),
        };
        StoredTally {
            candidate: candidate.clone(),
            applied_totals: self.folded().into_iter().map(total).collect(),
        }
    }

    pub(super) fn leaders(&self, first: usize) -> Vec<Tally> {
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
                .map(|total| total.votes)
                .sum(),
            version: Version::new(version),
            candidate,
        };
        let mut leaders: Vec<_> = voted.into_iter().map(tally).collect();
        leaders.sort_by_key(|tally| (Reverse(tally.votes), tally.candidate.clone()));
        leaders.truncate(first);
        leaders
    }

    pub(super) fn stored_ballots(&self, id: BallotId) -> Option<StoredBallot> {
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
    pub(super) fn rejected_at(&self, id: BallotId) -> Option<LogPosition> {
        let rejections = self.applied.iter().flat_map(|step| {
            let of = |rejection: &&Rejection| rejection.ballot() == Some(id);
            step.rejections
                .iter()
                .filter(of)
                .map(|rejection| step.position(rejection.offset()))
        });
        rejections.into_iter().next()
    }

    pub(super) fn fate(&self, id: BallotId) -> Option<Fate> {
        self.stored_ballots(id).map(|kept| match kept {
            StoredBallot::Counted { position, .. } => Fate::Counted(position),
            StoredBallot::Rejected { position } => Fate::Rejected {
                position,
                reason: "no".into(),
            },
        })
    }

    pub(super) fn recount(&self) -> Vec<Recounted> {
        let each = small::candidates().into_iter().flat_map(|candidate| {
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

pub(super) fn content() -> impl Strategy<Value = Content> {
    let entry = (small::ballot(), prop::bool::weighted(0.1));
    let unreadable = Unreadable {
        bytes: (*b"?").into(),
        reason: "no record".into(),
    };
    prop_oneof![9 => vec(entry, 1..4).prop_map(Ok), 1 => Just(Err(unreadable))]
}

impl<const LARGEST: u64> ReferenceStateMachine for Model<LARGEST> {
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
            1 => Just(Step::Restore),
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
            Step::BackUp | Step::Restore => true,
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
            Step::Restore => model.applied.clone_from(&model.backup),
        }
        model
    }
}
