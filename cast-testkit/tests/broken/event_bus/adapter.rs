//! A log that can be broken in many ways.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use cast_core::{
    domain::{LogPosition, Offset, Record},
    ports::{
        EventBus, ForwardingEventBus, GroupName, PartitionLag, PortError, PortErrorKind, Published,
        ResumeFrom, Subscription,
    },
};
use tokio::task::yield_now;

use super::{
    how::{How, Shared},
    subscription::{BrokenResume, BrokenSubscription},
};

/// The memory adapter behind something that breaks it.
pub(super) struct Broken {
    pub(super) how: How,
    pub(super) inner: Arc<dyn EventBus>,
    pub(super) shared: Arc<Shared>,
}

#[async_trait]
impl ForwardingEventBus for Broken {
    fn inner(&self) -> &dyn EventBus {
        &*self.inner
    }

    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        match self.how {
            How::FailingAllTogether => {
                let count = self
                    .inner
                    .partitions()
                    .await
                    .expect("memory answers")
                    .count();
                if records
                    .iter()
                    .any(|record| record.partition().get() >= count)
                {
                    let failed = |_| Err(PortError::new(PortErrorKind::Corrupt, "publishing"));
                    return records.iter().map(failed).collect();
                }
            }
            How::RefusingLargeRecords
                if records.iter().any(|record| record.ballots().len() > 500) =>
            {
                let failed = |_| Err(PortError::new(PortErrorKind::Corrupt, "publishing"));
                return records.iter().map(failed).collect();
            }
            How::SplittingRecords => return self.publish_in_halves(records).await,
            How::AcknowledgingWhatItForgets if records.len() > 3 => {
                let mut results = self.inner.publish(&records[1..]).await;
                let position = Some(LogPosition {
                    partition: records[0].partition(),
                    offset: Offset::START,
                });
                results.insert(0, Ok(Published { position }));
                return results;
            }
            _ => {}
        }
        let mut results = self.inner.publish(records).await;
        match self.how {
            How::ReversingResults => results.reverse(),
            How::TellingPositionsTwice => {
                let positions = results.iter_mut().flatten();
                for position in positions.filter_map(|published| published.position.as_mut()) {
                    position.offset = Offset::new(position.offset.get() / 2);
                }
            }
            How::CallingTheUnknownUnavailable if self.shared.obstructed.load(Ordering::SeqCst) => {
                let unavailable = || PortError::new(PortErrorKind::Unavailable, "publishing");
                return results.iter().map(|_| Err(unavailable())).collect();
            }
            _ => {}
        }
        results
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let number = self.shared.members.fetch_add(1, Ordering::SeqCst);
        let mut max_ballots = max_ballots;
        let mut inner_group = group.clone();
        match self.how {
            How::GivingAllToEachMember => {
                inner_group = GroupName::new(format!("{group}-{number}"));
            }
            How::GivingAllToTheFirst if number > 0 => {
                inner_group = GroupName::new("a group without members");
            }
            How::TakingGroupsForOne => inner_group = GroupName::new("the only one"),
            How::IgnoringTheBound => max_ballots = 1_000,
            _ => {}
        }
        let resume = Arc::new(BrokenResume {
            how: self.how,
            group: group.clone(),
            bus: Arc::clone(&self.inner),
            shared: Arc::clone(&self.shared),
            inner: resume,
        });
        let inner = self
            .inner
            .subscribe(&inner_group, max_ballots, resume)
            .await?;
        Ok(Box::new(BrokenSubscription {
            how: self.how,
            group: group.clone(),
            number,
            inner: Some(inner),
            shared: Arc::clone(&self.shared),
            last: None,
        }))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        let mut lags = self.inner.lag(group).await?;
        let committed = self.shared.committed.lock();
        for lag in &mut lags {
            match self.how {
                How::ForgettingCommits => lag.committed = Offset::START,
                How::LaggingFromTheEnd => lag.committed = lag.end,
                How::CommittingBackwards => {
                    let last = committed.get(&(group.clone(), lag.partition));
                    lag.committed = last.copied().unwrap_or_default();
                }
                _ => {}
            }
        }
        Ok(lags)
    }
}

impl Broken {
    async fn publish_in_halves(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let mut results = Vec::new();
        for record in records {
            let (first, second) = record.ballots().split_at(record.ballots().len() / 2);
            for half in [first, second].into_iter().filter(|half| !half.is_empty()) {
                let half = Record::new(record.partition(), half);
                results.extend(self.inner.publish(&[half]).await);
                yield_now().await;
            }
            if !first.is_empty() {
                results.pop();
            }
        }
        results
    }
}
