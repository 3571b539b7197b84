//! Compares what is reconciled with the fold of the log.

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{AppliedTotal, Candidate},
    ports::{Checkpoint, PendingVotes, PortError, Reading, VoteCounter},
};

use super::Witness;
use crate::simulation::{coverage::RareState, world::Promise};

pub(super) struct Counter {
    pub(super) inner: Arc<dyn VoteCounter>,
    pub(super) witness: Witness,
}

impl Counter {
    fn look_at(&self, readings: &[Reading]) {
        let world = &self.witness.world;
        let refresh_after = std::time::Duration::from_millis(world.setup.refresh_after_ms);
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

    /// Whatever is reconciled must be the fold of the log's prefix.
    fn check(&self, checkpoint: &Checkpoint) {
        let world = &self.witness.world;
        let mut truth = world.truth();
        let who = &checkpoint.candidate;
        let mut wrong = None;
        let mut is_late = false;
        for prefix in &checkpoint.applied_totals {
            let fold = truth.fold(prefix.partition, prefix.as_of);
            let expected = fold.get(who).copied().unwrap_or(0);
            if prefix.votes != expected {
                wrong = Some((*prefix, expected));
            }
            is_late |= truth.reconciled(who, prefix.partition, prefix.as_of);
        }
        drop(truth);
        if is_late {
            world.reached(RareState::ReconcileLate);
        }
        if let Some((prefix, expected)) = wrong {
            let how = || format!("{who:?} is reconciled to {prefix:?}, and the log has {expected}");
            world.breaks(Promise::ShownIsTrue, how);
        }
    }
}

#[async_trait]
impl VoteCounter for Counter {
    async fn record(
        &self,
        tails: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        let readings = self.inner.record(tails, show).await?;
        let world = &self.witness.world;
        for tail in tails {
            for (candidate, _) in &tail.votes {
                let (again, late) = world.truth().recorded(candidate, tail.position);
                if again {
                    world.reached(RareState::RecordAgain);
                }
                if late {
                    world.reached(RareState::RecordLate);
                }
            }
        }
        self.look_at(&readings);
        Ok(readings)
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        for checkpoint in checkpoints {
            self.check(checkpoint);
        }
        if self.witness.seats.is_zombie() {
            self.witness.world.reached(RareState::ZombieReconciled);
        }
        self.inner.reconcile(checkpoints).await
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        let readings = self.inner.read(candidates).await?;
        self.look_at(&readings);
        Ok(readings)
    }

    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError> {
        self.inner.applied_totals(candidates).await
    }
}
