//! Whether the target may be moved into.

use std::{collections::BTreeSet, time::Duration};

use super::{
    error::TransferError,
    run::{Stage, Transfer},
};
use crate::{
    domain::{BallotId, LogBatch, LoggedBallot},
    log_reader::{Ends, LogReader},
    ports::{GroupName, Operation, PortError, StoredBallot},
};

impl Transfer {
    /// Refuses a target that has anything but ballots of the origin. Returns how many its log has.
    pub(super) async fn compare(
        &self,
        watch: &(dyn Fn(Stage) + Sync),
    ) -> Result<u64, TransferError> {
        // A group of its own, so that consumers keep their partitions.
        let group = GroupName::unique("cast-move", &*self.target.entropy);
        let lag = self.lag(&group).await?;
        let ends: Ends = lag.iter().map(|lag| (lag.partition, lag.end)).collect();
        self.compare_progress(&ends).await?;
        if let Some(lag) = lag.iter().find(|lag| lag.committed.get() > 0) {
            return Err(TransferError::Occupied(format!(
                "partition {} of its log has lost its beginning",
                lag.partition.get()
            )));
        }
        let limits: (usize, Duration) = (self.settings.max_rows, self.settings.deadline);
        let bus = &*self.target.bus;
        let clock = &self.target.clock;
        let mut reader = LogReader::start(clock, bus, &group, limits, &lag).await?;
        let mut compared = 0;
        while let Some(batch) = reader.next_before(&ends).await? {
            compared += self.compare_batch(&batch).await?;
            watch(Stage::Compared(compared));
        }
        reader.close().await?;
        Ok(compared)
    }

    /// A store that is ahead of its log was folded from another one.
    async fn compare_progress(&self, ends: &Ends) -> Result<(), TransferError> {
        for (&partition, &end) in ends {
            let progress = self.target.store.progress(partition);
            let limit = self.settings.deadline;
            let progress = self.target.within(limit, Operation::Progress, progress);
            if progress.await?.next > end {
                return Err(TransferError::Occupied(
                    "its store has votes that its log does not have".into(),
                ));
            }
        }
        Ok(())
    }

    async fn compare_batch(&self, batch: &LogBatch) -> Result<u64, TransferError> {
        let mut ballots: Vec<&LoggedBallot> = Vec::new();
        for entry in &batch.entries {
            let content = entry.content.as_ref().map_err(|_| {
                TransferError::Occupied("its log has a record that cannot be decoded".into())
            })?;
            ballots.extend(content.iter());
        }
        let ids: BTreeSet<BallotId> = ballots.iter().map(|ballot| ballot.id).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let known = self.stored_here(&ids).await?;
        for ballot in &ballots {
            let at = ids.binary_search(&ballot.id);
            let stored = at
                .ok()
                .and_then(|at| known.get(at))
                .and_then(Option::as_ref);
            if !is_counted_as(stored, ballot) {
                return Err(TransferError::Occupied(format!(
                    "its log has the ballot {}, which was not moved from here",
                    ballot.id
                )));
            }
        }
        Ok(u64::try_from(ballots.len()).unwrap_or(u64::MAX))
    }

    async fn stored_here(&self, ids: &[BallotId]) -> Result<Vec<Option<StoredBallot>>, PortError> {
        let limit = self.settings.deadline;
        let stored = self.store.stored_ballots(ids);
        self.target
            .within(limit, Operation::StoredBallots, stored)
            .await
    }
}

/// Whether a store counted the ballot with the same contents.
pub(super) fn is_counted_as(stored: Option<&StoredBallot>, ballot: &LoggedBallot) -> bool {
    let Some(StoredBallot::Counted { ballot: stored, .. }) = stored else {
        return false;
    };
    stored.as_ref().is_ok_and(|stored| stored == ballot)
}
