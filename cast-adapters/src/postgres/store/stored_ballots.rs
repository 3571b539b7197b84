//! Reads the stored contents of ballots.

use std::collections::HashMap;

use cast_core::{
    domain::{
        BallotId, Candidate, KeyId, LoggedBallot, Selection, Selections, TicketStamp, Voter, Votes,
    },
    ports::StoredBallot,
};
use diesel::pg::data_types::PgTimestamp;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use uuid::Uuid;

use super::{
    read::position,
    rows,
    statements::{RejectedBallots, StoredBallots},
};
use crate::postgres::error::Error;

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
        let ballot = ballot(row);
        found.insert(id, StoredBallot::Counted { position, ballot });
    }
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

/// The ballot of a row. The checks of the table allow more than a ballot does, so this may fail.
fn ballot(row: Row) -> Result<LoggedBallot, String> {
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
