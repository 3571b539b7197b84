//! Compares what the store tells with the fold of the log.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use cast_core::{
    domain::{BallotId, Candidate, Fate, FoldStep, Partition, Progress, StoredTally, Tally},
    ports::{Applied, PortError, Recount, StoredBallot, VoteStore},
};

use super::Witness;
use crate::simulation::{coverage::RareState, world::Promise};

pub(super) struct Store {
    pub(super) inner: Arc<dyn VoteStore>,
    pub(super) witness: Witness,
}

impl Store {
    fn look_at(&self, step: &FoldStep, applied: &Applied) {
        let world = &self.witness.world;
        match applied {
            Applied::Fenced { progress } if *progress < step.start => {
                world.reached(RareState::FencedAhead);
            }
            Applied::Fenced { progress } if *progress < step.next => {
                world.reached(RareState::FencedInside);
            }
            Applied::Fenced { .. } => world.reached(RareState::FencedBehind),
            Applied::Folded { totals, counted } => {
                let ids: BTreeSet<_> = step.ballots.iter().map(|p| p.ballot.id).collect();
                if *counted < ids.len() {
                    world.reached(RareState::Deduplicated);
                }
                self.check(step, totals);
            }
        }
        if self.witness.seats.is_zombie() {
            world.reached(RareState::ZombieApplied);
        }
    }

    /// The totals after a step are the fold of the log up to its end.
    fn check(&self, step: &FoldStep, totals: &[(Candidate, u64)]) {
        let world = &self.witness.world;
        let (partition, next) = (step.partition, step.next);
        let fold = world.truth().fold(partition, next);
        for (candidate, total) in totals {
            let expected = fold.get(candidate).copied().unwrap_or(0);
            if *total != expected {
                let how = || {
                    let at = (partition.get(), next.get());
                    format!("{candidate:?} has {total} as of {at:?}, and the log has {expected}")
                };
                world.breaks(Promise::StoreIsExact, how);
            }
        }
    }
}

#[async_trait]
impl VoteStore for Store {
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError> {
        self.inner.progress(partition).await
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let applied = self.inner.apply(step).await?;
        self.look_at(step, &applied);
        Ok(applied)
    }

    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError> {
        self.inner.dry_run(step).await
    }

    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        self.inner.tallies(candidates).await
    }

    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError> {
        self.inner.leaders(first).await
    }

    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError> {
        self.inner.ballot(id).await
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        self.inner.recount().await
    }

    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError> {
        self.inner.stored_ballots(ids).await
    }
}
