//! Loads into the counter, from the store, what the counter has lost or may have missed.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    deadline::within,
    domain::{Candidate, StoredTally, Tally},
    outage::Outage,
    ports::{Checkpoint, Clock, PortError, Ports, Reading, VoteCounter, VoteStore},
    settings::TallySettings,
};

/// The most candidates that wait to be healed: one that finds no room is asked for again by the
/// next that is shown its tally.
const MAX_WANTED: usize = 4_096;

/// The most candidates that are loaded at once in the background: each loading has a deadline.
const CHUNK: usize = 500;

const LOADING: &str = "loading tallies from the store";

/// Heals tallies: at once those that are missed, in the background those that are old.
pub(crate) struct Refresher {
    clock: Arc<dyn Clock>,
    counter: Arc<dyn VoteCounter>,
    store: Arc<dyn VoteStore>,
    settings: TallySettings,
    /// Candidates that are old. They stay here while they are healed, so that nobody asks again.
    wanted: Mutex<BTreeSet<Candidate>>,
    asked: Notify,
    /// Until when, in monotonic milliseconds, the store is left alone after it failed.
    store_paused_until_ms: AtomicU64,
    outages: Outages,
}

/// What may be down.
struct Outages {
    background: Outage,
    reconcile: Outage,
}

/// Tallies that were missed, as they can be shown.
pub(crate) struct Healed {
    /// In the order of what was missed.
    pub(crate) tallies: Vec<Tally>,
    /// Whether they are the store's alone, because the counter could not take them.
    pub(crate) stale: bool,
}

impl Refresher {
    pub(crate) fn new(ports: &Ports, settings: TallySettings) -> Self {
        Self {
            clock: Arc::clone(&ports.clock),
            counter: Arc::clone(&ports.counter),
            store: Arc::clone(&ports.store),
            settings,
            wanted: Mutex::default(),
            asked: Notify::new(),
            store_paused_until_ms: AtomicU64::new(0),
            outages: Outages {
                background: Outage::new(&ports.clock, "old tallies cannot be healed"),
                reconcile: Outage::new(&ports.clock, "tallies are shown as the store has them"),
            },
        }
    }

    /// Asks for a candidate to be healed soon.
    pub(crate) fn want(&self, candidate: &Candidate) {
        let mut wanted = self.locked_wanted();
        if wanted.len() < MAX_WANTED && !wanted.contains(candidate) {
            wanted.insert(candidate.clone());
            self.asked.notify_one();
        }
    }

    /// Heals what is asked for, all that waits at once, until it is told to stop.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                // Told to stop, it stops, even where somebody is still to be healed; and no dice are
                // thrown that a test could not hold.
                biased;
                () = stop.cancelled() => return,
                () = self.asked.notified() => {}
            }
            let batch: Vec<_> = self.locked_wanted().iter().cloned().collect();
            for chunk in batch.chunks(CHUNK) {
                self.outages.background.note(&self.load(chunk).await);
            }
            let mut wanted = self.locked_wanted();
            for candidate in &batch {
                wanted.remove(candidate);
            }
        }
    }

    fn locked_wanted(&self) -> std::sync::MutexGuard<'_, BTreeSet<Candidate>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads what the store knows of candidates that the counter does not, and reconciles it; returns
    /// the tallies that can be shown then.
    ///
    /// Somebody never voted for is not reconciled: else a counter could be filled by asking for names.
    pub(crate) async fn heal(&self, missed: &[Reading]) -> Result<Healed, PortError> {
        let candidates: Vec<_> = missed.iter().map(|r| r.tally.candidate.clone()).collect();
        let stored = self.stored(&candidates).await?;
        let worth_it = |(stored, reading): &(&StoredTally, &Reading)| {
            stored.tally().votes > 0 || reading.tally.votes > 0
        };
        let known = stored
            .iter()
            .zip(missed)
            .filter(worth_it)
            .map(|(stored, _)| stored);
        let reconciled = self.reconciled(&candidates, known).await;
        self.outages.reconcile.note(&reconciled);
        Ok(match reconciled {
            Ok(readings) => Healed {
                tallies: readings
                    .into_iter()
                    .zip(&stored)
                    // Still a miss: never voted for, or forgotten again this very moment.
                    .map(|(reading, stored)| match reading.age {
                        Some(_) => reading.tally,
                        None => stored.tally(),
                    })
                    .collect(),
                stale: false,
            },
            Err(_) => Healed {
                tallies: stored.iter().map(StoredTally::tally).collect(),
                stale: true,
            },
        })
    }

    /// Reconciles what the store knows, and reads what the counter shows then.
    async fn reconciled<'a>(
        &self,
        candidates: &[Candidate],
        known: impl Iterator<Item = &'a StoredTally>,
    ) -> Result<Vec<Reading>, PortError> {
        self.reconcile(known).await?;
        let (read, limit) = (self.counter.read(candidates), self.settings.read_deadline);
        within(&*self.clock, limit, "reading tallies", read).await
    }

    async fn reconcile<'a>(
        &self,
        known: impl Iterator<Item = &'a StoredTally>,
    ) -> Result<(), PortError> {
        let checkpoints: Vec<_> = known
            .map(|stored| Checkpoint {
                candidate: stored.candidate.clone(),
                applied_totals: stored.applied_totals.clone(),
                whole: true,
            })
            .collect();
        let (reconcile, limit) = (
            self.counter.reconcile(&checkpoints),
            self.settings.read_deadline,
        );
        within(&*self.clock, limit, "reconciling tallies", reconcile).await
    }

    /// Loads candidates from the store into the counter.
    async fn load(&self, candidates: &[Candidate]) -> Result<(), PortError> {
        self.check_pause()?;
        // Should this be too slow, it says nothing of what voters ask for.
        let stored = self.read_store(candidates).await?;
        self.reconcile(stored.iter()).await
    }

    /// Reads the store, unless it failed a moment ago: a store that is down must not make each vote
    /// wait for its deadline.
    pub(crate) async fn stored(
        &self,
        candidates: &[Candidate],
    ) -> Result<Vec<StoredTally>, PortError> {
        self.check_pause()?;
        let stored = self.read_store(candidates).await;
        if stored.is_err() {
            let until = self.clock.monotonic() + self.settings.store_pause;
            self.store_paused_until_ms
                .store(as_ms(until), Ordering::Relaxed);
        }
        stored
    }

    fn check_pause(&self) -> Result<(), PortError> {
        if monotonic_ms(&*self.clock) < self.store_paused_until_ms.load(Ordering::Relaxed) {
            let why = "the store failed a moment ago";
            return Err(PortError::unavailable(LOADING, why));
        }
        Ok(())
    }

    async fn read_store(&self, candidates: &[Candidate]) -> Result<Vec<StoredTally>, PortError> {
        let (read, limit) = (self.store.tallies(candidates), self.settings.store_deadline);
        within(&*self.clock, limit, LOADING, read).await
    }
}

fn monotonic_ms(clock: &dyn Clock) -> u64 {
    as_ms(clock.monotonic())
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
