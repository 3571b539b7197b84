//! The counter, measured.

use async_trait::async_trait;
use cast_core::{
    domain::{AppliedTotal, Candidate},
    ports::{Checkpoint, PendingVotes, PortError, Reading, VoteCounter},
};

use super::{Measured, Operation};

#[async_trait]
impl VoteCounter for Measured<dyn VoteCounter> {
    async fn record(
        &self,
        tails: &[PendingVotes],
        show: &[Candidate],
    ) -> Result<Vec<Reading>, PortError> {
        self.call(Operation::Record, self.port.record(tails, show))
            .await
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        self.call(Operation::Reconcile, self.port.reconcile(checkpoints))
            .await
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        self.call(Operation::Read, self.port.read(candidates)).await
    }

    async fn applied_totals(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<Vec<AppliedTotal>>, PortError> {
        self.call(
            Operation::AppliedTotals,
            self.port.applied_totals(candidates),
        )
        .await
    }
}
