//! Copies what the log acknowledges, and makes its subscriptions evictable.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use cast_core::{
    domain::{LogPosition, Record},
    ports::{
        EventBus, ForwardingEventBus, GroupName, PortError, Published, ResumeFrom, Subscription,
    },
};

use super::Observed;
use crate::simulation::{coverage::RareState, world::Promise};

impl Observed<dyn EventBus> {
    fn acknowledged(&self, record: &Record, position: LogPosition) {
        let world = &self.world;
        if position.partition != record.partition() {
            let how = || format!("{record:?} was logged at {position:?}");
            world.violated(Promise::AcknowledgedIsLogged, how);
        }
        if record.ballots().len() > 1 {
            world.reached(RareState::ManyInAFlush);
        }
        if world.truth().logged(record, position) {
            world.reached(RareState::LoggedTwice);
        }
    }

    /// Whether the publisher of a record is not to learn its position.
    fn hides_position(&self) -> bool {
        let left = &self.world.without_position;
        let fewer = |left: usize| left.checked_sub(1);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer)
            .is_ok()
    }
}

#[async_trait]
impl ForwardingEventBus for Observed<dyn EventBus> {
    fn inner(&self) -> &dyn EventBus {
        &*self.inner
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let mut results = self.inner.publish(records).await;
        if records.len() > 1 {
            self.world.reached(RareState::SeveralRecords);
        }
        for (record, result) in records.iter().zip(&mut results) {
            if let Ok(Published { position }) = result {
                let at = position.expect("a log in this process knows its positions");
                self.acknowledged(record, at);
                if self.hides_position() {
                    self.world.reached(RareState::NoPosition);
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
        let subscription = self.inner.subscribe(group, max_ballots, resume).await?;
        Ok(Box::new(self.memberships.join(subscription)))
    }
}
