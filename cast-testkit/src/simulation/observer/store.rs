//! Compares the totals of the store with the fold of the log.

use std::collections::BTreeSet;

use async_trait::async_trait;
use cast_core::{
    domain::{Candidate, FoldStep},
    ports::{Applied, ForwardingVoteStore, PortError, VoteStore},
};

use super::Observed;
use crate::simulation::{coverage::RareState, world::Promise};

impl Observed<dyn VoteStore> {
    fn applied(&self, step: &FoldStep, applied: &Applied) {
        let world = &self.world;
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
        if self.memberships.is_zombie() {
            world.reached(RareState::ZombieApplied);
        }
    }

    /// The totals after a step are the fold of the log up to its end.
    fn check(&self, step: &FoldStep, totals: &[(Candidate, u64)]) {
        let world = &self.world;
        let (partition, next) = (step.partition, step.next);
        let fold = world.truth().fold(partition, next);
        for (candidate, total) in totals {
            let expected = fold.get(candidate).copied().unwrap_or(0);
            if *total != expected {
                let how = || {
                    let at = (partition.get(), next.get());
                    format!("{candidate:?} has {total} as of {at:?}, and the log has {expected}")
                };
                world.violated(Promise::StoreIsExact, how);
            }
        }
    }
}

#[async_trait]
impl ForwardingVoteStore for Observed<dyn VoteStore> {
    fn inner(&self) -> &dyn VoteStore {
        &*self.inner
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let applied = self.inner.apply(step).await?;
        self.applied(step, &applied);
        Ok(applied)
    }
}
