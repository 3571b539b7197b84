//! What goes into the log, what comes out of it, and how it is folded.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ballot::LoggedBallot,
    ballot_id::BallotId,
    name::Candidate,
    position::{LogFingerprint, LogPosition, Offset, Partition},
};

/// The ballots of one flush for one partition: what the log acknowledges as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    partition: Partition,
    ballots: Arc<[LoggedBallot]>,
}

impl Record {
    /// How many ballots a door puts into one record. Every log takes so many, however large they are.
    pub const MAX_BALLOTS: usize = 512;

    /// A record; it must hold at least one ballot.
    pub fn new(partition: Partition, ballots: impl Into<Arc<[LoggedBallot]>>) -> Self {
        let ballots = ballots.into();
        assert!(
            !ballots.is_empty(),
            "a record without a ballot would be an offset for nothing"
        );
        Self { partition, ballots }
    }

    /// Where it belongs.
    pub const fn partition(&self) -> Partition {
        self.partition
    }

    /// Its ballots, in the order in which the door took them.
    pub const fn ballots(&self) -> &Arc<[LoggedBallot]> {
        &self.ballots
    }
}

/// A record that cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What the log holds.
    pub bytes: Arc<[u8]>,
    /// Why that is no record.
    pub reason: String,
}

/// One record, as the log gives it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it is.
    pub offset: Offset,
    /// Its ballots, or what is there instead.
    pub content: Result<Arc<[LoggedBallot]>, Unreadable>,
}

impl LogEntry {
    /// Whether it is the record that `fingerprint` is about.
    pub fn is_at(&self, fingerprint: LogFingerprint) -> bool {
        let ballots = self.content.as_deref().unwrap_or_default();
        let mut ids = ballots.iter().map(|ballot| ballot.id);
        self.offset == fingerprint.offset && ids.any(|id| id == fingerprint.ballot)
    }
}

/// Consecutive records of one partition: all that there are from `start` up to `next`.
///
/// Offsets may be missing between them (a log may use some for itself), records may not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// Their partition.
    pub partition: Partition,
    /// Where the batch begins: where the batch before it ended, or the reader resumed.
    pub start: Offset,
    /// Where the batch after it begins.
    pub next: Offset,
    /// The records, by ascending offset.
    pub entries: Vec<LogEntry>,
}

/// A ballot and where its record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionedBallot {
    /// The offset of its record.
    pub offset: Offset,
    /// The ballot.
    pub ballot: LoggedBallot,
}

/// The most bytes of a rejection's reason.
pub const MAX_REASON_BYTES: usize = 1_024;

/// What could not be read or applied, kept with the reason instead of stopping its partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A whole record that is none.
    Record {
        /// Where it is.
        offset: Offset,
        /// What is there.
        content: Unreadable,
    },
    /// One ballot of a record whose others are fine.
    Ballot {
        /// The ballot.
        placed: PositionedBallot,
        /// Why the store cannot apply it.
        reason: String,
    },
}

impl Rejection {
    /// A record that is none.
    pub fn of_record(offset: Offset, content: Unreadable) -> Self {
        let content = Unreadable {
            reason: holdable(&content.reason),
            ..content
        };
        Self::Record { offset, content }
    }

    /// A ballot that a store cannot apply.
    pub fn of_ballot(placed: PositionedBallot, reason: &str) -> Self {
        let reason = holdable(reason);
        Self::Ballot { placed, reason }
    }

    /// The offset of the record that it is about.
    pub const fn offset(&self) -> Offset {
        match self {
            Self::Record { offset, .. } => *offset,
            Self::Ballot { placed, .. } => placed.offset,
        }
    }

    /// The ballot that it is about, if it is about one.
    pub const fn ballot(&self) -> Option<BallotId> {
        match self {
            Self::Record { .. } => None,
            Self::Ballot { placed, .. } => Some(placed.ballot.id),
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

/// A reason as every store can hold it: without control characters, of which some refuse NUL, and no
/// longer than [`MAX_REASON_BYTES`]. Who wrote it may have quoted what it is about.
fn holdable(reason: &str) -> String {
    let mut holdable = String::new();
    for character in reason.chars() {
        let shown = if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        };
        if holdable.len() + shown.len_utf8() > MAX_REASON_BYTES {
            break;
        }
        holdable.push(shown);
    }
    holdable
}

/// One step of the fold: what takes a partition of the store from `start` to `next`.
///
/// A step may be empty, where the log has offsets without records. One that is empty and has no length
/// (`next` is `start`) changes nothing and is applied wherever the store is at its start, any number of
/// times; one of no length has no ballots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldStep {
    /// The partition.
    pub partition: Partition,
    /// The progress that the store must have for this step to be the next.
    pub start: Offset,
    /// The progress that it has afterwards.
    pub next: Offset,
    /// The ballots to count, by ascending offset; some may have been counted before.
    pub ballots: Vec<PositionedBallot>,
    /// What is to be written down as rejected.
    pub rejections: Vec<Rejection>,
}

impl FoldStep {
    /// Where a ballot of this step is.
    pub const fn position(&self, offset: Offset) -> LogPosition {
        LogPosition {
            partition: self.partition,
            offset,
        }
    }

    /// The last ballot that it takes in, if there is any: that is what its log is known by afterwards.
    pub fn fingerprint(&self) -> Option<LogFingerprint> {
        let PositionedBallot { offset, ballot } = self.ballots.last()?;
        Some(LogFingerprint {
            offset: *offset,
            ballot: ballot.id,
        })
    }

    /// What is left of the step for a store that is already at `progress`, which must lie between
    /// its start and its end.
    #[must_use]
    pub fn resumed_at(mut self, progress: Offset) -> Self {
        assert!(
            self.start <= progress && progress <= self.next,
            "progress lies inside the step"
        );
        self.start = progress;
        self.ballots.retain(|placed| placed.offset >= progress);
        self.rejections
            .retain(|rejection| rejection.offset() >= progress);
        self
    }

    /// The step cut in two at a record boundary near its middle; or as it was, if it is one record.
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
                .extract_if(.., |placed| placed.offset >= cut)
                .collect(),
            rejections: self
                .rejections
                .extract_if(.., |r| r.offset() >= cut)
                .collect(),
        };
        self.next = cut;
        Ok((self, second))
    }

    /// Whom the step counts votes for, each once, in order.
    pub fn candidates(&self) -> Vec<Candidate> {
        let ballots = self.ballots.iter().map(|placed| &placed.ballot);
        sum_votes(ballots).into_keys().collect()
    }

    /// Whom its rejected ballots would have voted for, each once, in order.
    pub fn rejected_candidates(&self) -> Vec<Candidate> {
        let rejected = self
            .rejections
            .iter()
            .filter_map(|rejection| match rejection {
                Rejection::Ballot { placed, .. } => Some(&placed.ballot),
                Rejection::Record { .. } => None,
            });
        sum_votes(rejected).into_keys().collect()
    }

    fn offsets(&self) -> impl Iterator<Item = Offset> {
        let rejected = self.rejections.iter().map(Rejection::offset);
        self.ballots
            .iter()
            .map(|placed| placed.offset)
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

/// Adds up what ballots give to each candidate, in the candidates' order.
pub fn sum_votes<'a>(
    ballots: impl IntoIterator<Item = &'a LoggedBallot>,
) -> BTreeMap<Candidate, u64> {
    // By reference first: a candidate's name is cloned once a sum, not once a vote.
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
