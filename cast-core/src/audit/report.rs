//! The report of an audit.

use super::finding::Finding;
use crate::domain::{Offset, Partition};

/// What an audit compared, and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// The part of each partition that was compared.
    pub partitions: Vec<AuditedPartition>,
    /// The number of candidates in the store.
    pub candidates: usize,
    /// The number of ballots in the log that count. Those before the store's progress were compared with
    /// the store's ballots.
    pub ballots: u64,
    /// The number of further ballots that repeat another one.
    pub repeated: u64,
    /// The number of further ballots that the store rejected.
    pub rejected: u64,
    /// The number of undecodable records in the log.
    pub unreadable: u64,
    /// The result for the counter's tallies.
    pub counter: CounterAudit,
    /// The differences in the order in which they were found, up to the limit of the settings.
    pub findings: Vec<Finding>,
    /// The number of further differences.
    pub unlisted: u64,
}

impl AuditReport {
    /// Whether there is no difference.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.unlisted == 0
    }

    /// Adds a difference: to the list while it has fewer than `most`, otherwise to the number.
    pub(super) fn note(&mut self, most: usize, finding: Finding) {
        if self.findings.len() < most {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }
}

/// The part of a partition that was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditedPartition {
    /// The partition.
    pub partition: Partition,
    /// The first record that the log still had.
    pub start: Offset,
    /// The store's progress: ballots before it were compared with the log.
    pub progress: Offset,
    /// The offset up to which the log was read.
    pub end: Offset,
}

impl AuditedPartition {
    /// Whether the log still had the first record of the partition.
    pub fn is_whole(&self) -> bool {
        self.start == Offset::START
    }
}

/// The result for the counter's tallies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterAudit {
    /// The number of tallies.
    pub compared: usize,
    /// The number of misses: they are loaded from the store when they are shown next.
    pub missed: usize,
    /// The number of tallies with fewer votes than the store: they are refreshed when they are shown or
    /// reconciled next.
    pub behind: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Candidate;

    fn high(shown: u64) -> Finding {
        Finding::ShownTooHigh {
            candidate: Candidate::new("alice").expect("a name"),
            shown,
            least: 1,
            most: 2,
        }
    }

    #[test]
    fn a_report_is_clean_while_there_is_no_difference_listed_or_not() {
        let mut report = AuditReport::default();
        assert!(report.is_clean());
        report.note(1, high(3));
        assert!(!report.is_clean());
        assert_eq!((report.findings.len(), report.unlisted), (1, 0));
        report.note(1, high(4));
        report.note(1, high(5));
        assert_eq!((report.findings.len(), report.unlisted), (1, 2));

        let mut unlisted = AuditReport::default();
        unlisted.note(0, high(3));
        assert!(unlisted.findings.is_empty() && !unlisted.is_clean());
    }

    #[test]
    fn a_partition_is_whole_while_the_log_has_its_first_record() {
        let from = |start| AuditedPartition {
            partition: Partition::new(0),
            start: Offset::new(start),
            progress: Offset::new(5),
            end: Offset::new(5),
        };
        assert!(from(0).is_whole());
        assert!(!from(1).is_whole());
    }
}
