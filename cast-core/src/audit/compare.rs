//! What an audit knows on its way, and the comparisons that need no I/O.

use std::collections::{BTreeMap, HashMap};

use super::{
    finding::Finding,
    fold::{Fold, Sum},
    report::{AuditReport, AuditedPartition},
};
use crate::{
    domain::{Candidate, Offset, Partition},
    log_reader::LogReader,
    ports::Recount,
};

pub(super) struct Comparison {
    pub(super) recount: Recount,
    /// The votes of the store's ballots.
    pub(super) counted: BTreeMap<(Candidate, Partition), u64>,
    pub(super) fold: Fold,
    pub(super) reader: LogReader,
    pub(super) partitions: Vec<AuditedPartition>,
    /// Whether log and store belong together: otherwise no expected tally can be computed.
    pub(super) are_comparable: bool,
    pub(super) report: AuditReport,
    pub(super) max_findings: usize,
}

impl Comparison {
    pub(super) fn note(&mut self, finding: Finding) {
        self.report.note(self.max_findings, finding);
    }

    /// Compares each total of the store with the votes of its ballots, and its sums with its totals.
    pub(super) fn totals(&mut self) {
        let counts = self.recount.counts.iter();
        let differing = counts.filter(|count| count.votes != count.total);
        let findings = differing.map(|count| Finding::TotalDiffers {
            candidate: count.candidate.clone(),
            partition: count.partition,
            total: count.total,
            ballots: count.votes,
        });
        let wrong_sums = self.recount.wrong_sums.iter();
        let sums = wrong_sums.map(|wrong| Finding::SumDiffers {
            candidate: wrong.candidate.clone(),
            sum: wrong.sum,
            totals: wrong.totals,
        });
        for finding in findings.chain(sums).collect::<Vec<_>>() {
            self.note(finding);
        }
    }

    /// Compares the votes of the store's ballots with those of the log's.
    pub(super) fn ballots(&mut self) {
        let keys: Vec<_> = self.fold.keys().cloned().collect();
        for (candidate, partition) in keys {
            let log = self.fold.sum(&candidate, partition).shared;
            let key = (candidate, partition);
            let store = self.counted.get(&key).copied().unwrap_or(0);
            let is_whole = self.is_whole(partition);
            if (is_whole && log != store) || log > store {
                self.note(Finding::BallotsDiffer {
                    candidate: key.0,
                    partition,
                    progress: self.fold.progress(partition),
                    log,
                    store,
                });
            }
        }
    }

    /// Compares each applied total of the counter with the votes of the log: it depends on the log alone.
    pub(super) fn applied_totals(&mut self) {
        let keys: Vec<_> = self.fold.keys().cloned().collect();
        for (candidate, partition) in keys {
            let sum = self.fold.sum(&candidate, partition);
            let Some(total) = sum.applied else { continue };
            let audited = self.partitions.iter().find(|p| p.partition == partition);
            if audited.is_some_and(|audited| total.as_of < audited.start) {
                // The log no longer has the records that it includes.
                continue;
            }
            let expected = sum.expected_applied(self.base(&candidate, partition, sum));
            let end = self.reader.position(partition);
            if total.votes != expected || total.as_of > end {
                self.note(Finding::AppliedTotalDiffers {
                    candidate,
                    partition,
                    as_of: total.as_of,
                    end,
                    counter: total.votes,
                    log: expected,
                });
            }
        }
    }

    /// The least and the most that the tally of each candidate may be: the votes that are folded, and those
    /// that are logged.
    pub(super) fn bounds(&self) -> HashMap<Candidate, (u64, u64)> {
        let mut bounds: HashMap<Candidate, (u64, u64)> = HashMap::new();
        for (candidate, partition) in self.fold.keys() {
            let sum = self.fold.sum(candidate, *partition);
            let base = self.base(candidate, *partition, sum);
            let (least, most) = bounds.entry(candidate.clone()).or_default();
            *least = least.saturating_add(base);
            *most = most.saturating_add(base).saturating_add(sum.pending);
        }
        bounds
    }

    /// Whether the log still has the first record of a partition.
    fn is_whole(&self, partition: Partition) -> bool {
        let audited = self.partitions.iter().find(|p| p.partition == partition);
        audited.is_none_or(|audited| audited.start == Offset::START)
    }

    /// The votes in the log before the store's progress.
    fn base(&self, candidate: &Candidate, partition: Partition, sum: Sum) -> u64 {
        let counted = self.counted.get(&(candidate.clone(), partition));
        sum.base(counted.copied().unwrap_or(0), self.is_whole(partition))
    }
}
