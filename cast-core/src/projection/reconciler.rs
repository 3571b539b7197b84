//! Reconciles the counter with what the store has applied.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::{
    domain::{AppliedTotal, Candidate, FoldStep},
    outage::Outage,
    ports::{Checkpoint, Operation, PortError, Ports},
    settings::FoldSettings,
};

/// The most checkpoints of one call. Each call has a deadline, which a large step must not exceed.
const CHUNK: usize = 1_000;

/// The most candidates that wait for a retry. One above that is refreshed when it is shown.
const MAX_UNRECONCILED: usize = 65_536;

/// Reconciles the counter with the steps that were folded. It may fail: no tally is then too low, and the
/// counter keeps pending votes for longer than it has to, until a retry succeeds.
pub(super) struct Reconciler {
    ports: Ports,
    settings: FoldSettings,
    /// The candidates whose reconciliation failed.
    unreconciled: Mutex<BTreeSet<Candidate>>,
    read_outage: Outage,
    reconcile_outage: Outage,
}

impl Reconciler {
    pub(super) fn new(ports: &Ports, settings: FoldSettings) -> Self {
        let outage = |meaning| Outage::new(&ports.clock, meaning);
        Self {
            ports: ports.clone(),
            settings,
            unreconciled: Mutex::default(),
            read_outage: outage("tallies are not reconciled: the store cannot be read"),
            reconcile_outage: outage("tallies are not reconciled: the counter does not answer"),
        }
    }

    /// Reconciles the totals of a step that was applied.
    pub(super) async fn reconcile_totals(&self, step: &FoldStep, totals: Vec<(Candidate, u64)>) {
        let checkpoints = totals.into_iter().map(|(candidate, votes)| {
            let total = AppliedTotal {
                partition: step.partition,
                votes,
                as_of: step.next,
            };
            Checkpoint {
                candidate,
                applied_totals: vec![total],
                whole: false,
            }
        });
        self.reconcile(&checkpoints.collect::<Vec<_>>()).await;
        if !step.rejections.is_empty() {
            // Rejected votes are in no total, but they are pending until the counter is reconciled.
            self.reconcile_from_store(step).await;
        }
    }

    /// Reconciles a step that was applied before: by another consumer, or by this one in a call whose answer
    /// was lost.
    pub(super) async fn reconcile_from_store(&self, step: &FoldStep) {
        let candidates = [step.candidates(), step.rejected_candidates()].concat();
        for chunk in candidates.chunks(CHUNK) {
            self.reconcile_stored(chunk).await;
        }
    }

    /// Retries reconciliations that failed, some of them at a time.
    pub(super) async fn retry(&self) {
        // What fails again is noted again.
        let some: Vec<_> = {
            let mut unreconciled = self.unreconciled.lock();
            (0..CHUNK).map_while(|_| unreconciled.pop_first()).collect()
        };
        if !some.is_empty() {
            self.reconcile_stored(&some).await;
        }
    }

    async fn reconcile_stored(&self, candidates: &[Candidate]) {
        let limit = self.settings.apply_deadline;
        let read = self.ports.store.tallies(candidates);
        let stored = self.ports.within(limit, Operation::Tallies, read).await;
        self.read_outage.note(&stored);
        let Ok(stored) = stored else {
            return self.note_failed(candidates.iter());
        };
        let whole = stored.into_iter().map(Checkpoint::from);
        self.reconcile(&whole.collect::<Vec<_>>()).await;
    }

    async fn reconcile(&self, checkpoints: &[Checkpoint]) {
        for chunk in checkpoints.chunks(CHUNK) {
            let reconciled = self.reconcile_chunk(chunk).await;
            self.reconcile_outage.note(&reconciled);
            if reconciled.is_err() {
                self.note_failed(chunk.iter().map(|checkpoint| &checkpoint.candidate));
            }
        }
    }

    async fn reconcile_chunk(&self, checkpoints: &[Checkpoint]) -> Result<(), PortError> {
        let limit = self.settings.reconcile_deadline;
        let reconcile = self.ports.counter.reconcile(checkpoints);
        self.ports
            .within(limit, Operation::Reconcile, reconcile)
            .await
    }

    fn note_failed<'a>(&self, candidates: impl Iterator<Item = &'a Candidate>) {
        let mut unreconciled = self.unreconciled.lock();
        for candidate in candidates {
            if unreconciled.len() < MAX_UNRECONCILED {
                unreconciled.insert(candidate.clone());
            }
        }
    }
}
