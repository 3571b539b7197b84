//! The differences that an audit finds.

use std::fmt;

use crate::domain::{BallotId, Candidate, LogPosition, Offset, Partition};

/// A difference. `Display` gives a sentence with both values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The store's progress is beyond the end of the log: they do not belong together.
    ///
    /// Stop consumers and vote services until it is clear which of the two is the wrong one.
    ProgressBeyondLog {
        /// The partition.
        partition: Partition,
        /// The store's progress.
        progress: Offset,
        /// The log's end.
        end: Offset,
    },
    /// The log has deleted records that the store has not folded: their votes are lost.
    ///
    /// A newer backup of the store may have them.
    RecordsGone {
        /// The partition.
        partition: Partition,
        /// The store's progress.
        progress: Offset,
        /// The first record that the log still has.
        start: Offset,
    },
    /// A ballot in the log before the store's progress is not in the store: it was deleted there, or the
    /// progress was changed.
    ///
    /// A store that is restored from an earlier backup folds it again.
    BallotMissing {
        /// The ballot's id.
        ballot: BallotId,
        /// The ballot's position in the log.
        position: LogPosition,
    },
    /// A ballot in the store differs from that in the log.
    BallotAltered {
        /// The ballot's id.
        ballot: BallotId,
        /// The ballot's position in the log.
        position: LogPosition,
        /// The log's ballot in words.
        log: String,
        /// The store's ballot in words.
        store: String,
    },
    /// The store's ballots have other votes than the same ballots of the log: some were added, or their
    /// positions or the progress were changed.
    BallotsDiffer {
        /// The candidate.
        candidate: Candidate,
        /// The partition.
        partition: Partition,
        /// The store's progress.
        progress: Offset,
        /// The votes of the log's ballots that the store has too; at least these, if the beginning of the
        /// log was deleted.
        log: u64,
        /// The votes of the store's ballots.
        store: u64,
    },
    /// A total of the store differs from its own ballots: one or the other was changed.
    ///
    /// If there is no finding about ballots, the ballots are right.
    TotalDiffers {
        /// The candidate.
        candidate: Candidate,
        /// The partition.
        partition: Partition,
        /// The store's total; also 0 if the candidate is not in its list of names.
        total: u64,
        /// The votes of its ballots.
        ballots: u64,
    },
    /// A candidate's sum of all partitions, which the leaderboard shows, differs from the store's totals: it
    /// was changed.
    SumDiffers {
        /// The candidate.
        candidate: Candidate,
        /// The store's sum.
        sum: u64,
        /// The store's totals, added up.
        totals: u64,
    },
    /// An applied total of the counter differs from the log: it was changed.
    ///
    /// The counter is disposable: delete the candidate's key, and the tally is loaded from the store.
    AppliedTotalDiffers {
        /// The candidate.
        candidate: Candidate,
        /// The partition.
        partition: Partition,
        /// The first offset that the total does not include.
        as_of: Offset,
        /// The end of the log.
        end: Offset,
        /// The votes of the counter's total.
        counter: u64,
        /// The votes in the log.
        log: u64,
    },
    /// The counter shows more votes than the log has, each time it was read.
    ///
    /// The counter is disposable: delete the candidate's key, and the tally is loaded from the store.
    ShownTooHigh {
        /// The candidate.
        candidate: Candidate,
        /// The votes that are shown.
        shown: u64,
        /// The votes in the log before the store's progress.
        least: u64,
        /// The votes in the log.
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
                 the records between them are lost",
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
                "candidate {candidate:?}, partition {} up to offset {}: the log's ballots have \
                 {log} votes, and the store's have {store}",
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
                 its ballots have {ballots}",
                partition.get()
            ),
            Self::SumDiffers {
                candidate,
                sum,
                totals,
            } => write!(
                f,
                "candidate {candidate:?}: the store's sum of all partitions is {sum} votes, and its \
                 totals have {totals}"
            ),
            Self::AppliedTotalDiffers {
                candidate,
                partition,
                as_of,
                end,
                counter,
                log,
            } => write!(
                f,
                "candidate {candidate:?}, partition {} up to offset {} of {}: the counter's applied \
                 total is {counter} votes, and the log has {log}",
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
    fn each_finding_is_a_sentence_with_both_values() {
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
                "partition 3: the store has folded up to offset 4, and the log begins at 6: the \
                 records between them are lost",
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
                "candidate \"alice\", partition 3 up to offset 5: the log's ballots have 1 votes, and \
                 the store's have 2",
            ),
            (
                Finding::TotalDiffers {
                    candidate: candidate(),
                    partition,
                    total: 1,
                    ballots: 2,
                },
                "candidate \"alice\", partition 3: the store's total is 1 votes, and its ballots have 2",
            ),
            (
                Finding::SumDiffers {
                    candidate: candidate(),
                    sum: 1,
                    totals: 2,
                },
                "candidate \"alice\": the store's sum of all partitions is 1 votes, and its totals have 2",
            ),
            (
                Finding::AppliedTotalDiffers {
                    candidate: candidate(),
                    partition,
                    as_of: at(5),
                    end: at(6),
                    counter: 1,
                    log: 2,
                },
                "candidate \"alice\", partition 3 up to offset 5 of 6: the counter's applied total is 1 \
                 votes, and the log has 2",
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
