//! Compares the totals that the counter is given with the fold of the log.

use std::time::Duration;

use async_trait::async_trait;
use cast_core::{
    domain::Candidate,
    ports::{Checkpoint, ForwardingVoteCounter, PendingVotes, PortError, Reading, VoteCounter},
};

use super::Observed;
use crate::simulation::{coverage::RareState, world::Promise};

impl Observed<dyn VoteCounter> {
    fn read_states(&self, readings: &[Reading]) {
        let world = &self.world;
        let refresh_after = Duration::from_millis(world.setup.refresh_after_ms);
        for reading in readings {
            match reading.age {
                None if world.truth().losses(&reading.tally.candidate) > 0 => {
                    world.reached(RareState::ReadMiss);
                }
                Some(age) if age >= refresh_after => world.reached(RareState::ReadOld),
                _ => {}
            }
        }
    }

    /// An applied total must be the fold of the log's prefix.
    fn check(&self, checkpoint: &Checkpoint) {
        let mut truth = self.world.truth();
        let who = &checkpoint.candidate;
        let mut wrong = None;
        let mut is_late = false;
        for total in &checkpoint.applied_totals {
            let fold = truth.fold(total.partition, total.as_of);
            let expected = fold.get(who).copied().unwrap_or(0);
            if total.votes != expected {
                wrong = Some((*total, expected));
            }
            is_late |= truth.reconciled(who, total.partition, total.as_of);
        }
        drop(truth);
        if is_late {
            self.world.reached(RareState::ReconcileLate);
        }
        if let Some((total, expected)) = wrong {
            let how = || format!("{who:?} is reconciled to {total:?}, and the log has {expected}");
            self.world.violated(Promise::TalliesAreTrue, how);
        }
    }
}

#[async_trait]
impl ForwardingVoteCounter for Observed<dyn VoteCounter> {
    fn inner(&self) -> &dyn VoteCounter {
        &*self.inner
    }

    async fn record(
        &self,
        pending: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let readings = self.inner.record(pending, show).await?;
        let world = &self.world;
        for pending in pending {
            for (candidate, _) in &pending.votes {
                let (again, late) = world.truth().recorded(candidate, pending.position);
                if again {
                    world.reached(RareState::RecordAgain);
                }
                if late {
                    world.reached(RareState::RecordLate);
                }
            }
        }
        self.read_states(&readings);
        Ok(readings)
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        for checkpoint in checkpoints {
            self.check(checkpoint);
        }
        if self.memberships.is_zombie() {
            self.world.reached(RareState::ZombieReconciled);
        }
        self.inner.reconcile(checkpoints).await
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        let readings = self.inner.read(candidates).await?;
        self.read_states(&readings);
        Ok(readings)
    }
}
