//! A subscription that can be broken in many ways, and the position where it resumes.

use std::{future::pending, sync::Arc};

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, Offset, Partition, Progress},
    ports::{
        EventBus, GroupName, PartitionLag, PortError, PortErrorKind, ResumeFrom, Subscription,
    },
};
use cast_testkit::dropped_after;
use tokio::task::yield_now;

use super::how::{How, Shared};

pub(super) struct BrokenResume {
    pub(super) how: How,
    pub(super) group: GroupName,
    pub(super) bus: Arc<dyn EventBus>,
    pub(super) shared: Arc<Shared>,
    pub(super) inner: Arc<dyn ResumeFrom>,
}

#[async_trait]
impl ResumeFrom for BrokenResume {
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError> {
        let lags = self.bus.lag(&self.group).await?;
        let lag = lags.into_iter().find(|lag| lag.partition == partition);
        let PartitionLag { committed, end, .. } = lag.expect("one for each partition");
        let named = self.inner.resume_from(partition).await?;
        let first = self
            .shared
            .firsts
            .lock()
            .get(&partition)
            .copied()
            .unwrap_or_default();
        let answered = *self.shared.answers.lock().entry(partition).or_insert(named);
        let is_further_back = named
            .last
            .is_some_and(|last| last.offset.next() < named.next);
        let is_gone = named.last.is_some_and(|last| last.offset < first);
        Ok(match self.how {
            How::ResumingFromTheCommit if committed > Offset::START => Progress::at(committed),
            How::AskingOnceWhereToResume => answered,
            How::ResettingToEarliest if named.next < first || named.next > end => {
                Progress::at(first)
            }
            How::TrustingOffsets => Progress::at(named.next),
            How::LookingRightBeforeOnly if is_further_back => Progress::at(named.next),
            How::LookingForWhatIsGone if is_gone => {
                return Err(PortError::new(PortErrorKind::Misconfigured, "resuming"));
            }
            _ => named,
        })
    }
}

pub(super) struct BrokenSubscription {
    pub(super) how: How,
    pub(super) group: GroupName,
    pub(super) number: u64,
    /// There until it is dropped.
    pub(super) inner: Option<Box<dyn Subscription>>,
    pub(super) shared: Arc<Shared>,
    pub(super) last: Option<LogBatch>,
}

impl BrokenSubscription {
    fn inner(&mut self) -> &mut Box<dyn Subscription> {
        self.inner.as_mut().expect("there until it is dropped")
    }
}

#[async_trait]
impl Subscription for BrokenSubscription {
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        if let (How::RepeatingBatches, Some(last)) = (self.how, self.last.take()) {
            return Ok(last);
        }
        let mut batch = match self.how {
            How::GivingAllToTheFirst if self.number > 0 => pending().await,
            How::LookingOnlyOnce => match dropped_after(1, self.inner().next()).await {
                Some(batch) => batch?,
                None => pending().await,
            },
            _ => self.inner().next().await?,
        };
        match self.how {
            How::LosingWhatItHolds => yield_now().await,
            How::RepeatingBatches => self.last = Some(batch.clone()),
            How::LeavingOutRecords if batch.entries.len() > 1 => drop(batch.entries.remove(0)),
            How::StartingBatchesAtTheirRecords => batch.start = batch.start.next(),
            How::MixingPartitions if batch.entries.len() > 1 => {
                batch.partition = Partition::new(1 - batch.partition.get().min(1));
            }
            How::HidingTheUnreadable => batch.entries.retain(|entry| entry.content.is_ok()),
            _ => {}
        }
        Ok(batch)
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        match self.how {
            How::IgnoringSeeks => Ok(()),
            _ => self.inner().seek(partition, next).await,
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.shared
            .committed
            .lock()
            .insert((self.group.clone(), partition), next);
        self.inner().commit(partition, next).await
    }

    async fn close(mut self: Box<Self>) -> Result<(), PortError> {
        let inner = self.inner.take().expect("there until it is dropped");
        if self.how == How::KeepingMembers {
            self.shared.kept.lock().push(inner);
            return Ok(());
        }
        inner.close().await
    }
}

impl Drop for BrokenSubscription {
    fn drop(&mut self) {
        if self.how == How::NotNoticingDrops {
            self.shared.kept.lock().extend(self.inner.take());
        }
    }
}
