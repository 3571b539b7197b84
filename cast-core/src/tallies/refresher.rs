//! Loads tallies from the store into the counter, where the counter has lost or may have missed votes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{Candidate, StoredTally, Tally},
    outage::Outage,
    ports::{Checkpoint, Operation, PortError, Ports, Reading},
    settings::TallySettings,
};

/// The most candidates that wait to be refreshed. One above that is requested again when it is shown
/// next.
const MAX_WANTED: usize = 4_096;

/// The most candidates of one load in the background: each load has a deadline.
const CHUNK: usize = 500;

/// Refreshes tallies: missing ones at once, old ones in the background.
pub(crate) struct Refresher {
    ports: Ports,
    settings: TallySettings,
    /// Candidates whose tallies are old. They stay here while they are refreshed, so that they are not
    /// requested twice.
    wanted: Mutex<BTreeSet<Candidate>>,
    asked: Notify,
    /// When the store may be read again after a failure, by the monotonic clock.
    store_paused_until: Mutex<Duration>,
    background_outage: Outage,
    reconcile_outage: Outage,
}

/// Tallies that the counter did not have, as they can be shown now.
pub(crate) struct Refreshed {
    /// In the order of the candidates.
    pub(crate) tallies: Vec<Tally>,
    /// Whether they lack pending votes, because the counter does not answer.
    pub(crate) stale: bool,
}

impl Refresher {
    pub(crate) fn new(ports: &Ports, settings: TallySettings) -> Self {
        let outage = |meaning| Outage::new(&ports.clock, meaning);
        Self {
            ports: ports.clone(),
            settings,
            wanted: Mutex::default(),
            asked: Notify::new(),
            store_paused_until: Mutex::default(),
            background_outage: outage("old tallies are not refreshed"),
            reconcile_outage: outage(
                "tallies are those of the store: the counter cannot be reconciled",
            ),
        }
    }

    /// Requests that a candidate is refreshed in the background.
    pub(crate) fn want(&self, candidate: &Candidate) {
        let mut wanted = self.wanted.lock();
        if wanted.len() < MAX_WANTED && !wanted.contains(candidate) {
            wanted.insert(candidate.clone());
            self.asked.notify_one();
        }
    }

    /// Refreshes requested candidates, all that wait at once, until `stop` is cancelled.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                // It stops even where candidates wait; and there is no unseeded randomness.
                biased;
                () = stop.cancelled() => return,
                () = self.asked.notified() => {}
            }
            let batch: Vec<_> = self.wanted.lock().iter().cloned().collect();
            for chunk in batch.chunks(CHUNK) {
                self.background_outage.note(&self.load(chunk).await);
            }
            let mut wanted = self.wanted.lock();
            for candidate in &batch {
                wanted.remove(candidate);
            }
        }
    }

    /// Loads candidates that the counter does not have from the store into it, and returns their tallies.
    ///
    /// A candidate without votes is not loaded: otherwise requests for random names would fill the counter.
    pub(crate) async fn refresh(&self, missed: &[Reading]) -> Result<Refreshed, PortError> {
        let candidates: Vec<_> = missed.iter().map(|r| r.tally.candidate.clone()).collect();
        let stored = self.stored(&candidates).await?;
        let has_votes = |(stored, reading): &(&StoredTally, &Reading)| {
            stored.tally().votes > 0 || reading.tally.votes > 0
        };
        let known = stored
            .iter()
            .zip(missed)
            .filter(has_votes)
            .map(|(stored, _)| stored);
        let reconciled = self.reconciled(&candidates, known).await;
        self.reconcile_outage.note(&reconciled);
        Ok(match reconciled {
            Ok(readings) => Refreshed {
                tallies: readings
                    .into_iter()
                    .zip(&stored)
                    // Still a miss: a candidate without votes, or one that was evicted just now.
                    .map(|(reading, stored)| match reading.age {
                        Some(_) => reading.tally,
                        None => stored.tally(),
                    })
                    .collect(),
                stale: false,
            },
            Err(_) => Refreshed {
                tallies: stored.iter().map(StoredTally::tally).collect(),
                stale: true,
            },
        })
    }

    /// Reconciles the counter with what the store has, and reads it then.
    async fn reconciled<'a>(
        &self,
        candidates: &[Candidate],
        known: impl Iterator<Item = &'a StoredTally>,
    ) -> Result<Vec<Reading>, PortError> {
        self.reconcile(known).await?;
        let (read, limit) = (
            self.ports.counter.read(candidates),
            self.settings.read_deadline,
        );
        self.ports.within(limit, Operation::Read, read).await
    }

    async fn reconcile<'a>(
        &self,
        known: impl Iterator<Item = &'a StoredTally>,
    ) -> Result<(), PortError> {
        let checkpoints: Vec<_> = known.cloned().map(Checkpoint::from).collect();
        let reconcile = self.ports.counter.reconcile(&checkpoints);
        let limit = self.settings.read_deadline;
        self.ports
            .within(limit, Operation::Reconcile, reconcile)
            .await
    }

    /// Loads candidates from the store into the counter.
    async fn load(&self, candidates: &[Candidate]) -> Result<(), PortError> {
        self.check_pause()?;
        // A failure here does not pause the reads for voters: this call may have many more candidates.
        let stored = self.read_store(candidates).await?;
        self.reconcile(stored.iter()).await
    }

    /// Reads the store, unless it failed a moment ago: otherwise each vote would wait for the deadline while
    /// the store is down.
    pub(crate) async fn stored(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<StoredTally>, PortError> {
        self.check_pause()?;
        let stored = self.read_store(candidates).await;
        if stored.is_err() {
            let until = self.ports.clock.monotonic() + self.settings.store_pause;
            *self.store_paused_until.lock() = until;
        }
        stored
    }

    fn check_pause(&self) -> Result<(), PortError> {
        if self.ports.clock.monotonic() < *self.store_paused_until.lock() {
            let why = "the store failed a moment ago";
            return Err(PortError::unavailable(Operation::Tallies.name(), why));
        }
        Ok(())
    }

    async fn read_store(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        let (read, limit) = (
            self.ports.store.tallies(candidates),
            self.settings.store_deadline,
        );
        self.ports.within(limit, Operation::Tallies, read).await
    }
}
