//! The contents of the store, and how a step of the fold changes them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use cast_core::{
    domain::{
        AppliedTotal, BallotId, Candidate, Fate, FoldStep, LogPosition, LoggedBallot, Offset,
        Partition, PositionedBallot, Progress, Rejection, StoredTally, Tally, Version, sum_votes,
    },
    ports::{Applied, PortError, StoredBallot},
};

use super::{ballots::Ballots, options::StoreOptions};

/// Everything that one transaction may change.
#[derive(Clone, Default)]
pub(super) struct State {
    progress: BTreeMap<Partition, Progress>,
    totals: HashMap<Candidate, Totals>,
    /// All candidates by votes, most first, then by name.
    ranking: BTreeSet<(Reverse<u64>, Candidate)>,
    fates: HashMap<BallotId, Known>,
    pub(super) ballots: Ballots,
    rejections: VecDeque<(Partition, Rejection)>,
    /// The ids with a rejected fate, oldest first; some may have been counted since.
    rejected: VecDeque<BallotId>,
}

/// A candidate's votes.
#[derive(Clone, Default)]
struct Totals {
    by_partition: BTreeMap<Partition, u64>,
    /// Over all partitions.
    sum: u64,
}

/// The fate of a ballot id.
#[derive(Clone)]
enum Known {
    /// The ballot of this number.
    Counted(u64),
    Rejected(LogPosition, Arc<str>),
}

/// The effect of a step, computed before anything is changed.
struct Plan<'a> {
    /// The ballots to count.
    new: Vec<&'a PositionedBallot>,
    /// The votes that they give to each candidate.
    added: BTreeMap<Candidate, u64>,
    /// The new totals of all candidates of the step.
    totals: Vec<(Candidate, u64)>,
}

impl State {
    pub(super) fn progress(&self, partition: Partition) -> Progress {
        self.progress.get(&partition).copied().unwrap_or_default()
    }

    /// Applies a step as a whole, or changes nothing.
    pub(super) fn apply(
        &mut self,
        step: &FoldStep,
        options: &StoreOptions,
    ) -> Result<Applied, PortError> {
        let before = self.progress(step.partition);
        if step.start != before.next {
            let progress = before.next;
            return Ok(Applied::Fenced { progress });
        }
        // Nothing after this can fail.
        let Plan { new, added, totals } = self.plan(step, options, "applying a step")?;
        let progress = Progress {
            next: step.next,
            last: step.fingerprint().or(before.last),
        };
        self.progress.insert(step.partition, progress);
        for (candidate, votes) in added {
            self.add(candidate, step.partition, votes);
        }
        for placed in &new {
            self.count(step.position(placed.offset), placed, options);
        }
        for rejection in &step.rejections {
            self.reject(step.position(rejection.offset()), rejection, options);
        }
        Ok(Applied::Folded {
            totals,
            counted: new.len(),
        })
    }

    /// Fails if [`apply`](Self::apply) would.
    pub(super) fn dry_run(&self, step: &FoldStep, options: &StoreOptions) -> Result<(), PortError> {
        if step.start != self.progress(step.partition).next {
            return Ok(());
        }
        self.plan(step, options, "a dry run of a step").map(drop)
    }

    fn plan<'a>(
        &self,
        step: &'a FoldStep,
        options: &StoreOptions,
        operation: &'static str,
    ) -> Result<Plan<'a>, PortError> {
        let mut in_step = HashSet::with_capacity(step.ballots.len());
        let is_new = |placed: &&PositionedBallot| {
            let id = placed.ballot.id;
            !matches!(self.fates.get(&id), Some(Known::Counted(_))) && in_step.insert(id)
        };
        let new: Vec<&PositionedBallot> = step.ballots.iter().filter(is_new).collect();
        let added = sum_votes(new.iter().map(|placed| &placed.ballot));
        let total_after = |candidate: &Candidate, votes: u64| {
            let before = self.total(candidate, step.partition);
            match before.checked_add(votes) {
                Some(total) if total <= options.largest_total => Ok((candidate.clone(), total)),
                _ => Err(PortError::corrupt(
                    operation,
                    format!(
                        "{votes} votes more for {candidate:?} would be beyond the largest total, \
                         {}",
                        options.largest_total
                    ),
                )),
            }
        };
        let totals = if new.len() == step.ballots.len() {
            // `added` has all candidates of the step.
            let each = added.iter();
            each.map(|(candidate, votes)| total_after(candidate, *votes))
                .collect::<Result<_, _>>()?
        } else {
            let votes_of = |candidate: &Candidate| added.get(candidate).copied().unwrap_or(0);
            let each = step.candidates().into_iter();
            each.map(|candidate| total_after(&candidate, votes_of(&candidate)))
                .collect::<Result<_, _>>()?
        };
        Ok(Plan { new, added, totals })
    }

    fn total(&self, candidate: &Candidate, partition: Partition) -> u64 {
        self.totals
            .get(candidate)
            .and_then(|totals| totals.by_partition.get(&partition).copied())
            .unwrap_or(0)
    }

    fn add(&mut self, candidate: Candidate, partition: Partition, votes: u64) {
        let totals = self.totals.entry(candidate.clone()).or_default();
        *totals.by_partition.entry(partition).or_default() += votes;
        let before = totals.sum;
        // The total of each partition is checked; only their sum may overflow.
        totals.sum = before.saturating_add(votes);
        let after = totals.sum;
        let mut rank = (Reverse(before), candidate);
        self.ranking.remove(&rank);
        rank.0 = Reverse(after);
        self.ranking.insert(rank);
    }

    fn count(&mut self, position: LogPosition, placed: &PositionedBallot, options: &StoreOptions) {
        let number = self.ballots.count();
        self.fates.insert(placed.ballot.id, Known::Counted(number));
        let counted = (position, placed.ballot.clone());
        for forgotten in self.ballots.push(counted, options.max_ballots) {
            self.fates.remove(&forgotten);
        }
    }

    fn reject(&mut self, position: LogPosition, rejection: &Rejection, options: &StoreOptions) {
        self.rejections
            .push_back((position.partition, rejection.clone()));
        while self.rejections.len() > options.max_rejections {
            self.rejections.pop_front();
        }
        let Some(id) = rejection.ballot() else {
            return;
        };
        // Counted takes precedence over rejected, and an earlier position over a later one.
        match self.fates.get(&id) {
            Some(Known::Counted(_)) => return,
            Some(Known::Rejected(first, _)) => {
                if first.partition != position.partition || first.offset <= position.offset {
                    return;
                }
            }
            None => self.rejected.push_back(id),
        }
        let reason = rejection.reason().into();
        self.fates.insert(id, Known::Rejected(position, reason));
        while self.rejected.len() > options.max_ballots {
            self.forget_oldest_rejected();
        }
    }

    fn forget_oldest_rejected(&mut self) {
        if let Some(id) = self.rejected.pop_front()
            && matches!(self.fates.get(&id), Some(Known::Rejected(..)))
        {
            self.fates.remove(&id);
        }
    }

    pub(super) fn tally(&self, candidate: &Candidate) -> StoredTally {
        let total = |(&partition, progress): (&Partition, &Progress)| AppliedTotal {
            partition,
            votes: self.total(candidate, partition),
            as_of: progress.next,
        };
        StoredTally {
            candidate: candidate.clone(),
            applied_totals: self.progress.iter().map(total).collect(),
        }
    }

    pub(super) fn leaders(&self, first: usize) -> Vec<Tally> {
        let as_of = self.progress.values().map(|progress| progress.next.get());
        let version = Version::new(as_of.fold(0, u64::saturating_add));
        let ranked = self.ranking.iter().take(first);
        ranked
            .map(|(Reverse(votes), candidate)| Tally {
                candidate: candidate.clone(),
                votes: *votes,
                version,
            })
            .collect()
    }

    pub(super) fn fate(&self, id: BallotId) -> Option<Fate> {
        self.fates.get(&id).map(|known| match known {
            Known::Counted(number) => Fate::Counted(self.counted(*number).0),
            Known::Rejected(position, reason) => Fate::Rejected {
                position: *position,
                reason: reason.to_string(),
            },
        })
    }

    pub(super) fn stored_ballots(&self, id: BallotId) -> Option<StoredBallot> {
        self.fates.get(&id).map(|known| match known {
            Known::Counted(number) => {
                let (position, ballot) = self.counted(*number).clone();
                StoredBallot::Counted {
                    position,
                    ballot: Ok(ballot),
                }
            }
            Known::Rejected(position, _) => StoredBallot::Rejected {
                position: *position,
            },
        })
    }

    fn counted(&self, number: u64) -> &(LogPosition, LoggedBallot) {
        let counted = self.ballots.get(number);
        counted.expect("a fate is forgotten together with its ballot")
    }

    pub(super) fn all_progress(&self) -> Vec<(Partition, Offset)> {
        self.progress.iter().map(|(p, at)| (*p, at.next)).collect()
    }

    pub(super) fn totals(&self) -> Vec<(Candidate, Partition, u64)> {
        let of = |(candidate, totals): (&Candidate, &Totals)| {
            let (candidate, by_partition) = (candidate.clone(), totals.by_partition.clone());
            let each = by_partition.into_iter();
            each.map(move |(partition, votes)| (candidate.clone(), partition, votes))
        };
        self.totals.iter().flat_map(of).collect()
    }

    pub(super) fn rejections(&self) -> Vec<(Partition, Rejection)> {
        self.rejections.iter().cloned().collect()
    }
}
