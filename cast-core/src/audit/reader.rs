//! Reads the log from its first record, as a group of one that commits nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    deadline::within,
    domain::{LogBatch, Offset, Partition, Progress},
    ports::{Clock, EventBus, GroupName, PartitionLag, PortError, ResumeFrom, Subscription},
};

/// How far each partition goes.
pub(super) type Ends = BTreeMap<Partition, Offset>;

/// One reading of the log.
pub(super) struct Reader {
    clock: Arc<dyn Clock>,
    limit: Duration,
    log: Box<dyn Subscription>,
    positions: BTreeMap<Partition, Offset>,
}

struct Starts(BTreeMap<Partition, Offset>);

#[async_trait]
impl ResumeFrom for Starts {
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError> {
        Ok(Progress::at(
            self.0.get(&partition).copied().unwrap_or_default(),
        ))
    }
}

impl Reader {
    pub(super) async fn start(
        clock: &Arc<dyn Clock>,
        bus: &dyn EventBus,
        group: &GroupName,
        limits: (usize, Duration),
        lag: &[PartitionLag],
    ) -> Result<Self, PortError> {
        let (max_ballots, limit) = limits;
        let starts = lag.iter().map(|lag| (lag.partition, lag.committed));
        let positions: BTreeMap<_, _> = starts.collect();
        let join = bus.subscribe(group, max_ballots, Arc::new(Starts(positions.clone())));
        let log = within(&**clock, limit, "joining a group of its own", join).await?;
        Ok(Self {
            clock: Arc::clone(clock),
            limit,
            log,
            positions,
        })
    }

    /// The next batch, until all before `ends` was read. It may be of a partition that was read so
    /// far already: votes keep coming.
    pub(super) async fn next_before(&mut self, ends: &Ends) -> Result<Option<LogBatch>, PortError> {
        let is_read = |(partition, end): (&Partition, &Offset)| {
            self.positions.get(partition).is_some_and(|at| at >= end)
        };
        if ends.iter().all(is_read) {
            return Ok(None);
        }
        let next = self.log.next();
        let batch = within(&*self.clock, self.limit, "reading the log", next).await?;
        self.positions.insert(batch.partition, batch.next);
        Ok(Some(batch))
    }

    /// Up to where a partition was read.
    pub(super) fn position(&self, partition: Partition) -> Offset {
        self.positions.get(&partition).copied().unwrap_or_default()
    }

    pub(super) async fn close(self) -> Result<(), PortError> {
        within(
            &*self.clock,
            self.limit,
            "leaving the log",
            self.log.close(),
        )
        .await
    }
}
