//! A store that can be broken in many ways.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryStore;
use cast_core::{
    domain::{
        BallotId, Candidate, Fate, FoldStep, LogPosition, LoggedBallot, Offset, Partition,
        PositionedBallot, Progress, Rejection, StoredTally, Tally, sum_votes,
    },
    ports::{Applied, PortError, Recount, StoredBallot, VoteStore},
};
use cast_testkit::{Seed, fixtures::Fixtures};
use tokio::task::yield_now;

use super::How;

/// The memory adapter behind something that breaks it.
pub(super) struct Broken {
    pub(super) how: How,
    inner: Arc<MemoryStore>,
    fixtures: Fixtures,
    memory: Mutex<Memory>,
}

/// What the breakers remember, each for its purpose.
#[derive(Default)]
struct Memory {
    seen: HashSet<BallotId>,
    last_votes: HashMap<(Candidate, Partition), Offset>,
    last_position: HashMap<BallotId, LogPosition>,
    rejected: HashMap<BallotId, Fate>,
    logged: Vec<LoggedBallot>,
    /// Of the last step of each partition.
    first_ballot: HashMap<Partition, Option<BallotId>>,
}

pub(super) fn behind(how: How, inner: Arc<MemoryStore>) -> Arc<Broken> {
    Arc::new(Broken {
        how,
        inner,
        fixtures: Fixtures::of(Seed::random()),
        memory: Mutex::default(),
    })
}

impl Broken {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("nothing panics under the lock")
    }

    /// The same ballot under an id that was never seen.
    fn disguise(&self, placed: &mut PositionedBallot) {
        placed.ballot.id = self.fixtures.ballot_id();
    }

    fn disguise_where(
        &self,
        step: &mut FoldStep,
        mut is_so: impl FnMut(&PositionedBallot) -> bool,
    ) {
        let chosen = step.ballots.iter_mut().filter(|placed| is_so(placed));
        chosen.for_each(|placed| self.disguise(placed));
    }

    async fn look_before_counting(&self, step: &mut FoldStep) {
        let seen = self.memory().seen.clone();
        step.ballots
            .retain(|placed| !seen.contains(&placed.ballot.id));
        yield_now().await;
        self.memory()
            .seen
            .extend(step.ballots.iter().map(|placed| placed.ballot.id));
        self.disguise_where(step, |_| true);
    }

    /// Makes a step start where the store is.
    async fn unfence(&self, step: &mut FoldStep) -> Result<(), PortError> {
        step.start = self.inner.progress(step.partition).await?.next;
        step.next = step.next.max(step.start);
        Ok(())
    }

    /// What the breaker hands on of a step.
    async fn bend(&self, step: &FoldStep) -> Result<FoldStep, PortError> {
        let mut step = step.clone();
        let progress = self.inner.progress(step.partition).await?.next;
        match self.how {
            How::ForgettingTheEnd => step.next = step.start.next(),
            How::FencingNothing => self.unfence(&mut step).await?,
            How::FencingOnlyOlder if step.start > progress => step.start = progress,
            How::LookingBeforeFencing if step.start == progress => {
                yield_now().await;
                self.unfence(&mut step).await?;
            }
            How::CountingCopiesInAStep => {
                let mut seen = HashSet::new();
                self.disguise_where(&mut step, |placed| !seen.insert(placed.ballot.id));
            }
            How::TakingTheLastCopy => step.ballots.reverse(),
            How::CountingCopiesOverSteps => {
                let seen = self.memory().seen.clone();
                self.disguise_where(&mut step, |placed| seen.contains(&placed.ballot.id));
            }
            How::CountingCopiesOverPartitions => {
                let last = self.memory().last_position.clone();
                let elsewhere = |placed: &PositionedBallot| {
                    let at = last.get(&placed.ballot.id);
                    at.is_some_and(|at| at.partition != step.partition)
                };
                let disguised: Vec<_> = step.ballots.iter().map(elsewhere).collect();
                let mut disguised = disguised.into_iter();
                self.disguise_where(&mut step, |_| disguised.next() == Some(true));
            }
            How::LookingBeforeCounting => self.look_before_counting(&mut step).await,
            How::CountingTheRejected => {
                let placed = step
                    .rejections
                    .iter()
                    .filter_map(|rejection| match rejection {
                        Rejection::Ballot { placed, .. } => Some(placed.clone()),
                        Rejection::Record { .. } => None,
                    });
                step.ballots.extend(placed.collect::<Vec<_>>());
            }
            How::DroppingBrokenRecords => {
                step.rejections
                    .retain(|rejection| rejection.ballot().is_some());
            }
            How::FoldingIntoOnePartition => step.partition = Partition::new(0),
            _ => {}
        }
        Ok(step)
    }

    fn note(&self, step: &FoldStep) {
        let mut memory = self.memory();
        let first = step.ballots.first().map(|placed| placed.ballot.id);
        memory.first_ballot.insert(step.partition, first);
        for PositionedBallot { offset, ballot } in &step.ballots {
            memory.seen.insert(ballot.id);
            memory
                .last_position
                .insert(ballot.id, step.position(*offset));
            memory.logged.push(ballot.clone());
            for selection in ballot.selections.iter() {
                let key = (selection.candidate.clone(), step.partition);
                memory.last_votes.insert(key, offset.next());
            }
        }
        for rejection in &step.rejections {
            let fate = Fate::Rejected {
                position: step.position(rejection.offset()),
                reason: rejection.reason().to_owned(),
            };
            rejection
                .ballot()
                .map(|id| memory.rejected.insert(id, fate));
        }
    }

    async fn apply_in_pieces(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let mut all = 0;
        for placed in &step.ballots {
            let piece = FoldStep {
                next: step.start,
                ballots: vec![placed.clone()],
                rejections: Vec::new(),
                ..*step
            };
            if let Applied::Folded { counted, .. } = self.inner.apply(&piece).await? {
                all += counted;
            }
            yield_now().await;
        }
        // All of them are there by now: what is left tells the totals.
        match self.inner.apply(step).await? {
            Applied::Folded { totals, .. } => Ok(Applied::Folded {
                totals,
                counted: all,
            }),
            fenced @ Applied::Fenced { .. } => Ok(fenced),
        }
    }

    /// What the breaker makes of an answer.
    async fn twist(&self, step: &FoldStep, applied: Applied) -> Result<Applied, PortError> {
        let Applied::Folded {
            mut totals,
            counted,
        } = applied
        else {
            return Ok(applied);
        };
        match self.how {
            How::AnsweringWithAllTotals => {
                for (candidate, total) in &mut totals {
                    let known = self.inner.tallies(std::slice::from_ref(candidate)).await?;
                    *total = known[0].tally().votes;
                }
            }
            How::AnsweringWithGains => {
                let gains = sum_votes(step.ballots.iter().map(|placed| &placed.ballot));
                totals = gains.into_iter().collect();
            }
            _ => {}
        }
        Ok(Applied::Folded { totals, counted })
    }
}

#[async_trait]
impl VoteStore for Broken {
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError> {
        let partition = match self.how {
            How::KnowingOneProgress | How::FoldingIntoOnePartition => Partition::new(0),
            _ => partition,
        };
        let mut progress = self.inner.progress(partition).await?;
        let first = self
            .memory()
            .first_ballot
            .get(&partition)
            .copied()
            .flatten();
        match (self.how, &mut progress.last) {
            (How::ForgettingTheLastBallot, last) => *last = None,
            (How::ForgettingItInEmptySteps, last) if first.is_none() => *last = None,
            (How::TellingTheFirstBallot, Some(last)) => last.ballot = first.unwrap_or(last.ballot),
            _ => {}
        }
        Ok(progress)
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        match self.how {
            How::ApplyingInPieces => return self.apply_in_pieces(step).await,
            How::SkippingEmptySteps if step.ballots.is_empty() && step.rejections.is_empty() => {
                let (totals, counted) = (Vec::new(), 0);
                return Ok(Applied::Folded { totals, counted });
            }
            How::RefusingNul | How::RefusingLongReasons => {
                let is_too_much = |reason: &str| match self.how {
                    How::RefusingNul => reason.contains('\0'),
                    _ => reason.len() > 65_535,
                };
                if step.rejections.iter().any(|r| is_too_much(r.reason())) {
                    return Err(PortError::corrupt("applying", "a text that does not fit"));
                }
            }
            _ => {}
        }
        let bent = self.bend(step).await?;
        let applied = self.inner.apply(&bent).await;
        self.note(step);
        match applied {
            Ok(applied) => self.twist(step, applied).await,
            Err(error) if self.how == How::CallingTheCorruptUnavailable => {
                Err(PortError::unavailable("applying", error))
            }
            Err(error) => Err(error),
        }
    }

    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError> {
        match self.how {
            How::DryRunningForReal => self.inner.apply(step).await.map(drop),
            How::DryRunningNothing => Ok(()),
            How::DryRunningWithoutTheFence => {
                let mut step = step.clone();
                self.unfence(&mut step).await?;
                self.inner.dry_run(&step).await
            }
            _ => self.inner.dry_run(step).await,
        }
    }

    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        if self.how == How::ReadingOneByOne {
            let mut tallies = Vec::new();
            for candidate in candidates {
                let before = self.inner.progress(Partition::new(0)).await?;
                tallies.extend(self.inner.tallies(std::slice::from_ref(candidate)).await?);
                // Until somebody has written something, or nobody does any more.
                for _ in 0..10_000 {
                    if self.inner.progress(Partition::new(0)).await? != before {
                        break;
                    }
                    yield_now().await;
                }
            }
            return Ok(tallies);
        }
        let mut tallies = self.inner.tallies(candidates).await?;
        for StoredTally {
            candidate,
            applied_totals,
        } in &mut tallies
        {
            match self.how {
                How::LeavingOutPartitions => applied_totals.truncate(1),
                How::KnowingNoStrangers => applied_totals.retain(|prefix| prefix.votes > 0),
                How::TellingWhenVotesWereLast => {
                    let last = &self.memory().last_votes;
                    for prefix in applied_totals {
                        let key = (candidate.clone(), prefix.partition);
                        prefix.as_of = last.get(&key).copied().unwrap_or(prefix.as_of);
                    }
                }
                _ => {}
            }
        }
        Ok(tallies)
    }

    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError> {
        let mut leaders = match self.how {
            How::LeadingWithTooMany => self.inner.leaders(first + 1).await?,
            _ => self.inner.leaders(first).await?,
        };
        match self.how {
            How::LeadingByVotesAlone => leaders.sort_by(|a, b| {
                let by_name = b.candidate.cmp(&a.candidate);
                b.votes.cmp(&a.votes).then(by_name)
            }),
            How::LeadingByName => leaders.sort_by(|a, b| a.candidate.cmp(&b.candidate)),
            _ => {}
        }
        Ok(leaders)
    }

    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError> {
        let fate = self.inner.ballot(id).await?;
        let memory = self.memory();
        Ok(match (self.how, fate) {
            (How::TellingTheLastPosition, Some(Fate::Counted(_))) => {
                memory.last_position.get(&id).copied().map(Fate::Counted)
            }
            (How::TellingOfRejectionsFirst, fate) => memory.rejected.get(&id).cloned().or(fate),
            (How::ForgettingRejections, Some(Fate::Rejected { .. })) => None,
            (_, fate) => fate,
        })
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        let mut recount = self.inner.recount().await?;
        match self.how {
            How::RecountingTheLog => {
                let sums: BTreeMap<_, _> = sum_votes(&self.memory().logged);
                for count in &mut recount.counts {
                    count.votes = sums.get(&count.candidate).copied().unwrap_or(0);
                }
            }
            How::RecountingTheTotals => recount
                .counts
                .iter_mut()
                .for_each(|c| c.total = c.votes + 1),
            How::RecountingInTwoLooks => {
                // Until somebody has folded something, or nobody does any more.
                for _ in 0..10_000 {
                    let progress = self.inner.recount().await?.progress;
                    if progress != recount.progress {
                        recount.progress = progress;
                        break;
                    }
                    yield_now().await;
                }
            }
            _ => {}
        }
        Ok(recount)
    }

    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError> {
        let mut kept = self.inner.stored_ballots(ids).await?;
        for ballot in kept.iter_mut().flatten() {
            let StoredBallot::Counted {
                ballot: Ok(ballot), ..
            } = ballot
            else {
                continue;
            };
            match self.how {
                How::KeepingIdsOnly => {
                    let nobody = self.fixtures.candidate("nobody");
                    *ballot = cast_testkit::fixtures::ballot(ballot.id, &[(&nobody, 1)]);
                }
                How::KeepingTheLastCopy => {
                    let memory = self.memory();
                    let last = memory.logged.iter().rfind(|logged| logged.id == ballot.id);
                    *ballot = last.unwrap_or(ballot).clone();
                }
                _ => {}
            }
        }
        if self.how == How::AnsweringForTheKnownOnly {
            kept.retain(Option::is_some);
        }
        Ok(kept)
    }
}
