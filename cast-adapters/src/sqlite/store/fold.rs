//! Applies a step of the fold in one transaction.

use std::collections::BTreeMap;

use cast_core::{
    domain::{Candidate, LoggedBallot, Offset, sum_votes},
    ports::Applied,
};
use diesel::{
    ExpressionMethods as _, OptionalExtension as _, QueryDsl as _, RunQueryDsl as _,
    SqliteConnection, insert_into, upsert::excluded,
};

use super::{
    rows::Rows,
    schema::{candidates, progress, rejected, totals},
    statements::{FindCandidate, PutTotal, PutVotes, Total},
};
use crate::sqlite::{
    error::Error,
    position::{unsigned, whole},
};

/// Runs all statements of a step; one that is fenced has changed nothing.
///
/// The file has one writer, so no other transaction comes between the fence and the commit.
pub(super) fn fold(connection: &mut SqliteConnection, rows: &Rows) -> Result<Applied, Error> {
    let found: Option<i64> = progress::table
        .find(rows.progress.partition)
        .select(progress::next)
        .first(connection)
        .optional()?;
    if found.unwrap_or_default() != rows.start {
        let progress = Offset::new(unsigned("a progress", found.unwrap_or_default())?);
        return Ok(Applied::Fenced { progress });
    }
    advance(connection, rows)?;
    for rejection in &rows.rejected {
        insert_into(rejected::table)
            .values(rejection)
            .execute(connection)?;
    }
    let new = insert_new(connection, rows)?;
    let added = sum_votes(new.iter().copied());
    let mut answer = BTreeMap::new();
    for (candidate, votes) in &added {
        let total = add_votes(connection, rows, candidate, *votes)?;
        answer.insert(candidate.clone(), total);
    }
    for candidate in rows.candidates() {
        if !answer.contains_key(candidate) {
            let total = total_of(connection, rows, candidate)?;
            answer.insert(candidate.clone(), total);
        }
    }
    Ok(Applied::Folded {
        totals: answer.into_iter().collect(),
        counted: new.len(),
    })
}

/// Moves the progress. A step without ballots keeps the last ballot.
fn advance(connection: &mut SqliteConnection, rows: &Rows) -> Result<(), Error> {
    let insert = insert_into(progress::table)
        .values(&rows.progress)
        .on_conflict(progress::partition)
        .do_update();
    if rows.progress.last_ballot.is_some() {
        insert
            .set((
                progress::next.eq(excluded(progress::next)),
                progress::last_ballot.eq(excluded(progress::last_ballot)),
                progress::last_offset.eq(excluded(progress::last_offset)),
            ))
            .execute(connection)?;
    } else {
        insert
            .set(progress::next.eq(excluded(progress::next)))
            .execute(connection)?;
    }
    Ok(())
}

/// Inserts the ballots whose ids are new, in the order of the log: the first copy counts.
fn insert_new<'r>(
    connection: &mut SqliteConnection,
    rows: &'r Rows,
) -> Result<Vec<&'r LoggedBallot>, Error> {
    let mut new = Vec::with_capacity(rows.ballots.len());
    for (row, ballot) in &rows.ballots {
        if row.execute(connection)? == 1 {
            new.push(ballot);
        }
    }
    Ok(new)
}

/// Adds votes to a candidate's total in the partition, and to the sum; returns the new total.
fn add_votes(
    connection: &mut SqliteConnection,
    rows: &Rows,
    candidate: &Candidate,
    votes: u64,
) -> Result<u64, Error> {
    let partition = rows.progress.partition;
    let known = FindCandidate {
        username: candidate.to_string(),
    };
    let known: Option<(i64, i64)> = known.get_result(connection).optional()?;
    let (candidate_number, sum) = match known {
        Some(known) => known,
        None => (name(connection, candidate)?, 0),
    };
    let total = Total {
        candidate: candidate_number,
        partition,
    };
    let before: Option<i64> = total.get_result(connection).optional()?;
    let votes = whole("a number of votes", votes)?;
    let total = before.unwrap_or_default().checked_add(votes);
    let total = total.ok_or_else(|| {
        Error::Unholdable(format!(
            "{votes} votes more for {candidate:?} would be beyond the largest total, {}",
            i64::MAX
        ))
    })?;
    let put = PutTotal {
        candidate: candidate_number,
        partition,
        votes: total,
        as_of: rows.progress.next,
    };
    put.execute(connection)?;
    let sum = PutVotes {
        votes: sum.saturating_add(votes),
        number: candidate_number,
    };
    sum.execute(connection)?;
    unsigned("a total", total)
}

/// Gives a number to a candidate who has none.
fn name(connection: &mut SqliteConnection, candidate: &Candidate) -> Result<i64, Error> {
    let number = insert_into(candidates::table)
        .values((
            candidates::username.eq(candidate.as_str()),
            candidates::votes.eq(0),
        ))
        .returning(candidates::number)
        .get_result(connection)?;
    Ok(number)
}

fn total_of(
    connection: &mut SqliteConnection,
    rows: &Rows,
    candidate: &Candidate,
) -> Result<u64, Error> {
    let total: Option<i64> = totals::table
        .inner_join(candidates::table)
        .filter(candidates::username.eq(candidate.as_str()))
        .filter(totals::partition.eq(rows.progress.partition))
        .select(totals::votes)
        .first(connection)
        .optional()?;
    unsigned("a total", total.unwrap_or_default())
}
