//! Records of the log, and the steps by which they are folded.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ballot_id::BallotId,
    logged_ballot::LoggedBallot,
    name::Candidate,
    partition::Partition,
    position::{LogFingerprint, LogPosition, Offset},
};

/// The ballots of one flush for one partition. The log acknowledges a record as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    partition: Partition,
    ballots: Arc<[LoggedBallot]>,
}

impl Record {
    /// The most ballots that the vote service puts into one record. Every log accepts as many, of any
    /// size.
    pub const MAX_BALLOTS: usize = 512;

    /// A record of at least one ballot.
    pub fn new(partition: Partition, ballots: impl Into<Arc<[LoggedBallot]>>) -> Self {
        let ballots = ballots.into();
        assert!(!ballots.is_empty(), "a record has at least one ballot");
        Self { partition, ballots }
    }

    /// The partition that it is written to.
    pub const fn partition(&self) -> Partition {
        self.partition
    }

    /// Its ballots, in the order in which they were accepted.
    pub const fn ballots(&self) -> &Arc<[LoggedBallot]> {
        &self.ballots
    }
}

/// The content of an undecodable record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The bytes in the log.
    pub bytes: Arc<[u8]>,
    /// Why they cannot be decoded.
    pub reason: String,
}

/// One record, as it is read from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The record's offset.
    pub offset: Offset,
    /// Its ballots, or its bytes if they cannot be decoded.
    pub content: Result<Arc<[LoggedBallot]>, Unreadable>,
}

impl LogEntry {
    /// Whether it is the record that `fingerprint` identifies.
    pub fn is_at(&self, fingerprint: LogFingerprint) -> bool {
        let ballots = self.content.as_deref().unwrap_or_default();
        let mut ids = ballots.iter().map(|ballot| ballot.id);
        self.offset == fingerprint.offset && ids.any(|id| id == fingerprint.ballot)
    }
}

/// Consecutive records of one partition: all records from `start` up to `next`.
///
/// Not every offset has a record: a log may use some offsets for itself. No record is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// The partition of all records.
    pub partition: Partition,
    /// The end of the batch before, or the offset at which the reader resumed.
    pub start: Offset,
    /// The start of the batch after.
    pub next: Offset,
    /// The records in ascending order of their offsets.
    pub entries: Vec<LogEntry>,
}

/// A ballot with the offset of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionedBallot {
    /// The offset of the ballot's record.
    pub offset: Offset,
    /// The ballot.
    pub ballot: LoggedBallot,
}

/// The most bytes of the reason of a rejection.
pub const MAX_REASON_BYTES: usize = 1_024;

/// A record that cannot be decoded, or a ballot that cannot be applied. It is stored with the reason, so
/// that it does not stop its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// An undecodable record.
    Record {
        /// The record's offset.
        offset: Offset,
        /// The bytes, and why they cannot be decoded.
        content: Unreadable,
    },
    /// One ballot of a record. The record's other ballots are applied.
    Ballot {
        /// The ballot, with the offset of its record.
        positioned: PositionedBallot,
        /// Why the store cannot apply the ballot.
        reason: String,
    },
}

impl Rejection {
    /// Rejects an undecodable record.
    pub fn of_record(offset: Offset, content: Unreadable) -> Self {
        let content = Unreadable {
            reason: storable(&content.reason),
            ..content
        };
        Self::Record { offset, content }
    }

    /// Rejects a ballot that the store cannot apply.
    pub fn of_ballot(positioned: PositionedBallot, reason: &str) -> Self {
        let reason = storable(reason);
        Self::Ballot { positioned, reason }
    }

    /// The offset of the rejected record, or of the rejected ballot's record.
    pub const fn offset(&self) -> Offset {
        match self {
            Self::Record { offset, .. } => *offset,
            Self::Ballot { positioned, .. } => positioned.offset,
        }
    }

    /// The rejected ballot; `None` for an undecodable record.
    pub const fn ballot(&self) -> Option<BallotId> {
        match self {
            Self::Record { .. } => None,
            Self::Ballot { positioned, .. } => Some(positioned.ballot.id),
        }
    }

    /// Why it was rejected.
    pub fn reason(&self) -> &str {
        match self {
            Self::Record { content, .. } => &content.reason,
            Self::Ballot { reason, .. } => reason,
        }
    }
}

/// The reason in a form that every store can hold: at most [`MAX_REASON_BYTES`], with control characters
/// replaced (some stores refuse NUL). A reason may quote the input that it is about.
fn storable(reason: &str) -> String {
    let mut storable = String::new();
    for character in reason.chars() {
        let shown = if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        };
        if storable.len() + shown.len_utf8() > MAX_REASON_BYTES {
            break;
        }
        storable.push(shown);
    }
    storable
}

/// One step of the fold: it moves the store's progress in a partition from `start` to `next`.
///
/// A step may be empty, where the log has offsets without records. A step of no length (`next` is
/// `start`) has no ballots and changes nothing; it can be applied any number of times while the store is
/// at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldStep {
    /// The partition.
    pub partition: Partition,
    /// The progress that the store must have before the step.
    pub start: Offset,
    /// The progress that the store has after the step.
    pub next: Offset,
    /// The ballots to count, in ascending order of their offsets. Some may have been counted before.
    pub ballots: Vec<PositionedBallot>,
    /// The rejections to store.
    pub rejections: Vec<Rejection>,
}

impl FoldStep {
    /// The position of the record at `offset`.
    pub const fn position(&self, offset: Offset) -> LogPosition {
        LogPosition {
            partition: self.partition,
            offset,
        }
    }

    /// Identifies the log by the last ballot of the step; `None` if the step has no ballots.
    pub fn fingerprint(&self) -> Option<LogFingerprint> {
        let PositionedBallot { offset, ballot } = self.ballots.last()?;
        Some(LogFingerprint {
            offset: *offset,
            ballot: ballot.id,
        })
    }

    /// The part of the step that a store at `progress` has not applied. `progress` must be between the
    /// step's start and its end.
    #[must_use]
    pub fn resumed_at(mut self, progress: Offset) -> Self {
        assert!(
            self.start <= progress && progress <= self.next,
            "the progress is between the start and the end of the step"
        );
        self.start = progress;
        self.ballots
            .retain(|positioned| positioned.offset >= progress);
        self.rejections
            .retain(|rejection| rejection.offset() >= progress);
        self
    }

    /// The step cut in two between two records near its middle; the step itself if it has one record.
    pub fn halved(mut self) -> Result<(Self, Self), Self> {
        let mut offsets: Vec<Offset> = self.offsets().collect();
        offsets.sort_unstable();
        offsets.dedup();
        if offsets.len() < 2 {
            return Err(self);
        }
        let cut = offsets[offsets.len() / 2];
        let second = Self {
            partition: self.partition,
            start: cut,
            next: self.next,
            ballots: self
                .ballots
                .extract_if(.., |positioned| positioned.offset >= cut)
                .collect(),
            rejections: self
                .rejections
                .extract_if(.., |r| r.offset() >= cut)
                .collect(),
        };
        self.next = cut;
        Ok((self, second))
    }

    /// The candidates of its ballots, each once, in order.
    pub fn candidates(&self) -> Vec<Candidate> {
        let ballots = self.ballots.iter().map(|positioned| &positioned.ballot);
        sum_votes(ballots).into_keys().collect()
    }

    /// The candidates of its rejected ballots, each once, in order.
    pub fn rejected_candidates(&self) -> Vec<Candidate> {
        let rejected = self
            .rejections
            .iter()
            .filter_map(|rejection| match rejection {
                Rejection::Ballot { positioned, .. } => Some(&positioned.ballot),
                Rejection::Record { .. } => None,
            });
        sum_votes(rejected).into_keys().collect()
    }

    fn offsets(&self) -> impl Iterator<Item = Offset> {
        let rejected = self.rejections.iter().map(Rejection::offset);
        self.ballots
            .iter()
            .map(|positioned| positioned.offset)
            .chain(rejected)
    }
}

impl From<LogBatch> for FoldStep {
    fn from(batch: LogBatch) -> Self {
        let mut step = Self {
            partition: batch.partition,
            start: batch.start,
            next: batch.next,
            ballots: Vec::new(),
            rejections: Vec::new(),
        };
        for LogEntry { offset, content } in batch.entries {
            match content {
                Ok(ballots) => step
                    .ballots
                    .extend(ballots.iter().map(|ballot| PositionedBallot {
                        offset,
                        ballot: ballot.clone(),
                    })),
                Err(content) => step.rejections.push(Rejection::of_record(offset, content)),
            }
        }
        step
    }
}

/// Adds up the votes of ballots by candidate, in the candidates' order.
pub fn sum_votes<'a>(
    ballots: impl IntoIterator<Item = &'a LoggedBallot>,
) -> BTreeMap<Candidate, u64> {
    // By reference first, so that a name is cloned once for each candidate, not for each vote.
    let mut sums: BTreeMap<&Candidate, u64> = BTreeMap::new();
    for selection in ballots
        .into_iter()
        .flat_map(|ballot| ballot.selections.iter())
    {
        *sums.entry(&selection.candidate).or_default() += u64::from(selection.votes.get());
    }
    sums.into_iter()
        .map(|(candidate, votes)| (candidate.clone(), votes))
        .collect()
}

#[cfg(test)]
mod tests;
