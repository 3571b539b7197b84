//! Applies a step of the fold in one transaction.

use std::collections::{BTreeMap, HashSet};

use cast_core::{
    domain::{Candidate, Partition, PositionedBallot, sum_votes},
    ports::Applied,
};
use diesel::result::{DatabaseErrorKind, Error as QueryError};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::{
    read,
    rows::{Rows, ids, insert, texts, whole},
    statements::{AddVotes, Advance, Begin, KnownBallots, NameCandidates, Totals},
};
use crate::postgres::error::Error;

/// Runs all statements of a step. They take effect with the commit; a fenced step has changed nothing.
///
/// After `None` the transaction must be rolled back: that of another partition inserted one of the ballots
/// at the same time. The next attempt finds the ballot.
///
/// Every transaction takes its locks in the same order: the progress of its partition, ids of ballots
/// (sorted), totals of its partition, names of candidates (sorted). So they cannot deadlock.
pub(super) async fn fold(
    connection: &mut AsyncPgConnection,
    partition: Partition,
    rows: Rows,
) -> Result<Option<Applied>, Error> {
    let next = rows.advance.next;
    if !advance(connection, rows.advance).await? {
        let progress = read::progress(connection, partition).await?.next;
        return Ok(Some(Applied::Fenced { progress }));
    }
    if let Some(reject) = rows.reject {
        reject.execute(connection).await?;
    }
    let new = unknown(connection, &rows.ballots).await?;
    if !insert_ballots(connection, partition, &new).await? {
        return Ok(None);
    }
    let added = sum_votes(new.iter().map(|placed| &placed.ballot));
    let mut totals = add_votes(connection, partition, &added, next).await?;
    if new.len() < rows.ballots.len() || !rows.repeated.is_empty() {
        let all = rows.ballots.iter().chain(&rows.repeated);
        let named = sum_votes(all.map(|placed| &placed.ballot)).into_keys();
        let idle: Vec<_> = named.filter(|who| !added.contains_key(who)).collect();
        totals.extend(totals_of(connection, partition, idle).await?);
    }
    Ok(Some(Applied::Folded {
        totals: totals.into_iter().collect(),
        counted: new.len(),
    }))
}

/// The ballots that are not counted yet, in their order.
async fn unknown<'b>(
    connection: &mut AsyncPgConnection,
    ballots: &'b [PositionedBallot],
) -> Result<Vec<&'b PositionedBallot>, Error> {
    if ballots.is_empty() {
        return Ok(Vec::new());
    }
    let ids = ids(ballots);
    let known: Vec<Uuid> = KnownBallots { ids }.get_result(connection).await?;
    let known: HashSet<Uuid> = known.into_iter().collect();
    let ballots = ballots.iter();
    Ok(ballots
        .filter(|placed| !known.contains(&placed.ballot.id.as_uuid()))
        .collect())
}

/// Inserts ballots; returns whether all of them were still new.
async fn insert_ballots(
    connection: &mut AsyncPgConnection,
    partition: Partition,
    ballots: &[&PositionedBallot],
) -> Result<bool, Error> {
    if ballots.is_empty() {
        return Ok(true);
    }
    let insert = insert(partition.get().into(), ballots)?;
    match insert.execute(connection).await {
        Ok(_) => Ok(true),
        Err(QueryError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Moves the progress from the start of the step to its end; returns whether it was at the start.
async fn advance(connection: &mut AsyncPgConnection, step: Advance) -> Result<bool, Error> {
    let begin = Begin {
        partition: step.partition,
        next: step.next,
        last_ballot: step.last_ballot,
        last_offset: step.last_offset,
    };
    let at_the_start = step.start == 0;
    if step.execute(connection).await? == 1 {
        return Ok(true);
    }
    Ok(at_the_start && begin.execute(connection).await? == 1)
}

/// Adds votes to the totals of a partition; returns the new totals of these candidates.
async fn add_votes(
    connection: &mut AsyncPgConnection,
    partition: Partition,
    added: &BTreeMap<Candidate, u64>,
    next: i64,
) -> Result<BTreeMap<Candidate, u64>, Error> {
    if added.is_empty() {
        return Ok(BTreeMap::new());
    }
    let add = AddVotes {
        partition: partition.get().into(),
        candidates: texts(added.keys()),
        votes: added
            .values()
            .map(|votes| whole("a number of votes", *votes))
            .collect::<Result<_, _>>()?,
        next,
    };
    let (names, votes): (Vec<String>, Vec<i64>) = add.get_result(connection).await?;
    let mut totals = BTreeMap::new();
    let mut unnamed = Vec::new();
    for (name, total) in names.iter().zip(votes) {
        let (candidate, votes) = added
            .get_key_value(name.as_str())
            .ok_or_else(|| Error::Unreadable(format!("a total of {name:?}, which has no votes")))?;
        let total = read::count(total)?;
        // No total is zero, so this one is new, and the candidate may not have an id yet.
        if total == *votes {
            unnamed.push(candidate);
        }
        totals.insert(candidate.clone(), total);
    }
    if let Some((candidate, votes)) = added.iter().find(|(who, _)| !totals.contains_key(*who)) {
        return Err(Error::Unholdable(format!(
            "{votes} votes more for {candidate:?} would be beyond the largest total, {}",
            i64::MAX
        )));
    }
    if !unnamed.is_empty() {
        unnamed.sort_unstable();
        let candidates = texts(unnamed);
        NameCandidates { candidates }.execute(connection).await?;
    }
    Ok(totals)
}

/// The totals of candidates to which the step added nothing.
async fn totals_of(
    connection: &mut AsyncPgConnection,
    partition: Partition,
    idle: Vec<Candidate>,
) -> Result<BTreeMap<Candidate, u64>, Error> {
    if idle.is_empty() {
        return Ok(BTreeMap::new());
    }
    let totals = Totals {
        partition: partition.get().into(),
        candidates: texts(&idle),
    };
    let known: Vec<(String, i64)> = totals.get_results(connection).await?;
    let mut totals: BTreeMap<_, _> = idle.into_iter().map(|candidate| (candidate, 0)).collect();
    for (name, votes) in known {
        if let Some(total) = totals.get_mut(name.as_str()) {
            *total = read::count(votes)?;
        }
    }
    Ok(totals)
}
