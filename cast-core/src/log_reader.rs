//! Reads the log from its first record, as the only member of a group that commits nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    deadline::within,
    domain::{Clock, LogBatch, Offset, Partition, Progress},
    ports::{EventBus, GroupName, Operation, PartitionLag, PortError, ResumeFrom, Subscription},
};

/// The end of each partition.
pub(crate) type Ends = BTreeMap<Partition, Offset>;

/// One pass over the log.
pub(crate) struct LogReader {
    clock: Arc<dyn Clock>,
    limit: Duration,
    log: Box<dyn Subscription>,
    positions: BTreeMap<Partition, Offset>,
}

/// Resumes each partition at the first record that the log has.
struct FirstRecords(BTreeMap<Partition, Offset>);

#[async_trait]
impl ResumeFrom for FirstRecords {
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError> {
        Ok(Progress::at(
            self.0.get(&partition).copied().unwrap_or_default(),
        ))
    }
}

impl LogReader {
    pub(crate) async fn start(
        clock: &Arc<dyn Clock>,
        bus: &dyn EventBus,
        group: &GroupName,
        limits: (usize, Duration),
        lag: &[PartitionLag],
    ) -> Result<Self, PortError> {
        let (max_ballots, limit) = limits;
        let starts = lag.iter().map(|lag| (lag.partition, lag.committed));
        let positions: BTreeMap<_, _> = starts.collect();
        let join = bus.subscribe(
            group,
            max_ballots,
            Arc::new(FirstRecords(positions.clone())),
        );
        let log = within(&**clock, limit, Operation::Subscribe, join).await?;
        Ok(Self {
            clock: Arc::clone(clock),
            limit,
            log,
            positions,
        })
    }

    /// The next batch; `None` once everything before `ends` was read. A batch may be beyond the end of its
    /// partition, because votes are cast during the audit.
    pub(crate) async fn next_before(&mut self, ends: &Ends) -> Result<Option<LogBatch>, PortError> {
        let is_read = |(partition, end): (&Partition, &Offset)| {
            self.positions.get(partition).is_some_and(|at| at >= end)
        };
        if ends.iter().all(is_read) {
            return Ok(None);
        }
        let next = self.log.next();
        let batch = within(&*self.clock, self.limit, Operation::Next, next).await?;
        self.positions.insert(batch.partition, batch.next);
        Ok(Some(batch))
    }

    /// The offset up to which a partition was read.
    pub(crate) fn position(&self, partition: Partition) -> Offset {
        self.positions.get(&partition).copied().unwrap_or_default()
    }

    pub(crate) async fn close(self) -> Result<(), PortError> {
        within(&*self.clock, self.limit, Operation::Close, self.log.close()).await
    }
}
