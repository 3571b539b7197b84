//! The candidates behind one lock, and which of them to forget first.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use cast_core::{
    domain::{Candidate, LogPosition, Prefix},
    ports::{Reading, Settlement},
};

use super::count::Count;

pub(super) struct Shard {
    counts: HashMap<Candidate, Count>,
    /// Those without a tail, by the order in which they were last read or settled.
    idle: BTreeMap<u64, Candidate>,
    next_rank: u64,
    max_idle: usize,
}

impl Shard {
    pub(super) fn new(max_idle: usize) -> Self {
        Self {
            counts: HashMap::new(),
            idle: BTreeMap::new(),
            next_rank: 0,
            max_idle,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.idle.clear();
    }

    pub(super) fn remove(&mut self, candidate: &Candidate) {
        let removed = self.counts.remove(candidate);
        if let Some(rank) = removed.and_then(|count| count.idle_rank) {
            self.idle.remove(&rank);
        }
    }

    pub(super) fn record(&mut self, candidate: &Candidate, position: LogPosition, votes: u64) {
        self.count_of(candidate).record(position, votes);
        self.refresh(candidate);
    }

    pub(super) fn settle(&mut self, settlement: &Settlement, now: Duration) {
        self.count_of(&settlement.candidate).settle(settlement, now);
        self.refresh(&settlement.candidate);
        while self.idle.len() > self.max_idle {
            if let Some((_, oldest)) = self.idle.pop_first() {
                self.counts.remove(&oldest);
            }
        }
    }

    /// The settled prefixes of a candidate; looking at them keeps nobody from being forgotten.
    pub(super) fn settled(&self, candidate: &Candidate) -> Vec<Prefix> {
        self.counts
            .get(candidate)
            .map(Count::settled)
            .unwrap_or_default()
    }

    pub(super) fn read(&mut self, candidate: &Candidate, now: Duration) -> Option<Reading> {
        let reading = self.counts.get(candidate)?.reading(candidate, now);
        self.refresh(candidate);
        Some(reading)
    }

    fn count_of(&mut self, candidate: &Candidate) -> &mut Count {
        // Looked up twice, so that the name is cloned only for a new candidate.
        if !self.counts.contains_key(candidate) {
            self.counts.insert(candidate.clone(), Count::default());
        }
        self.counts
            .get_mut(candidate)
            .expect("it was there or has just been put there")
    }

    /// Moves a candidate to the end of the idle ones, or out of them if it has a tail.
    fn refresh(&mut self, candidate: &Candidate) {
        let Some(count) = self.counts.get_mut(candidate) else {
            return;
        };
        if let Some(rank) = count.idle_rank.take() {
            self.idle.remove(&rank);
        }
        if !count.has_tail() {
            count.idle_rank = Some(self.next_rank);
            self.idle.insert(self.next_rank, candidate.clone());
            self.next_rank += 1;
        }
    }
}
