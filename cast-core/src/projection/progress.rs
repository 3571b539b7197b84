//! How far the store is, as a consumer knows it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    deadline::within,
    domain::{Offset, Partition, Progress},
    ports::{Clock, PortError, ResumeFrom, VoteStore},
};

/// Has a partition read from where the store is, and remembers where that was: only so can a store
/// that was put back be told from one that waits for votes.
pub(super) struct StoreProgress {
    clock: Arc<dyn Clock>,
    store: Arc<dyn VoteStore>,
    limit: Duration,
    /// By partition, of this membership: what the store was last known to be at.
    known: Mutex<BTreeMap<Partition, Offset>>,
}

impl StoreProgress {
    pub(super) fn new(clock: Arc<dyn Clock>, store: Arc<dyn VoteStore>, limit: Duration) -> Self {
        Self {
            clock,
            store,
            limit,
            known: Mutex::default(),
        }
    }

    /// A new membership begins: it will be told anew which partitions it has.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    /// Notes where the store is.
    pub(super) fn note(&self, partition: Partition, next: Offset) {
        self.known().insert(partition, next);
    }

    /// Asks the store again, and tells the partitions in which it is further back than it was: it was
    /// put back, and what follows is to be folded again. Tells them again until that is
    /// [noted](Self::note): whoever asked may fail before the reader is sent back.
    pub(super) async fn setbacks(&self) -> Result<Vec<(Partition, Offset)>, PortError> {
        let known: Vec<_> = self.known().iter().map(|(p, next)| (*p, *next)).collect();
        let mut setbacks = Vec::new();
        for (partition, known) in known {
            let next = self.ask(partition).await?.next;
            if next < known {
                setbacks.push((partition, next));
            }
        }
        Ok(setbacks)
    }

    async fn ask(&self, partition: Partition) -> Result<Progress, PortError> {
        let progress = self.store.progress(partition);
        let operation = "asking the store for its progress";
        within(&*self.clock, self.limit, operation, progress).await
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Partition, Offset>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ResumeFrom for StoreProgress {
    async fn resume_from(&self, partition: Partition) -> Result<Progress, PortError> {
        let progress = self.ask(partition).await?;
        self.note(partition, progress.next);
        Ok(progress)
    }
}
