//! Telling the counter what the store has.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    deadline::within,
    domain::{AppliedTotal, Candidate, FoldStep},
    outage::Outage,
    ports::{Checkpoint, Clock, PortError, Ports, VoteCounter, VoteStore},
    settings::FoldSettings,
};

/// The most checkpoints of one call: each call has a deadline, and a large step must not make it pass.
const CHUNK: usize = 1_000;

/// The most candidates whose reconciling is owed. One more heals when it is shown.
const MAX_OWED: usize = 65_536;

/// Reconciles what was folded. It may fail at that: the counter then shows too little of nobody, and
/// keeps tails for longer than it needs to, until the reconciling is made up for.
pub(super) struct Reconciler {
    clock: Arc<dyn Clock>,
    counter: Arc<dyn VoteCounter>,
    store: Arc<dyn VoteStore>,
    settings: FoldSettings,
    /// Whose reconciling failed.
    owed: Mutex<BTreeSet<Candidate>>,
    totals: Outage,
    reconcile: Outage,
}

impl Reconciler {
    pub(super) fn new(ports: &Ports, settings: FoldSettings) -> Self {
        let outage = |meaning| Outage::new(&ports.clock, meaning);
        Self {
            clock: Arc::clone(&ports.clock),
            counter: Arc::clone(&ports.counter),
            store: Arc::clone(&ports.store),
            settings,
            owed: Mutex::default(),
            totals: outage("tallies are not reconciled again"),
            reconcile: outage("tallies are not reconciled; they heal when read"),
        }
    }

    /// Reconciles the totals that a step led to.
    pub(super) async fn reconcile_totals(&self, step: &FoldStep, totals: Vec<(Candidate, u64)>) {
        let checkpoints = totals.into_iter().map(|(candidate, votes)| {
            let prefix = AppliedTotal {
                partition: step.partition,
                votes,
                as_of: step.next,
            };
            Checkpoint {
                candidate,
                applied_totals: vec![prefix],
                whole: false,
            }
        });
        self.reconcile(&checkpoints.collect::<Vec<_>>()).await;
        if !step.rejections.is_empty() {
            // What was rejected is in no total, but its votes are in a tail until it is reconciled.
            self.reconcile_from_store(step).await;
        }
    }

    /// Reconciles again what another consumer applied, or this one without learning of it.
    pub(super) async fn reconcile_from_store(&self, step: &FoldStep) {
        let candidates = [step.candidates(), step.rejected_candidates()].concat();
        for chunk in candidates.chunks(CHUNK) {
            self.reconcile_stored(chunk).await;
        }
    }

    /// Makes up for reconciliations that failed, some of them at a time.
    pub(super) async fn reconcile_owed(&self) {
        // Owed again if this fails, too.
        let owed: Vec<_> = {
            let mut all = self.owed();
            (0..CHUNK).map_while(|_| all.pop_first()).collect()
        };
        if !owed.is_empty() {
            self.reconcile_stored(&owed).await;
        }
    }

    async fn reconcile_stored(&self, candidates: &[Candidate]) {
        let limit = self.settings.apply_deadline;
        let read = self.store.tallies(candidates);
        let stored = within(&*self.clock, limit, "reading tallies from the store", read).await;
        self.totals.note(&stored);
        let Ok(stored) = stored else {
            return self.owe(candidates.iter());
        };
        let whole = stored.into_iter().map(|stored| Checkpoint {
            candidate: stored.candidate,
            applied_totals: stored.applied_totals,
            whole: true,
        });
        self.reconcile(&whole.collect::<Vec<_>>()).await;
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) {
        for chunk in checkpoints.chunks(CHUNK) {
            let reconciled = self.reconcile_chunk(chunk).await;
            self.reconcile.note(&reconciled);
            if reconciled.is_err() {
                self.owe(chunk.iter().map(|checkpoint| &checkpoint.candidate));
            }
        }
    }

    async fn reconcile_chunk(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        let limit = self.settings.reconcile_deadline;
        let reconcile = self.counter.reconcile(checkpoints);
        within(&*self.clock, limit, "reconciling tallies", reconcile).await
    }

    fn owe<'a>(&self, candidates: impl Iterator<Item = &'a Candidate>) {
        let mut owed = self.owed();
        for candidate in candidates {
            if owed.len() < MAX_OWED {
                owed.insert(candidate.clone());
            }
        }
    }

    fn owed(&self) -> MutexGuard<'_, BTreeSet<Candidate>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
