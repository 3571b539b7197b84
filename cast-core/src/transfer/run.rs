//! The transfer itself: its parts in their order.

use std::{sync::Arc, time::Duration};

use super::{
    error::TransferError,
    fold::fold_to_end,
    origin::{Destination, Origin},
};
use crate::{
    domain::Candidate,
    ports::{GroupName, Operation, PartitionLag, PortError, Ports, VoteStore},
    settings::FoldSettings,
};

/// Settings of a transfer.
#[derive(Clone, Debug)]
pub struct TransferSettings {
    /// The most rows that are read, published or compared in one call.
    pub max_rows: usize,
    /// The deadline of each call.
    pub deadline: Duration,
    /// The deadline of the target's recount.
    pub recount_deadline: Duration,
    /// A transfer ends when the target has answered no call for so long.
    pub patience: Duration,
    /// How the target is folded: with its own consumer group.
    pub fold: FoldSettings,
}

impl Default for TransferSettings {
    fn default() -> Self {
        Self {
            max_rows: 4_096,
            deadline: Duration::from_secs(30),
            recount_deadline: Duration::from_secs(600),
            patience: Duration::from_secs(120),
            fold: FoldSettings::default(),
        }
    }
}

/// How far a transfer is. Each stage counts ballots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// So many ballots of the target's log were found in the origin.
    Compared(u64),
    /// The target's log has acknowledged the origin's ballots up to this number.
    Published(u64),
    /// The target's store is so many records behind its log.
    Folding(u64),
    /// So many ballots were found in the target.
    Verified(u64),
}

/// What a transfer moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferReport {
    /// The ballots that both have.
    pub ballots: u64,
    /// The candidates that have votes.
    pub candidates: u64,
    /// The votes of all ballots.
    pub votes: u64,
    /// What was rejected.
    pub rejections: u64,
}

/// Moves the votes of an origin into a target.
pub struct Transfer {
    pub(super) origin: Arc<dyn Origin>,
    /// The origin, as a store.
    pub(super) store: Arc<dyn VoteStore>,
    pub(super) target: Ports,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) settings: TransferSettings,
}

impl Transfer {
    /// A transfer of `origin` into the log and the store of `target`; `destination` is that store too. It
    /// uses neither the target's ticket source nor, but to reconcile it, its counter.
    pub fn new<O: Origin + VoteStore + 'static>(
        origin: Arc<O>,
        target: Ports,
        destination: Arc<dyn Destination>,
        settings: TransferSettings,
    ) -> Self {
        Self {
            store: Arc::clone(&origin) as Arc<dyn VoteStore>,
            origin,
            target,
            destination,
            settings,
        }
    }

    /// Moves everything, and verifies it. `published` is the last number that an earlier transfer reported
    /// as [`Stage::Published`], or 0.
    ///
    /// # Errors
    ///
    /// What was published stays; a transfer that is run again goes on.
    pub async fn run(
        &self,
        published: u64,
        watch: &(dyn Fn(Stage) + Sync),
    ) -> Result<TransferReport, TransferError> {
        let there = self.compare(watch).await?;
        // A target that was made anew since then has fewer.
        let published = if there < published { 0 } else { published };
        self.name_candidates().await?;
        self.publish(published, watch).await?;
        let rejections = self.reject().await?;
        let folding = |behind| watch(Stage::Folding(behind));
        let fold = &self.settings.fold;
        fold_to_end(&self.target, fold, self.settings.patience, &folding).await?;
        let report = self.verify(watch).await?;
        Ok(TransferReport {
            rejections,
            ..report
        })
    }

    async fn name_candidates(&self) -> Result<(), PortError> {
        let mut after = 0;
        loop {
            let page = self.origin.candidates(after, self.settings.max_rows);
            let page = page.await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.number;
            self.destination.import_candidates(&page).await?;
        }
    }

    async fn reject(&self) -> Result<u64, PortError> {
        let (mut after, mut count) = (0, 0);
        loop {
            let page = self.origin.rejections(after, self.settings.max_rows);
            let page = page.await?;
            let Some(last) = page.last() else {
                return Ok(count);
            };
            after = last.number;
            count += u64::try_from(page.len()).unwrap_or(u64::MAX);
            self.destination.import_rejections(&page).await?;
        }
    }

    pub(super) async fn lag(&self, group: &GroupName) -> Result<Vec<PartitionLag>, PortError> {
        let lag = self.target.bus.lag(group);
        let limit = self.settings.deadline;
        self.target.within(limit, Operation::Lag, lag).await
    }

    /// An error of a candidate whose votes differ.
    pub(super) fn differs(candidate: &Candidate, moved: u64, found: u64) -> TransferError {
        TransferError::Differs(format!(
            "candidate {:?} has {moved} votes here and {found} there",
            candidate.as_str()
        ))
    }
}
