//! Queries. Each runs in one snapshot.

use std::collections::{BTreeMap, HashMap};

use cast_core::{
    domain::{
        AppliedTotal, BallotId, Candidate, Fate, LogFingerprint, LogPosition, Offset, Partition,
        Progress, StoredTally, Tally, Version,
    },
    ports::{Recount, Recounted, StoredBallot, WrongSum},
};
use diesel::{
    ExpressionMethods as _, JoinOnDsl as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _, SqliteConnection, dsl::max,
};
use uuid::Uuid;

use super::{
    rows,
    schema::{ProgressRow, ballots, candidates, progress, rejected, totals},
};
use crate::{
    record::BallotDecoder,
    sqlite::{
        error::Error,
        position::{position, unsigned},
    },
};

pub(super) fn progress(
    connection: &mut SqliteConnection,
    partition: Partition,
) -> Result<Progress, Error> {
    let found: Option<ProgressRow> = progress::table
        .find(i64::from(partition.get()))
        .first(connection)
        .optional()?;
    let Some(row) = found else {
        return Ok(Progress::default());
    };
    let last = row.last_ballot.zip(row.last_offset).map(|(id, offset)| {
        Ok::<_, Error>(LogFingerprint {
            offset: Offset::new(unsigned("an offset", offset)?),
            ballot: ballot_id(&id)?,
        })
    });
    Ok(Progress {
        next: Offset::new(unsigned("a progress", row.next)?),
        last: last.transpose()?,
    })
}

/// The progress of all partitions that were ever folded, in their order.
pub(super) fn all_progress(
    connection: &mut SqliteConnection,
) -> Result<Vec<(Partition, Offset)>, Error> {
    let rows: Vec<(i64, i64)> = progress::table
        .select((progress::partition, progress::next))
        .order(progress::partition)
        .load(connection)?;
    let rows = rows.into_iter().map(|(partition, next)| {
        let next = unsigned("a progress", next)?;
        Ok((partition_of(partition)?, Offset::new(next)))
    });
    rows.collect()
}

pub(super) fn tallies(
    connection: &mut SqliteConnection,
    asked: &[Candidate],
) -> Result<Vec<StoredTally>, Error> {
    let progress = all_progress(connection)?;
    let tally = |candidate: &Candidate| {
        let votes: Vec<(i64, i64)> = totals::table
            .inner_join(candidates::table)
            .filter(candidates::username.eq(candidate.as_str()))
            .select((totals::partition, totals::votes))
            .load(connection)?;
        let votes: HashMap<i64, i64> = votes.into_iter().collect();
        let totals = progress.iter().map(|&(partition, as_of)| {
            let votes = votes.get(&i64::from(partition.get())).copied();
            Ok(AppliedTotal {
                partition,
                votes: unsigned("a total", votes.unwrap_or_default())?,
                as_of,
            })
        });
        Ok(StoredTally {
            candidate: candidate.clone(),
            applied_totals: totals.collect::<Result<_, Error>>()?,
        })
    };
    asked.iter().map(tally).collect()
}

pub(super) fn leaders(
    connection: &mut SqliteConnection,
    first: usize,
) -> Result<Vec<Tally>, Error> {
    let progress = all_progress(connection)?;
    let version = progress.iter().map(|(_, next)| next.get());
    let version = Version::new(version.fold(0, u64::saturating_add));
    let rows: Vec<(String, i64)> = candidates::table
        .filter(candidates::votes.gt(0))
        .select((candidates::username, candidates::votes))
        .order((candidates::votes.desc(), candidates::username))
        .limit(i64::try_from(first).unwrap_or(i64::MAX))
        .load(connection)?;
    let tallies = rows.into_iter().map(|(name, votes)| {
        Ok(Tally {
            candidate: candidate(&name)?,
            votes: unsigned("a sum", votes)?,
            version,
        })
    });
    tallies.collect()
}

pub(super) fn ballot(
    connection: &mut SqliteConnection,
    id: BallotId,
) -> Result<Option<Fate>, Error> {
    let id = rows::id(id);
    let counted: Option<i64> = ballots::table
        .filter(ballots::id.eq(&id))
        .select(ballots::position)
        .first(connection)
        .optional()?;
    if let Some(counted) = counted {
        return Ok(Some(Fate::Counted(position(counted)?)));
    }
    let rejected: Option<(i64, String)> = rejected::table
        .filter(rejected::ballot_id.eq(&id))
        .select((rejected::position, rejected::reason))
        .order(rejected::number)
        .first(connection)
        .optional()?;
    let Some((at, reason)) = rejected else {
        return Ok(None);
    };
    let position = position(at)?;
    Ok(Some(Fate::Rejected { position, reason }))
}

/// The stored ballots of these ids, in their order.
pub(super) fn stored_ballots(
    connection: &mut SqliteConnection,
    ids: &[BallotId],
) -> Result<Vec<Option<StoredBallot>>, Error> {
    let mut decoder = BallotDecoder::default();
    let stored = ids.iter().map(|&id| {
        let key = rows::id(id);
        let counted: Option<(i64, Vec<u8>)> = ballots::table
            .filter(ballots::id.eq(&key))
            .select((ballots::position, ballots::content))
            .first(connection)
            .optional()?;
        if let Some((at, content)) = counted {
            return Ok(Some(StoredBallot::Counted {
                position: position(at)?,
                ballot: decoder.decode(id, &content),
            }));
        }
        let rejected: Option<i64> = rejected::table
            .filter(rejected::ballot_id.eq(&key))
            .select(rejected::position)
            .order(rejected::number)
            .first(connection)
            .optional()?;
        rejected.map(rejected_at).transpose()
    });
    stored.collect()
}

fn rejected_at(number: i64) -> Result<StoredBallot, Error> {
    let position: LogPosition = position(number)?;
    Ok(StoredBallot::Rejected { position })
}

/// Counts all ballots again.
pub(super) fn recount(connection: &mut SqliteConnection) -> Result<Recount, Error> {
    let progress = all_progress(connection)?;
    let mut counts: BTreeMap<(Candidate, Partition), Counts> = BTreeMap::new();
    count_ballots(connection, &mut counts)?;
    let shown: Vec<(String, i64, i64)> = totals::table
        .inner_join(candidates::table.on(candidates::number.eq(totals::candidate)))
        .select((candidates::username, totals::partition, totals::votes))
        .load(connection)?;
    for (name, partition, votes) in shown {
        let key = (candidate(&name)?, partition_of(partition)?);
        counts.entry(key).or_default().total = unsigned("a total", votes)?;
    }
    let wrong_sums = wrong_sums(connection, &counts)?;
    let counts = counts
        .into_iter()
        .map(|((candidate, partition), counts)| Recounted {
            candidate,
            partition,
            votes: counts.votes,
            total: counts.total,
        });
    Ok(Recount {
        progress,
        counts: counts.collect(),
        wrong_sums,
    })
}

/// The sums that are not those of the totals. One beyond the largest number stays at it.
fn wrong_sums(
    connection: &mut SqliteConnection,
    counts: &BTreeMap<(Candidate, Partition), Counts>,
) -> Result<Vec<WrongSum>, Error> {
    let mut totals: HashMap<&str, u64> = HashMap::new();
    for ((candidate, _), counts) in counts {
        let sum = totals.entry(candidate.as_str()).or_default();
        *sum = sum.saturating_add(counts.total);
    }
    let mut wrong = Vec::new();
    let rows = candidates::table
        .select((candidates::username, candidates::votes))
        .order(candidates::username)
        .load_iter::<(String, i64), _>(connection)?;
    for row in rows {
        let (name, sum) = row?;
        let sum = unsigned("a sum", sum)?;
        let totals = totals.get(name.as_str()).copied().unwrap_or_default();
        if sum != totals.min(i64::MAX.unsigned_abs()) {
            wrong.push(WrongSum {
                candidate: candidate(&name)?,
                sum,
                totals,
            });
        }
    }
    Ok(wrong)
}

#[derive(Default)]
struct Counts {
    votes: u64,
    total: u64,
}

/// Adds up the votes of all ballots. One that is no ballot has none: the audit finds it in the log.
fn count_ballots(
    connection: &mut SqliteConnection,
    counts: &mut BTreeMap<(Candidate, Partition), Counts>,
) -> Result<(), Error> {
    let mut decoder = BallotDecoder::default();
    let rows = ballots::table
        .select((ballots::id, ballots::position, ballots::content))
        .load_iter::<(Vec<u8>, i64, Vec<u8>), _>(connection)?;
    for row in rows {
        let (id, at, content) = row?;
        let partition = position(at)?.partition;
        let Ok(ballot) = decoder.decode(ballot_id(&id)?, &content) else {
            continue;
        };
        for selection in ballot.selections.iter() {
            let key = (selection.candidate.clone(), partition);
            let count = counts.entry(key).or_default();
            count.votes = count.votes.saturating_add(selection.votes.get().into());
        }
    }
    Ok(())
}

/// No ballot is ever deleted, so the last number is the count.
pub(super) fn counted(connection: &mut SqliteConnection) -> Result<u64, Error> {
    let last: Option<i64> = ballots::table
        .select(max(ballots::number))
        .first(connection)?;
    unsigned("a number", last.unwrap_or_default())
}

pub(super) fn partition_of(number: i64) -> Result<Partition, Error> {
    let partition = u32::try_from(number);
    let partition = partition.map_err(|_| Error::Row(format!("it has a partition {number}")))?;
    Ok(Partition::new(partition))
}

pub(super) fn ballot_id(bytes: &[u8]) -> Result<BallotId, Error> {
    let id = Uuid::from_slice(bytes).ok();
    let id = id.and_then(|id| BallotId::new(id).ok());
    id.ok_or_else(|| Error::Row(format!("it has a ballot id {bytes:02x?}")))
}

pub(super) fn candidate(name: &str) -> Result<Candidate, Error> {
    Candidate::new(name)
        .map_err(|why| Error::Row(format!("it has a candidate {name:?} whose name {why}")))
}
