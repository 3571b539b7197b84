//! Keeps a copy of what the log acknowledges, and lets members of a group be thrown out of it.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use cast_core::{
    domain::{LogPosition, Partitions, Record},
    ports::{EventBus, GroupName, PartitionLag, PortError, Published, ResumeFrom, Subscription},
};

use super::Witness;
use crate::simulation::{coverage::RareState, world::Promise};

pub(super) struct Log {
    pub(super) inner: Arc<dyn EventBus>,
    pub(super) witness: Witness,
}

impl Log {
    fn look_at(&self, record: &Record, position: LogPosition) {
        let world = &self.witness.world;
        if position.partition != record.partition() {
            let how = || format!("{record:?} was put at {position:?}");
            world.breaks(Promise::AcknowledgedIsLogged, how);
        }
        if record.ballots().len() > 1 {
            world.reached(RareState::ManyInAFlush);
        }
        if world.truth().logged(record, position) {
            world.reached(RareState::LoggedTwice);
        }
    }

    /// Whether a position is to be kept from whoever published the record.
    fn hides_position(&self) -> bool {
        let left = &self.witness.world.without_position;
        let fewer = |left: usize| left.checked_sub(1);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok()
    }
}

#[async_trait]
impl EventBus for Log {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        self.inner.partitions().await
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let mut results = self.inner.publish(records).await;
        let world = &self.witness.world;
        if records.len() > 1 {
            world.reached(RareState::SeveralRecords);
        }
        for (record, result) in records.iter().zip(&mut results) {
            if let Ok(Published { position }) = result {
                let at = position.expect("a log in this process says where its records are");
                self.look_at(record, at);
                if self.hides_position() {
                    world.reached(RareState::NoPosition);
                    *position = None;
                }
            }
        }
        results
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let member = self.inner.subscribe(group, max_ballots, resume).await?;
        Ok(Box::new(self.witness.seats.seat(member)))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        self.inner.lag(group).await
    }
}
