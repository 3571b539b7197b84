//! How a broken store applies a step.

use std::collections::HashSet;

use cast_core::{
    domain::{Fate, FoldStep, Partition, PositionedBallot, Rejection, sum_votes},
    ports::{Applied, PortError, VoteStore},
};
use tokio::task::yield_now;

use super::{adapter::Broken, how::How};

impl Broken {
    pub(super) async fn apply_broken(&self, step: &FoldStep) -> Result<Applied, PortError> {
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

    pub(super) async fn dry_run_broken(&self, step: &FoldStep) -> Result<(), PortError> {
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

    /// The same ballot under an id that was never seen.
    fn disguise(&self, positioned: &mut PositionedBallot) {
        positioned.ballot.id = self.fixtures.ballot_id();
    }

    fn disguise_where(
        &self,
        step: &mut FoldStep,
        mut is_so: impl FnMut(&PositionedBallot) -> bool,
    ) {
        let chosen = step
            .ballots
            .iter_mut()
            .filter(|positioned| is_so(positioned));
        chosen.for_each(|positioned| self.disguise(positioned));
    }

    async fn look_before_counting(&self, step: &mut FoldStep) {
        let seen = self.memory().seen.clone();
        step.ballots
            .retain(|positioned| !seen.contains(&positioned.ballot.id));
        yield_now().await;
        self.memory()
            .seen
            .extend(step.ballots.iter().map(|positioned| positioned.ballot.id));
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
                self.disguise_where(&mut step, |positioned| !seen.insert(positioned.ballot.id));
            }
            How::TakingTheLastCopy => step.ballots.reverse(),
            How::CountingCopiesOverSteps => {
                let seen = self.memory().seen.clone();
                self.disguise_where(&mut step, |positioned| seen.contains(&positioned.ballot.id));
            }
            How::CountingCopiesOverPartitions => {
                let last = self.memory().last_position.clone();
                let elsewhere = |positioned: &PositionedBallot| {
                    let at = last.get(&positioned.ballot.id);
                    at.is_some_and(|at| at.partition != step.partition)
                };
                let disguised: Vec<_> = step.ballots.iter().map(elsewhere).collect();
                let mut disguised = disguised.into_iter();
                self.disguise_where(&mut step, |_| disguised.next() == Some(true));
            }
            How::LookingBeforeCounting => self.look_before_counting(&mut step).await,
            How::CountingTheRejected => {
                let rejected = step
                    .rejections
                    .iter()
                    .filter_map(|rejection| match rejection {
                        Rejection::Ballot { positioned, .. } => Some(positioned.clone()),
                        Rejection::Record { .. } => None,
                    });
                step.ballots.extend(rejected.collect::<Vec<_>>());
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
        let first = step.ballots.first().map(|positioned| positioned.ballot.id);
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
        for positioned in &step.ballots {
            let piece = FoldStep {
                next: step.start,
                ballots: vec![positioned.clone()],
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
                let gains = sum_votes(step.ballots.iter().map(|positioned| &positioned.ballot));
                totals = gains.into_iter().collect();
            }
            _ => {}
        }
        Ok(Applied::Folded { totals, counted })
    }
}
