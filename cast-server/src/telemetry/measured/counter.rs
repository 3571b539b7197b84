//! The counter, measured.

use async_trait::async_trait;
use cast_core::{
    domain::{Candidate, Prefix},
    ports::{PortError, Reading, Settlement, Tail, VoteCounter},
};

use super::{Measured, Operation};

#[async_trait]
impl VoteCounter for Measured<dyn VoteCounter> {
    async fn record(&self, tails: &[Tail], show: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        self.call(Operation::Record, self.port.record(tails, show))
            .await
    }

    async fn settle(&self, settlements: &[Settlement]) -> Result<(), PortError> {
        self.call(Operation::Settle, self.port.settle(settlements))
            .await
    }

    async fn read(&self, candidates: &[Candidate]) -> Result<Vec<Reading>, PortError> {
        self.call(Operation::Read, self.port.read(candidates)).await
    }

    async fn settled(&self, candidates: &[Candidate]) -> Result<Vec<Vec<Prefix>>, PortError> {
        self.call(Operation::Settled, self.port.settled(candidates))
            .await
    }
}
