//! Where a consumer reads the log: from where the store is.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    deadline::within,
    domain::{Offset, Partition},
    ports::{Clock, PortError, ResumeFrom, VoteStore},
};

/// Up to where a member of the group has read each partition that it was given.
#[derive(Default)]
pub(super) struct Reading {
    next: Mutex<BTreeMap<Partition, Offset>>,
}

impl Reading {
    /// Begins anew.
    pub(super) fn clear(&self) {
        self.next().clear();
    }

    pub(super) fn set(&self, partition: Partition, next: Offset) {
        self.next().insert(partition, next);
    }

    /// Each partition, and the first record that was not read.
    pub(super) fn all(&self) -> Vec<(Partition, Offset)> {
        let next = self.next();
        next.iter()
            .map(|(partition, next)| (*partition, *next))
            .collect()
    }

    fn next(&self) -> MutexGuard<'_, BTreeMap<Partition, Offset>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a partition from where the store is.
pub(super) struct StoreProgress {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<dyn VoteStore>,
    pub(super) reading: Arc<Reading>,
    pub(super) limit: Duration,
}

pub(super) const ASKING_FOR_PROGRESS: &str = "asking the store for its progress";

#[async_trait]
impl ResumeFrom for StoreProgress {
    async fn resume_from(&self, partition: Partition) -> Result<Offset, PortError> {
        let progress = self.store.progress(partition);
        let progress = within(&*self.clock, self.limit, ASKING_FOR_PROGRESS, progress).await?;
        self.reading.set(partition, progress);
        Ok(progress)
    }
}
