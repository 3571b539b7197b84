//! A step of the fold as the rows that it writes.

use cast_core::domain::{
    BallotId, Candidate, FoldStep, LoggedBallot, Offset, Rejection, Timestamp,
};

use super::{
    schema::{ProgressRow, RejectedRow},
    statements::InsertBallot,
};
use crate::{
    record,
    sqlite::{
        error::Error,
        position::{number, whole},
    },
};

/// The rows of a step.
pub(super) struct Rows {
    pub(super) start: i64,
    /// The progress after the step; the last ballot is that of the step, or `None` where it has none.
    pub(super) progress: ProgressRow,
    /// In the order of the log, each with its votes.
    pub(super) ballots: Vec<(InsertBallot, LoggedBallot)>,
    /// In the order of the log.
    pub(super) rejected: Vec<RejectedRow>,
}

impl Rows {
    /// Fails if a number is beyond what the file can hold.
    pub(super) fn of(step: &FoldStep, now: Timestamp) -> Result<Self, Error> {
        let last = step.fingerprint();
        // A progress is the place after a position, which may be the last one.
        number(step.partition, step.start)?;
        let place = |offset: Offset| number(step.partition, offset);
        place(step.next)?;
        let ballots = step.ballots.iter().map(|placed| {
            let row = InsertBallot {
                id: id(placed.ballot.id),
                position: place(placed.offset)?,
                content: record::encode_ballot(&placed.ballot),
            };
            Ok((row, placed.ballot.clone()))
        });
        let mut rejections: Vec<&Rejection> = step.rejections.iter().collect();
        rejections.sort_by_key(|rejection| rejection.offset());
        let rejected = rejections.into_iter().map(|rejection| {
            let position = place(rejection.offset())?;
            Ok(rejected_row(rejection, position, now))
        });
        Ok(Self {
            start: whole("an offset", step.start.get())?,
            progress: ProgressRow {
                partition: step.partition.get().into(),
                next: whole("an offset", step.next.get())?,
                last_ballot: last.map(|last| id(last.ballot)),
                last_offset: last
                    .map(|last| whole("an offset", last.offset.get()))
                    .transpose()?,
            },
            ballots: ballots.collect::<Result<_, Error>>()?,
            rejected: rejected.collect::<Result<_, Error>>()?,
        })
    }

    /// The candidates that the step has votes for.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        let selections = self
            .ballots
            .iter()
            .flat_map(|(_, ballot)| ballot.selections.iter());
        selections.map(|selection| &selection.candidate)
    }
}

/// The bytes of an id.
pub(super) fn id(ballot: BallotId) -> Vec<u8> {
    ballot.as_uuid().as_bytes().to_vec()
}

fn rejected_row(rejection: &Rejection, position: i64, now: Timestamp) -> RejectedRow {
    let (ballot, bytes) = match rejection {
        Rejection::Ballot { positioned, .. } => {
            (Some(record::encode_ballot(&positioned.ballot)), None)
        }
        Rejection::Record { content, .. } => (None, Some(content.bytes.to_vec())),
    };
    RejectedRow {
        position,
        ballot_id: rejection.ballot().map(id),
        ballot,
        bytes,
        reason: rejection.reason().to_owned(),
        rejected_at: i64::try_from(now.as_unix_ms()).unwrap_or(i64::MAX),
    }
}
