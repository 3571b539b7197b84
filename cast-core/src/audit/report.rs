//! What an audit tells.

use std::fmt;

use crate::domain::{BallotId, Candidate, LogPosition, Offset, Partition};

/// What was compared, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// How much of each partition was compared.
    pub partitions: Vec<AuditedPartition>,
    /// How many candidates the store has.
    pub candidates: usize,
    /// How many ballots of the log count. Those before the store's progress were compared with its
    /// own.
    pub ballots: u64,
    /// How many more were repeats of another one.
    pub repeated: u64,
    /// How many more the store rejected.
    pub rejected: u64,
    /// How many records of the log cannot be read.
    pub unreadable: u64,
    /// What became of the counter's tallies.
    pub counter: CounterAudit,
    /// The differences, in the order in which they were met; the rest were too many to list.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub unlisted: u64,
}

impl AuditReport {
    /// Whether everything says what the log says.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.unlisted == 0
    }

    /// Notes a difference, in the list while it has fewer than `most`.
    pub(super) fn note(&mut self, most: usize, finding: Finding) {
        if self.findings.len() < most {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }
}

/// How much of a partition was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditedPartition {
    /// Which.
    pub partition: Partition,
    /// The first record that the log still had.
    pub start: Offset,
    /// Up to where the store had folded: what is before it was compared with the log.
    pub progress: Offset,
    /// Up to where the log was read.
    pub end: Offset,
}

impl AuditedPartition {
    /// Whether the log was there from its first record on.
    pub fn is_whole(&self) -> bool {
        self.start == Offset::START
    }
}

/// What became of the counter's tallies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterAudit {
    /// How many there are.
    pub compared: usize,
    /// How many it did not know as a whole: they are loaded when they are next shown.
    pub missed: usize,
    /// How many showed less than is folded by now: they heal when they are shown or reconciled next.
    pub behind: usize,
}

/// A difference. Its sentence names what it is about, and both values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The store has folded what the log does not have: one of the two belongs to another.
    ///
    /// Nothing should fold or vote before it is known which.
    ProgressBeyondLog {
        /// Where.
        partition: Partition,
        /// The store's progress.
        progress: Offset,
        /// The log's end.
        end: Offset,
    },
    /// The log no longer has records that the store has yet to fold: their votes are lost to it.
    ///
    /// A newer backup of the store may have them.
    RecordsGone {
        /// Where.
        partition: Partition,
        /// The store's progress.
        progress: Offset,
        /// The first record that the log still has.
        start: Offset,
    },
    /// A ballot of the log is before the store's progress and not in the store: it was deleted, or
    /// the progress was moved past it.
    ///
    /// A store that is put back to a backup from before folds it again.
    BallotMissing {
        /// Which.
        ballot: BallotId,
        /// Where the log has it.
        position: LogPosition,
    },
    /// A ballot in the store is not what the log has.
    BallotAltered {
        /// Which.
        ballot: BallotId,
        /// Where the log has it.
        position: LogPosition,
        /// What the log says.
        log: String,
        /// What the store says.
        store: String,
    },
    /// The store's ballots give other votes than those of the log that it says to have: some were
    /// added, or their positions changed, or its progress was set back.
    BallotsDiffer {
        /// Whom they are for.
        candidate: Candidate,
        /// Where.
        partition: Partition,
        /// Up to where.
        progress: Offset,
        /// What the log's ballots give that the store has, too; at least that, if the log's
        /// beginning is gone.
        log: u64,
        /// What the store's ballots give.
        store: u64,
    },
    /// A total of the store is not what its own ballots give: somebody changed the one or the
    /// others.
    ///
    /// If no ballot is named as well, the ballots are right.
    TotalDiffers {
        /// Whose.
        candidate: Candidate,
        /// Where.
        partition: Partition,
        /// The total that the store tells; 0 also if the candidate is not in its list of names.
        total: u64,
        /// What its ballots give.
        ballots: u64,
    },
    /// What the counter has reconciled is not what the log gives there: it was changed.
    ///
    /// It is disposable: deleting its key makes it load the tally from the store.
    PrefixDiffers {
        /// Whose.
        candidate: Candidate,
        /// Where.
        partition: Partition,
        /// Up to where the counter says that it is true.
        as_of: Offset,
        /// Up to where the log goes.
        end: Offset,
        /// What the counter has.
        counter: u64,
        /// What the log gives.
        log: u64,
    },
    /// The counter shows more than the log has, again and again.
    ///
    /// It is disposable: deleting its key makes it load the tally from the store.
    ShownTooHigh {
        /// Whose tally.
        candidate: Candidate,
        /// What is shown.
        shown: u64,
        /// What the log has before the store's progress.
        least: u64,
        /// What the log has.
        most: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProgressBeyondLog {
                partition,
                progress,
                end,
            } => write!(
                f,
                "partition {}: the store has folded up to offset {}, and the log ends at {}",
                partition.get(),
                progress.get(),
                end.get()
            ),
            Self::RecordsGone {
                partition,
                progress,
                start,
            } => write!(
                f,
                "partition {}: the store has folded up to offset {}, and the log begins at {}: \
                 what was between is gone",
                partition.get(),
                progress.get(),
                start.get()
            ),
            Self::BallotMissing { ballot, position } => write!(
                f,
                "ballot {ballot}: the log has it at {position:?}, and the store does not have it"
            ),
            Self::BallotAltered {
                ballot,
                position,
                log,
                store,
            } => write!(
                f,
                "ballot {ballot}: the log has at {position:?} {log}, and the store {store}"
            ),
            Self::BallotsDiffer {
                candidate,
                partition,
                progress,
                log,
                store,
            } => write!(
                f,
                "candidate {candidate:?}, partition {} up to offset {}: the log's ballots give \
                 {log} votes, and the store's {store}",
                partition.get(),
                progress.get()
            ),
            Self::TotalDiffers {
                candidate,
                partition,
                total,
                ballots,
            } => write!(
                f,
                "candidate {candidate:?}, partition {}: the store's total is {total} votes, and \
                 its ballots give {ballots}",
                partition.get()
            ),
            Self::PrefixDiffers {
                candidate,
                partition,
                as_of,
                end,
                counter,
                log,
            } => write!(
                f,
                "candidate {candidate:?}, partition {} up to offset {} of {}: the counter has \
                 reconciled {counter} votes, and the log gives {log}",
                partition.get(),
                as_of.get(),
                end.get()
            ),
            Self::ShownTooHigh {
                candidate,
                shown,
                least,
                most,
            } => write!(
                f,
                "candidate {candidate:?}: the counter shows {shown} votes, and the log has {most} \
                 ({least} of them folded)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn high(shown: u64) -> Finding {
        Finding::ShownTooHigh {
            candidate: Candidate::new("alice").expect("a name"),
            shown,
            least: 1,
            most: 2,
        }
    }

    #[test]
    fn a_report_is_clean_until_anything_was_found_listed_or_not() {
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
    fn a_partition_is_whole_while_it_has_its_first_record() {
        let from = |start| AuditedPartition {
            partition: Partition::new(0),
            start: Offset::new(start),
            progress: Offset::new(5),
            end: Offset::new(5),
        };
        assert!(from(0).is_whole());
        assert!(!from(1).is_whole());
    }

    #[test]
    fn each_finding_names_what_it_is_about_and_both_values() {
        let (partition, candidate) = (Partition::new(3), || {
            Candidate::new("alice").expect("a name")
        });
        let ballot: BallotId = "0193b3a0-0000-7000-8000-000000000001"
            .parse()
            .expect("an id");
        let at = Offset::new;
        let position = LogPosition {
            partition,
            offset: at(7),
        };
        let (log, store) = ("one thing".to_owned(), "another".to_owned());
        let rows = [
            (
                Finding::ProgressBeyondLog {
                    partition,
                    progress: at(9),
                    end: at(8),
                },
                "partition 3: the store has folded up to offset 9, and the log ends at 8",
            ),
            (
                Finding::RecordsGone {
                    partition,
                    progress: at(4),
                    start: at(6),
                },
                "partition 3: the store has folded up to offset 4, and the log begins at 6: what was \
                 between is gone",
            ),
            (
                Finding::BallotMissing { ballot, position },
                "ballot 0193b3a0-0000-7000-8000-000000000001: the log has it at 3@7, and the store \
                 does not have it",
            ),
            (
                Finding::BallotAltered {
                    ballot,
                    position,
                    log,
                    store,
                },
                "ballot 0193b3a0-0000-7000-8000-000000000001: the log has at 3@7 one thing, and the \
                 store another",
            ),
            (
                Finding::BallotsDiffer {
                    candidate: candidate(),
                    partition,
                    progress: at(5),
                    log: 1,
                    store: 2,
                },
                "candidate \"alice\", partition 3 up to offset 5: the log's ballots give 1 votes, and \
                 the store's 2",
            ),
            (
                Finding::TotalDiffers {
                    candidate: candidate(),
                    partition,
                    total: 1,
                    ballots: 2,
                },
                "candidate \"alice\", partition 3: the store's total is 1 votes, and its ballots give 2",
            ),
            (
                Finding::PrefixDiffers {
                    candidate: candidate(),
                    partition,
                    as_of: at(5),
                    end: at(6),
                    counter: 1,
                    log: 2,
                },
                "candidate \"alice\", partition 3 up to offset 5 of 6: the counter has reconciled 1 \
                 votes, and the log gives 2",
            ),
            (
                high(3),
                "candidate \"alice\": the counter shows 3 votes, and the log has 2 (1 of them folded)",
            ),
        ];
        for (finding, sentence) in rows {
            assert_eq!(finding.to_string(), sentence);
        }
    }
}
