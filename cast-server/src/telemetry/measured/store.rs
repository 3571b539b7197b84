//! The store, measured.

use async_trait::async_trait;
use cast_core::{
    domain::{BallotId, Candidate, Fate, FoldStep, Partition, Progress, StoredTally, Tally},
    ports::{Applied, PortError, Recount, StoredBallot, VoteStore},
};

use super::{Ended, Measured, Operation};
use crate::telemetry::traces;

#[async_trait]
impl VoteStore for Measured<dyn VoteStore> {
    async fn progress(&self, partition: Partition) -> Result<Progress, PortError> {
        self.call(Operation::Progress, self.port.progress(partition))
            .await
    }

    async fn apply(&self, step: &FoldStep) -> Result<Applied, PortError> {
        let span = traces::fold(step);
        let applied = self.call(Operation::Apply, self.port.apply(step)).await;
        span.ended(Ended::of(&applied));
        if let Ok(applied) = &applied {
            self.metrics.fold.count(step, applied);
        }
        applied
    }

    async fn dry_run(&self, step: &FoldStep) -> Result<(), PortError> {
        self.call(Operation::DryRun, self.port.dry_run(step)).await
    }

    async fn tallies(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        self.call(Operation::Tallies, self.port.tallies(candidates))
            .await
    }

    async fn leaders(&self, first: usize) -> Result<Vec<Tally>, PortError> {
        self.call(Operation::Leaders, self.port.leaders(first))
            .await
    }

    async fn ballot(&self, id: BallotId) -> Result<Option<Fate>, PortError> {
        self.call(Operation::Ballot, self.port.ballot(id)).await
    }

    async fn recount(&self) -> Result<Recount, PortError> {
        self.call(Operation::Recount, self.port.recount()).await
    }

    async fn stored_ballots(
        &self,
        ids: &[BallotId],
    ) -> Result<Vec<Option<StoredBallot>>, PortError> {
        self.call(Operation::StoredBallots, self.port.stored_ballots(ids))
            .await
    }
}
