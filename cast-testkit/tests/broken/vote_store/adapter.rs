//! A store that can be broken in many ways.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use cast_adapters::memory::MemoryStore;
use cast_core::{
    domain::{
        BallotId, Candidate, Fate, FoldStep, LogPosition, LoggedBallot, Offset, Partition,
        Progress, StoredTally, Tally, sum_votes,
    },
    ports::{Applied, PortError, Recount, StoredBallot, VoteStore},
};
use cast_testkit::{Seed, fixtures::Fixtures};
use parking_lot::{Mutex, MutexGuard};
use tokio::task::yield_now;

use super::how::How;

/// The memory adapter behind something that breaks it.
pub(super) struct Broken {
    pub(super) how: How,
    pub(super) inner: Arc<MemoryStore>,
    pub(super) fixtures: Fixtures,
    memory: Mutex<Memory>,
}

/// What the breakers remember, each for its purpose.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) seen: HashSet<BallotId>,
    pub(super) last_votes: HashMap<(Candidate, Partition), Offset>,
    pub(super) last_position: HashMap<BallotId, LogPosition>,
    pub(super) rejected: HashMap<BallotId, Fate>,
    pub(super) logged: Vec<LoggedBallot>,
    /// Of the last step of each partition.
    pub(super) first_ballot: HashMap<Partition, Option<BallotId>>,
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
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock()
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
        self.apply_broken(step).await
    }

    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError> {
        self.dry_run_broken(step).await
    }

    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        if self.how == How::ReadingOneByOne {
            let mut tallies = Vec::new();
            for candidate in candidates {
                let before = self.inner.progress(Partition::new(0)).await?;
                tallies.extend(self.inner.tallies(std::slice::from_ref(candidate)).await?);
                // Until another task has written something, or none does any more.
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
                How::KnowingNoStrangers => applied_totals.retain(|total| total.votes > 0),
                How::TellingWhenVotesWereLast => {
                    let last = &self.memory().last_votes;
                    for total in applied_totals {
                        let key = (candidate.clone(), total.partition);
                        total.as_of = last.get(&key).copied().unwrap_or(total.as_of);
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
                // Until another task has folded something, or none does any more.
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
                    let other = self.fixtures.candidate("another");
                    *ballot = cast_testkit::fixtures::ballot(ballot.id, &[(&other, 1)]);
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
