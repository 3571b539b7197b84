//! The candidates, and the order in which they are forgotten.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use cast_core::{
    domain::{AppliedTotal, Candidate, LogPosition, Tally},
    ports::{Checkpoint, Reading},
};

use super::count::Count;

pub(super) struct Counts {
    by_candidate: HashMap<Candidate, Count>,
    idle: Idle,
    max_idle: usize,
}

/// The candidates without pending votes, in the order in which they were last read or reconciled.
#[derive(Default)]
struct Idle {
    by_rank: BTreeMap<u64, Candidate>,
    next_rank: u64,
}

impl Counts {
    pub(super) fn new(max_idle: usize) -> Self {
        Self {
            by_candidate: HashMap::new(),
            idle: Idle::default(),
            max_idle,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_candidate.len()
    }

    pub(super) fn clear(&mut self) {
        self.by_candidate.clear();
        self.idle.by_rank.clear();
    }

    pub(super) fn remove(&mut self, candidate: &Candidate) {
        let removed = self.by_candidate.remove(candidate);
        if let Some(rank) = removed.and_then(|count| count.idle_rank) {
            self.idle.by_rank.remove(&rank);
        }
    }

    pub(super) fn record(&mut self, candidate: &Candidate, position: LogPosition, votes: u64) {
        self.change(candidate, |count| count.record(position, votes));
    }

    pub(super) fn reconcile(&mut self, checkpoint: &Checkpoint, now: Duration) {
        self.change(&checkpoint.candidate, |count| {
            count.reconcile(checkpoint, now);
        });
        while self.idle.by_rank.len() > self.max_idle {
            if let Some((_, oldest)) = self.idle.by_rank.pop_first() {
                self.by_candidate.remove(&oldest);
            }
        }
    }

    /// The applied totals of a candidate. This does not count as a reading: the candidate may be
    /// forgotten as before.
    pub(super) fn applied_totals(&self, candidate: &Candidate) -> Vec<AppliedTotal> {
        self.by_candidate
            .get(candidate)
            .map(Count::applied_totals)
            .unwrap_or_default()
    }

    pub(super) fn read(&mut self, candidate: &Candidate, now: Duration) -> Reading {
        let Some(count) = self.by_candidate.get_mut(candidate) else {
            return Reading {
                tally: Tally::none(candidate.clone()),
                age: None,
            };
        };
        self.idle.refresh(candidate, count);
        count.reading(candidate, now)
    }

    /// Changes the count of a candidate, or of a new one.
    fn change(&mut self, candidate: &Candidate, change: impl FnOnce(&mut Count)) {
        // Looked up first: the name is cloned only for a new candidate.
        let count = match self.by_candidate.get_mut(candidate) {
            Some(count) => count,
            None => self.by_candidate.entry(candidate.clone()).or_default(),
        };
        change(count);
        self.idle.refresh(candidate, count);
    }
}

impl Idle {
    /// Moves a candidate to the end of the idle ones, or out of them if it has pending votes.
    fn refresh(&mut self, candidate: &Candidate, count: &mut Count) {
        let before = count.idle_rank.take();
        let name = before.and_then(|rank| self.by_rank.remove(&rank));
        if !count.has_pending() {
            let name = name.unwrap_or_else(|| candidate.clone());
            count.idle_rank = Some(self.next_rank);
            self.by_rank.insert(self.next_rank, name);
            self.next_rank += 1;
        }
    }
}
