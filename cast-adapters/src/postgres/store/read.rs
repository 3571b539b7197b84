//! Queries.

use std::{collections::HashMap, time::Duration};

use cast_core::{
    domain::{
        AppliedTotal, BallotId, Candidate, Fate, KeyId, LogFingerprint, LogPosition, LoggedBallot,
        Offset, Partition, Progress, Selection, Selections, StoredTally, Tally, TicketStamp,
        Version, Voter, Votes,
    },
    ports::{Recount, Recounted, StoredBallot},
};
use diesel::{OptionalExtension as _, pg::data_types::PgTimestamp};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use uuid::Uuid;

use super::{
    rows::{self, texts},
    statements::{
        self, Ballot, Leaders, LeadersBar, LeadersOfAll, RejectedBallots, StoredBallots, Tallies,
    },
};
use crate::postgres::error::Error;

pub(super) async fn progress(
    connection: &mut AsyncPgConnection,
    partition: Partition,
) -> Result<Progress, Error> {
    let partition = partition.get().into();
    let found = statements::Progress { partition };
    let found = found.get_result(connection).await;
    let found: Option<(i64, Option<Uuid>, Option<i64>)> = found.optional()?;
    let Some((next, ballot, offset)) = found else {
        return Ok(Progress::default());
    };
    let last = ballot.zip(offset).map(|(ballot, offset)| {
        Ok::<_, Error>(LogFingerprint {
            offset: Offset::new(count(offset)?),
            ballot: ballot_id(ballot)?,
        })
    });
    Ok(Progress {
        next: Offset::new(count(next)?),
        last: last.transpose()?,
    })
}

pub(super) async fn tallies(
    connection: &mut AsyncPgConnection,
    candidates: Vec<Candidate>,
) -> Result<Vec<StoredTally>, Error> {
    let names = texts(&candidates);
    let rows: Vec<(i64, i64, i64, i64)> = Tallies { candidates: names }
        .get_results(connection)
        .await?;
    let none = |candidate| StoredTally {
        candidate,
        applied_totals: Vec::new(),
    };
    let mut tallies: Vec<_> = candidates.into_iter().map(none).collect();
    for (index, partition, votes, next) in rows {
        let total = AppliedTotal {
            partition: partition_of(partition)?,
            votes: count(votes)?,
            as_of: Offset::new(count(next)?),
        };
        // The index is counted from 1.
        let tally = usize::try_from(index)
            .ok()
            .and_then(|index| tallies.get_mut(index - 1));
        let tally = tally.expect("each row has the index of one of the candidates");
        tally.applied_totals.push(total);
    }
    Ok(tallies)
}

pub(super) async fn leaders(
    connection: &mut AsyncPgConnection,
    first: usize,
) -> Result<Vec<Tally>, Error> {
    // More than there can be candidates; and it may be multiplied by a number of partitions.
    let first = i64::try_from(first)
        .unwrap_or(i64::MAX)
        .min(i32::MAX.into());
    if first == 0 {
        return Ok(Vec::new());
    }
    let bar: i64 = LeadersBar { first }.get_result(connection).await?;
    let mut rows: Vec<(String, i64, i64)> = Vec::new();
    if bar > 1 {
        rows = Leaders { bar, first }.get_results(connection).await?;
    }
    // There are enough above the bar, unless the database was restored from a backup meanwhile.
    if rows.len() as u64 != first.unsigned_abs() {
        rows = LeadersOfAll { first }.get_results(connection).await?;
    }
    let tally = |(name, votes, version): (String, i64, i64)| {
        Ok(Tally {
            candidate: candidate(&name)?,
            votes: count(votes)?,
            version: Version::new(count(version)?),
        })
    };
    rows.into_iter().map(tally).collect()
}

pub(super) async fn ballot(
    connection: &mut AsyncPgConnection,
    id: BallotId,
) -> Result<Option<Fate>, Error> {
    let found = Ballot { id: id.as_uuid() }.get_result(connection).await;
    let found: Option<(i64, i64, Option<String>)> = found.optional()?;
    let Some((partition, offset, reason)) = found else {
        return Ok(None);
    };
    let position = position(partition, offset)?;
    Ok(Some(match reason {
        None => Fate::Counted(position),
        Some(reason) => Fate::Rejected { position, reason },
    }))
}

/// Counts all ballots again, within `limit`. It must run in a transaction, because it changes the
/// statement timeout locally.
pub(super) async fn recount(
    connection: &mut AsyncPgConnection,
    limit: Duration,
) -> Result<Recount, Error> {
    // A sequential scan is the right plan here.
    let longer = format!(
        "SET LOCAL statement_timeout = {}; SET LOCAL enable_seqscan = on",
        limit.as_millis()
    );
    connection.batch_execute(&longer).await?;
    let rows: Vec<(Option<String>, i64, i64, i64)> =
        statements::Recount {}.get_results(connection).await?;
    let mut recount = Recount::default();
    for (name, partition, votes, total) in rows {
        let (partition, votes) = (partition_of(partition)?, count(votes)?);
        match name {
            None => recount.progress.push((partition, Offset::new(votes))),
            Some(name) => recount.counts.push(Recounted {
                candidate: candidate(&name)?,
                partition,
                votes,
                total: count(total)?,
            }),
        }
    }
    recount.progress.sort_unstable();
    let by = |count: &Recounted| (count.candidate.clone(), count.partition);
    recount.counts.sort_by_cached_key(by);
    Ok(recount)
}

/// A count in the database, which is never negative.
pub(super) fn count(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::Unreadable(format!("a count of {number}")))
}

fn position(partition: i64, offset: i64) -> Result<LogPosition, Error> {
    Ok(LogPosition {
        partition: partition_of(partition)?,
        offset: Offset::new(count(offset)?),
    })
}

fn partition_of(number: i64) -> Result<Partition, Error> {
    let number = u32::try_from(number);
    let number =
        number.map_err(|_| Error::Unreadable("an invalid number of a partition".into()))?;
    Ok(Partition::new(number))
}

fn ballot_id(id: Uuid) -> Result<BallotId, Error> {
    BallotId::new(id).map_err(|why| Error::Unreadable(format!("a ballot id {id}: {why}")))
}

fn candidate(name: &str) -> Result<Candidate, Error> {
    Candidate::new(name)
        .map_err(|why| Error::Unreadable(format!("a candidate {name:?} whose name {why}")))
}

/// A row of `ballots`: id, partition, offset, the ticket's key and time, voter, candidates, votes.
type Row = (
    Uuid,
    i64,
    i64,
    i16,
    PgTimestamp,
    Option<String>,
    Vec<String>,
    Vec<i64>,
);

/// The stored ballots of these ids, in their order.
pub(super) async fn stored_ballots(
    connection: &mut AsyncPgConnection,
    ballots: Vec<BallotId>,
) -> Result<Vec<Option<StoredBallot>>, Error> {
    let ids: Vec<Uuid> = ballots.iter().map(|id| id.as_uuid()).collect();
    let mut found = HashMap::with_capacity(ids.len());
    // The rejected ballots come first: one that is counted in between is then found as counted.
    let rejected = RejectedBallots { ids: ids.clone() };
    let rejected: Vec<(Uuid, i64, i64)> = rejected.get_results(connection).await?;
    for (id, partition, offset) in rejected {
        let position = position(partition, offset)?;
        found.insert(id, StoredBallot::Rejected { position });
    }
    let counted = StoredBallots { ids: ids.clone() };
    let counted: Vec<Row> = counted.get_results(connection).await?;
    for row in counted {
        let (id, position) = (row.0, position(row.1, row.2)?);
        let ballot = stored_ballot(row);
        found.insert(id, StoredBallot::Counted { position, ballot });
    }
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

/// The ballot of a row. The checks of the table allow more than a ballot does, so this may fail.
fn stored_ballot(row: Row) -> Result<LoggedBallot, String> {
    let (id, _, _, key, issued_at, voter, candidates, votes) = row;
    let selections = candidates.iter().zip(votes);
    let selections = selections
        .map(|(name, votes)| selection(name, votes))
        .collect::<Result<Vec<_>, _>>()?;
    let voter = voter.as_deref().map(Voter::new).transpose();
    Ok(LoggedBallot {
        id: BallotId::new(id).map_err(|why| why.to_string())?,
        ticket: TicketStamp {
            key_id: KeyId::new(u8::try_from(key).map_err(|_| format!("a key {key}"))?),
            issued_at: rows::time(issued_at).ok_or("a time before 1970, or not of whole ms")?,
        },
        voter: voter.map_err(|why| format!("a voter whose name {why}"))?,
        selections: Selections::new(selections).map_err(|why| why.to_string())?,
        trace: None,
    })
}

fn selection(name: &str, votes: i64) -> Result<Selection, String> {
    let candidate =
        Candidate::new(name).map_err(|why| format!("a candidate {name:?} whose name {why}"))?;
    let number = u32::try_from(votes).ok().and_then(Votes::new);
    let votes = number.ok_or_else(|| format!("{votes} votes for {candidate}"))?;
    Ok(Selection { candidate, votes })
}
