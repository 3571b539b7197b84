//! The store's progress, as a consumer knows it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    deadline::within,
    domain::{Clock, Offset, Partition, Progress},
    ports::{Operation, PortError, Ports, ResumeFrom, VoteStore},
};

/// Resumes partitions at the store's progress, and remembers it: a store whose progress is behind that was
/// restored from a backup.
///
/// It does not hold the log: a subscription of the log holds it.
pub(super) struct StoreProgress {
    clock: Arc<dyn Clock>,
    store: Arc<dyn VoteStore>,
    limit: Duration,
    /// The last known progress of each partition that was assigned to this member.
    known: Mutex<BTreeMap<Partition, Offset>>,
}

impl StoreProgress {
    pub(super) fn new(ports: &Ports, limit: Duration) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            store: Arc::clone(&ports.store),
            limit,
            known: Mutex::default(),
        }
    }

    /// Forgets all partitions: a new membership begins, with other partitions.
    pub(super) fn forget(&self) {
        self.known.lock().clear();
    }

    /// Notes the store's progress in a partition.
    pub(super) fn note(&self, partition: Partition, next: Offset) {
        self.known.lock().insert(partition, next);
    }

    /// Reads the store's progress again, and returns the partitions in which it went back: the store was
    /// restored, and what follows must be folded again. A partition is returned until its new progress is
    /// [noted](Self::note), because the caller may fail before it could seek.
    pub(super) async fn rewinds(&self) -> Result<Vec<(Partition, Offset)>, PortError> {
        let known = self.known.lock().clone();
        let mut rewinds = Vec::new();
        for (partition, known) in known {
            let next = self.read(partition).await?.next;
            if next < known {
                rewinds.push((partition, next));
            }
        }
        Ok(rewinds)
    }

    async fn read(&self, partition: Partition) -> Result<Progress, PortError> {
        let progress = self.store.progress(partition);
        within(&*self.clock, self.limit, Operation::Progress, progress).await
    }
}

#[async_trait]
impl ResumeFrom for StoreProgress {
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError> {
        let progress = self.read(partition).await?;
        self.note(partition, progress.next);
        Ok(progress)
    }
}
