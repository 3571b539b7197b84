//! Telling the counter what the store has.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    cast::Ports,
    deadline::within,
    domain::{Candidate, FoldStep, Prefix},
    outage::Outage,
    ports::{Clock, PortError, Settlement, VoteCounter, VoteStore},
    settings::FoldSettings,
};

/// The most settlements of one call: each call has a deadline, and a large step must not make it pass.
const CHUNK: usize = 1_000;

/// The most candidates whose settling is owed. One more heals when it is shown.
const MAX_OWED: usize = 65_536;

/// Settles what was folded. It may fail at that: the counter then shows too little of nobody, and
/// keeps tails for longer than it needs to, until the settling is made up for.
pub(super) struct Settler {
    clock: Arc<dyn Clock>,
    counter: Arc<dyn VoteCounter>,
    store: Arc<dyn VoteStore>,
    settings: FoldSettings,
    /// Whose settling failed.
    owed: Mutex<BTreeSet<Candidate>>,
    totals: Outage,
    settle: Outage,
}

impl Settler {
    pub(super) fn new(ports: &Ports, settings: FoldSettings) -> Self {
        let outage = |meaning| Outage::new(&ports.clock, meaning);
        Self {
            clock: Arc::clone(&ports.clock),
            counter: Arc::clone(&ports.counter),
            store: Arc::clone(&ports.store),
            settings,
            owed: Mutex::default(),
            totals: outage("tallies are not settled again"),
            settle: outage("tallies are not settled; they heal when read"),
        }
    }

    /// Settles the totals that a step led to.
    pub(super) async fn settle_totals(&self, step: &FoldStep, totals: Vec<(Candidate, u64)>) {
        let settlements = totals.into_iter().map(|(candidate, votes)| {
            let prefix = Prefix {
                partition: step.partition,
                votes,
                as_of: step.next,
            };
            Settlement {
                candidate,
                prefixes: vec![prefix],
                whole: false,
            }
        });
        self.settle(&settlements.collect::<Vec<_>>()).await;
        if !step.rejections.is_empty() {
            // What was rejected is in no total, but its votes are in a tail until it is settled.
            self.settle_from_store(step).await;
        }
    }

    /// Settles again what another consumer applied, or this one without learning of it.
    pub(super) async fn settle_from_store(&self, step: &FoldStep) {
        let candidates = [step.candidates(), step.rejected_candidates()].concat();
        for chunk in candidates.chunks(CHUNK) {
            self.settle_stored(chunk).await;
        }
    }

    /// Makes up for settlings that failed, some of them at a time.
    pub(super) async fn settle_owed(&self) {
        // Owed again if this fails, too.
        let owed: Vec<_> = {
            let mut all = self.owed();
            (0..CHUNK).map_while(|_| all.pop_first()).collect()
        };
        if !owed.is_empty() {
            self.settle_stored(&owed).await;
        }
    }

    async fn settle_stored(&self, candidates: &[Candidate]) {
        let limit = self.settings.apply_deadline;
        let read = self.store.tallies(candidates);
        let stored = within(&*self.clock, limit, "reading tallies from the store", read).await;
        self.totals.note(&stored);
        let Ok(stored) = stored else {
            return self.owe(candidates.iter());
        };
        let whole = stored.into_iter().map(|stored| Settlement {
            candidate: stored.candidate,
            prefixes: stored.prefixes,
            whole: true,
        });
        self.settle(&whole.collect::<Vec<_>>()).await;
    }

    async fn settle(&self, settlements: &[Settlement]) {
        for chunk in settlements.chunks(CHUNK) {
            let settled = self.settle_chunk(chunk).await;
            self.settle.note(&settled);
            if settled.is_err() {
                self.owe(chunk.iter().map(|settlement| &settlement.candidate));
            }
        }
    }

    async fn settle_chunk(&self, settlements: &[Settlement]) -> Result<(), PortError> {
        let limit = self.settings.settle_deadline;
        let settle = self.counter.settle(settlements);
        within(&*self.clock, limit, "settling tallies", settle).await
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
