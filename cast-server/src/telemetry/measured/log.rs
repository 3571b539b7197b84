//! The log, measured.

use std::sync::Arc;

use async_trait::async_trait;
use cast_core::{
    domain::{LogBatch, Offset, Partition, Partitions, Record},
    ports::{EventBus, GroupName, PartitionLag, PortError, Published, ResumeFrom, Subscription},
};

use super::{Ended, Measured, Metrics, Operation, measured_call};
use crate::telemetry::{metrics::as_f64, traces};

#[async_trait]
impl EventBus for Measured<dyn EventBus> {
    async fn partitions(&self) -> Result<Partitions, PortError> {
        self.call(Operation::Partitions, self.port.partitions())
            .await
    }

    /// A flush publishes once, so this is also where its size is known. One call is counted, whatever
    /// the number of records: by the first that failed, if any did.
    async fn publish(&self, records: &[Record]) -> Vec<Result<Published, PortError>> {
        let ballots: usize = records.iter().map(|record| record.ballots().len()).sum();
        self.metrics.flush_ballots.record(as_f64(ballots as u64));
        let measured = self.metrics.calls.begin(Operation::Publish);
        let span = traces::publish(records);
        let results = self.port.publish(records).await;
        let failed = results.iter().find(|result| result.is_err());
        let how = failed.map_or(Ended::Ok, Ended::of);
        measured.end(how);
        span.ended(how);
        results
    }

    async fn subscribe(
        &self,
        group: &GroupName,
        max_ballots: usize,
        resume: Arc<dyn ResumeFrom>,
    ) -> Result<Box<dyn Subscription>, PortError> {
        let subscribe = self.port.subscribe(group, max_ballots, resume);
        let port = self.call(Operation::Subscribe, subscribe).await?;
        let metrics = Arc::clone(&self.metrics);
        Ok(Box::new(MeasuredSubscription { port, metrics }))
    }

    async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        self.call(Operation::Lag, self.port.lag(group)).await
    }
}

struct MeasuredSubscription {
    port: Box<dyn Subscription>,
    metrics: Arc<Metrics>,
}

#[async_trait]
impl Subscription for MeasuredSubscription {
    /// How long it takes says how much is voted, and to drop it is no failure: only ends are counted.
    async fn next(&mut self) -> Result<LogBatch, PortError> {
        let batch = self.port.next().await;
        self.metrics.calls.count(Operation::Next, Ended::of(&batch));
        batch
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let seek = self.port.seek(partition, next);
        measured_call(&self.metrics, Operation::Seek, seek).await
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let commit = self.port.commit(partition, next);
        measured_call(&self.metrics, Operation::Commit, commit).await
    }

    async fn close(self: Box<Self>) -> Result<(), PortError> {
        let Self { port, metrics } = *self;
        measured_call(&metrics, Operation::Close, port.close()).await
    }
}
