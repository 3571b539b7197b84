//! The ballots, on their way into the target's log.

use std::collections::BTreeMap;

use super::run::{Stage, Transfer};
use crate::{
    backoff::Backoff,
    domain::{LoggedBallot, Partition, Partitions, Record},
    ports::{Operation, PortError},
};

impl Transfer {
    /// Publishes the ballots after number `after`.
    pub(super) async fn publish(
        &self,
        mut after: u64,
        watch: &(dyn Fn(Stage) + Sync),
    ) -> Result<(), PortError> {
        let limit = self.settings.deadline;
        let partitions = self.target.bus.partitions();
        let partitions = self.target.within(limit, Operation::Partitions, partitions);
        let partitions = partitions.await?;
        loop {
            let page = self.origin.ballots(after, self.settings.max_rows).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.number;
            let ballots = page.into_iter().map(|numbered| numbered.ballot);
            self.publish_records(records(ballots, partitions)).await?;
            watch(Stage::Published(after));
        }
    }

    /// Publishes records until each is acknowledged. One that may be in the log is published again: its
    /// ballots count once.
    async fn publish_records(&self, mut records: Vec<Record>) -> Result<(), PortError> {
        let clock = &self.target.clock;
        let fold = &self.settings.fold;
        let mut backoff = Backoff::new(fold.min_backoff, fold.max_backoff);
        let mut moved_at = clock.monotonic();
        loop {
            let publish = async { Ok(self.target.bus.publish(&records).await) };
            let limit = self.settings.deadline;
            let results = self.target.within(limit, Operation::Publish, publish);
            let (mut failed, mut reason) = (Vec::new(), None);
            match results.await {
                Ok(results) => {
                    for (record, result) in records.iter().zip(results) {
                        if let Err(error) = result {
                            failed.push(record.clone());
                            reason = Some(error);
                        }
                    }
                }
                Err(error) => {
                    failed.clone_from(&records);
                    reason = Some(error);
                }
            }
            let Some(error) = reason else {
                return Ok(());
            };
            let now = clock.monotonic();
            if failed.len() < records.len() {
                moved_at = now;
            }
            let waited = now.saturating_sub(moved_at);
            if !error.is_transient() || waited > self.settings.patience {
                return Err(error);
            }
            records = failed;
            clock.sleep(backoff.next_pause()).await;
        }
    }
}

/// Ballots as records of their partitions, in their order.
fn records(ballots: impl Iterator<Item = LoggedBallot>, partitions: Partitions) -> Vec<Record> {
    let mut of: BTreeMap<Partition, Vec<LoggedBallot>> = BTreeMap::new();
    for ballot in ballots {
        let partition = partitions.partition_of(ballot.id);
        of.entry(partition).or_default().push(ballot);
    }
    let records = of.into_iter().flat_map(|(partition, ballots)| {
        let chunks: Vec<_> = ballots
            .chunks(Record::MAX_BALLOTS)
            .map(|some| Record::new(partition, some))
            .collect();
        chunks
    });
    records.collect()
}
