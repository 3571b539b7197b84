//! A step of the fold as the parameters of its statements.

use cast_core::{
    NumberedRejection,
    domain::{BallotId, Candidate, FoldStep, LoggedBallot, PositionedBallot, Rejection, Timestamp},
};
use diesel::pg::data_types::PgTimestamp;
use serde_json::json;
use uuid::Uuid;

use super::statements::{Advance, ImportRejections, InsertBallots, Reject};
use crate::postgres::error::Error;

/// The parameters of a step's transaction.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) advance: Advance,
    /// `None` where the step rejects nothing.
    pub(super) reject: Option<Reject>,
    /// The first ballot of each id, sorted by id.
    pub(super) ballots: Vec<PositionedBallot>,
    /// The later ballots of these ids within the step.
    pub(super) repeated: Vec<PositionedBallot>,
}

impl Rows {
    /// Fails if a number does not fit its column: the tables cannot hold such a step.
    pub(super) fn of(step: &FoldStep) -> Result<Self, Error> {
        let partition = i64::from(step.partition.get());
        let last = step.fingerprint();
        let last_offset = last.map(|last| whole("an offset", last.offset.get()));
        let advance = Advance {
            partition,
            start: whole("an offset", step.start.get())?,
            next: whole("an offset", step.next.get())?,
            last_ballot: last.map(|last| last.ballot.as_uuid()),
            last_offset: last_offset.transpose()?,
        };
        let reject = if step.rejections.is_empty() {
            None
        } else {
            Some(reject(partition, &step.rejections)?)
        };
        let (ballots, repeated) = firsts_by_id(&step.ballots);
        Ok(Self {
            advance,
            reject,
            ballots,
            repeated,
        })
    }
}

/// The first ballot of each id in the log, sorted by id; and the later ones.
fn firsts_by_id(ballots: &[PositionedBallot]) -> (Vec<PositionedBallot>, Vec<PositionedBallot>) {
    let mut sorted: Vec<&PositionedBallot> = ballots.iter().collect();
    // Stable: equal ids keep the log's order.
    sorted.sort_by_key(|placed| placed.ballot.id);
    let mut first: Vec<PositionedBallot> = Vec::with_capacity(sorted.len());
    let mut repeated = Vec::new();
    for placed in sorted {
        match first.last() {
            Some(before) if before.ballot.id == placed.ballot.id => repeated.push(placed.clone()),
            _ => first.push(placed.clone()),
        }
    }
    (first, repeated)
}

/// Ballots as rows, in their order. Fails if a number does not fit its column.
pub(super) fn insert(
    partition: i64,
    ballots: &[&PositionedBallot],
) -> Result<InsertBallots, Error> {
    let mut rows = InsertBallots {
        partition,
        ..InsertBallots::default()
    };
    for PositionedBallot { offset, ballot } in ballots {
        let voter = ballot.voter.as_ref().map(ToString::to_string);
        rows.ids.push(ballot.id.as_uuid());
        rows.offsets.push(whole("an offset", offset.get())?);
        rows.ticket_keys.push(ballot.ticket.key_id.get().into());
        rows.tickets_issued_at
            .push(timestamp(ballot.ticket.issued_at)?);
        rows.voters.push(voter);
        rows.candidates.push(candidates_literal(ballot));
        rows.votes.push(votes_literal(ballot));
    }
    Ok(rows)
}

/// The ids of ballots, in their order.
pub(super) fn ids<'a>(ballots: impl IntoIterator<Item = &'a PositionedBallot>) -> Vec<Uuid> {
    let ballots = ballots.into_iter();
    ballots.map(|placed| placed.ballot.id.as_uuid()).collect()
}

/// Rejections of another log, as rows.
pub(super) fn import(rejections: &[NumberedRejection]) -> Result<ImportRejections, Error> {
    let mut rows = ImportRejections::default();
    for NumberedRejection {
        partition,
        rejection,
        rejected_at,
        ..
    } in rejections
    {
        let row = reject(partition.get().into(), std::slice::from_ref(rejection))?;
        rows.partitions.push(row.partition);
        rows.offsets.extend(row.offsets);
        rows.ballot_ids.extend(row.ballot_ids);
        rows.ballots.extend(row.ballots);
        rows.bytes.extend(row.bytes);
        rows.reasons.extend(row.reasons);
        rows.rejected_at.push(timestamp(*rejected_at)?);
    }
    Ok(rows)
}

fn reject(partition: i64, rejections: &[Rejection]) -> Result<Reject, Error> {
    let mut rejections: Vec<&Rejection> = rejections.iter().collect();
    // The ids of the rows are in the log's order.
    rejections.sort_by_key(|rejection| rejection.offset());
    let mut rows = Reject {
        partition,
        ..Reject::default()
    };
    for rejection in rejections {
        let (ballot, bytes) = match rejection {
            Rejection::Ballot { positioned, .. } => (Some(ballot_json(&positioned.ballot)), None),
            Rejection::Record { content, .. } => (None, Some(content.bytes.to_vec())),
        };
        rows.offsets
            .push(whole("an offset", rejection.offset().get())?);
        rows.ballot_ids
            .push(rejection.ballot().map(BallotId::as_uuid));
        rows.ballots.push(ballot);
        rows.bytes.push(bytes);
        // A text in PostgreSQL may hold any character but this one.
        rows.reasons
            .push(rejection.reason().replace('\0', "\u{fffd}"));
    }
    Ok(rows)
}

/// A rejected ballot with all its contents: every number of a ballot fits in JSON.
fn ballot_json(ballot: &LoggedBallot) -> String {
    let selections: Vec<_> = ballot
        .selections
        .iter()
        .map(|selection| {
            json!({ "candidate": selection.candidate.as_str(), "votes": selection.votes.get() })
        })
        .collect();
    let ballot = json!({
        "id": ballot.id.to_string(),
        "voter": ballot.voter.as_ref().map(ToString::to_string),
        "ticket": {
            "key_id": ballot.ticket.key_id.get(),
            "issued_at_ms": ballot.ticket.issued_at.as_unix_ms(),
        },
        "selections": selections,
    });
    ballot.to_string()
}

/// The names of a ballot's selections, as an array literal.
fn candidates_literal(ballot: &LoggedBallot) -> String {
    let mut literal = String::with_capacity(32);
    for selection in ballot.selections.iter() {
        literal.push_str(if literal.is_empty() { "{\"" } else { ",\"" });
        for character in selection.candidate.as_str().chars() {
            if matches!(character, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(character);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

/// The votes of a ballot's selections, as an array literal.
fn votes_literal(ballot: &LoggedBallot) -> String {
    let mut literal = String::with_capacity(16);
    for selection in ballot.selections.iter() {
        literal.push(if literal.is_empty() { '{' } else { ',' });
        literal.push_str(&selection.votes.get().to_string());
    }
    literal.push('}');
    literal
}

/// A number as a `bigint`.
pub(super) fn whole(what: &str, number: u64) -> Result<i64, Error> {
    i64::try_from(number)
        .map_err(|_| Error::Unholdable(format!("{what} of {number} is beyond a bigint")))
}

/// Names as an array.
pub(super) fn texts<'a>(names: impl IntoIterator<Item = &'a Candidate>) -> Vec<String> {
    names.into_iter().map(ToString::to_string).collect()
}

/// PostgreSQL counts microseconds from the year 2000.
const YEAR_2000_MS: i128 = 946_684_800_000;

/// A time of the database; `None` if it is before 1970 or not a whole millisecond.
pub(super) fn time(time: PgTimestamp) -> Option<Timestamp> {
    let us = i128::from(time.0) + YEAR_2000_MS * 1_000;
    let ms = u64::try_from(us / 1_000).ok()?;
    (us % 1_000 == 0).then_some(Timestamp::from_unix_ms(ms))
}

fn timestamp(time: Timestamp) -> Result<PgTimestamp, Error> {
    /// The end of the year 294276.
    const END_US: i128 = 9_223_371_331_200_000_000;
    let ms = time.as_unix_ms();
    let us = (i128::from(ms) - YEAR_2000_MS) * 1_000;
    match i64::try_from(us) {
        Ok(us) if i128::from(us) < END_US => Ok(PgTimestamp(us)),
        _ => Err(Error::Unholdable(format!(
            "a time of {ms} ms is beyond a timestamptz"
        ))),
    }
}
