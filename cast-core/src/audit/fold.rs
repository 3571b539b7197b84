//! The fold of the log by an audit, which also compares each ballot with the store's copy.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{finding::Finding, report::AuditReport};
use crate::{
    domain::{
        AppliedTotal, BallotId, Candidate, LogBatch, LogPosition, LoggedBallot, Offset, Partition,
        Selections,
    },
    ports::{Recount, StoredBallot},
};

/// The sums of the log's ballots that were read so far.
pub(super) struct Fold {
    progress: BTreeMap<Partition, Offset>,
    sums: BTreeMap<(Candidate, Partition), Sum>,
    /// Ballots that the store does not have. Each counts once.
    unknown: HashSet<BallotId>,
}

/// The votes of a candidate in a partition, as far as it was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    /// The votes before the store's progress.
    pub(super) folded: u64,
    /// The votes of the store's copies of those ballots.
    pub(super) shared: u64,
    /// The votes after the store's progress.
    pub(super) pending: u64,
    /// The counter's applied total, if it has one.
    pub(super) applied: Option<AppliedTotal>,
    /// The votes before the offset of that total.
    pub(super) before_applied: u64,
}

impl Sum {
    /// The votes in the log before the store's progress. `counted` is the votes of the store's own ballots:
    /// where the beginning of the log was deleted, only the store has that part.
    pub(super) fn base(&self, counted: u64, is_whole: bool) -> u64 {
        if is_whole {
            self.folded
        } else {
            let gone = counted.saturating_sub(self.shared);
            gone.saturating_add(self.folded)
        }
    }

    /// What the counter's applied total should be, given the [`base`](Self::base).
    pub(super) const fn expected_applied(&self, base: u64) -> u64 {
        base.saturating_add(self.before_applied)
            .saturating_sub(self.folded)
    }
}

/// A ballot of the log that counts at its position.
struct Counting<'a> {
    position: LogPosition,
    ballot: &'a LoggedBallot,
    is_folded: bool,
}

impl Fold {
    /// Begins with nothing read, and with the store's progress.
    pub(super) fn new(recount: &Recount) -> Self {
        let keys = recount.counts.iter();
        let sums = keys.map(|c| ((c.candidate.clone(), c.partition), Sum::default()));
        Self {
            progress: recount.progress.iter().copied().collect(),
            sums: sums.collect(),
            unknown: HashSet::new(),
        }
    }

    pub(super) fn progress(&self, partition: Partition) -> Offset {
        self.progress.get(&partition).copied().unwrap_or_default()
    }

    pub(super) fn sum(&self, candidate: &Candidate, partition: Partition) -> Sum {
        let sum = self.sums.get(&(candidate.clone(), partition));
        sum.copied().unwrap_or_default()
    }

    /// Each candidate and partition, in their order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &(Candidate, Partition)> {
        self.sums.keys()
    }

    /// Notes the counter's applied totals, so that the votes before their offsets are summed as well.
    pub(super) fn mark(&mut self, candidate: &Candidate, applied_totals: &[AppliedTotal]) {
        for total in applied_totals {
            self.sum_of(candidate, total.partition).applied = Some(*total);
        }
    }

    /// Adds the next batch, counts its ballots and records in the report, and compares the ballots with the
    /// stored ones. Returns the differences.
    pub(super) fn add(
        &mut self,
        batch: &LogBatch,
        stored: &HashMap<BallotId, StoredBallot>,
        report: &mut AuditReport,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for entry in &batch.entries {
            let Ok(ballots) = &entry.content else {
                report.unreadable += 1;
                continue;
            };
            let position = LogPosition {
                partition: batch.partition,
                offset: entry.offset,
            };
            let is_folded = entry.offset < self.progress(batch.partition);
            let mut in_record = HashSet::with_capacity(ballots.len());
            for ballot in ballots.iter() {
                let answer = stored.get(&ballot.id);
                if !in_record.insert(ballot.id) {
                    report.repeated += 1;
                    continue;
                }
                if !self.counts_here(ballot.id, position, answer, report) {
                    continue;
                }
                // The store counts the first copy that it can hold, which is nearly always the first one.
                let stored = match answer {
                    Some(StoredBallot::Counted { ballot, .. }) => Some(ballot),
                    _ => None,
                };
                let mut copies = ballots.iter().filter(|copy| copy.id == ballot.id);
                let same = copies.find(|copy| stored.is_some_and(|s| s.as_ref() == Ok(*copy)));
                let counting = Counting {
                    position,
                    ballot: same.unwrap_or(ballot),
                    is_folded,
                };
                report.ballots += 1;
                findings.extend(self.count(&counting, stored));
            }
        }
        findings
    }

    /// Whether a ballot counts at this position of the log, according to the store. One that does not is
    /// counted in the report, as rejected or as repeated.
    fn counts_here(
        &mut self,
        id: BallotId,
        here: LogPosition,
        stored: Option<&StoredBallot>,
        report: &mut AuditReport,
    ) -> bool {
        match stored {
            Some(StoredBallot::Counted { position, .. }) if *position == here => true,
            Some(StoredBallot::Rejected { position }) if *position == here => {
                report.rejected += 1;
                false
            }
            None if self.unknown.insert(id) => true,
            _ => {
                report.repeated += 1;
                false
            }
        }
    }

    fn count(
        &mut self,
        counting: &Counting<'_>,
        stored: Option<&Result<LoggedBallot, String>>,
    ) -> Option<Finding> {
        let Counting {
            position,
            ballot,
            is_folded,
        } = *counting;
        for selection in ballot.selections.iter() {
            let sum = self.sum_of(&selection.candidate, position.partition);
            let votes = u64::from(selection.votes.get());
            let side = if is_folded {
                &mut sum.folded
            } else {
                &mut sum.pending
            };
            *side = side.saturating_add(votes);
            if sum
                .applied
                .is_some_and(|total| position.offset < total.as_of)
            {
                sum.before_applied = sum.before_applied.saturating_add(votes);
            }
        }
        match stored {
            None if is_folded => Some(Finding::BallotMissing {
                ballot: ballot.id,
                position,
            }),
            None => None,
            Some(stored) => {
                if let (true, Ok(stored)) = (is_folded, stored) {
                    self.share(&stored.selections, position.partition);
                }
                let is_same = stored.as_ref() == Ok(ballot);
                (!is_same).then(|| Finding::BallotAltered {
                    ballot: ballot.id,
                    position,
                    log: describe(ballot),
                    store: match stored {
                        Ok(stored) => describe(stored),
                        Err(why) => format!("has {why}"),
                    },
                })
            }
        }
    }

    fn share(&mut self, selections: &Selections, partition: Partition) {
        for selection in selections.iter() {
            let sum = self.sum_of(&selection.candidate, partition);
            sum.shared = sum.shared.saturating_add(selection.votes.get().into());
        }
    }

    fn sum_of(&mut self, candidate: &Candidate, partition: Partition) -> &mut Sum {
        let key = (candidate.clone(), partition);
        self.sums.entry(key).or_default()
    }
}

/// Describes a ballot in words.
fn describe(ballot: &LoggedBallot) -> String {
    let voter = ballot.voter.as_ref();
    let voter = voter.map_or(String::new(), |voter| format!(" by {voter:?}"));
    let (key, issued_at) = (ballot.ticket.key_id.get(), ballot.ticket.issued_at);
    let selections = &ballot.selections;
    format!("{selections:?}{voter} with a ticket of key {key} issued at {issued_at:?}")
}
