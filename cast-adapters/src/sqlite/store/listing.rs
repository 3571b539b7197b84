//! What the store has, in pages.

use async_trait::async_trait;
use cast_core::{
    NumberedBallot, NumberedCandidate, NumberedRejection, Origin,
    domain::{PositionedBallot, Rejection, Timestamp, Unreadable},
    ports::PortError,
};
use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _, SqliteConnection};

use super::{
    SqliteStore, read,
    schema::{ballots, candidates, rejected},
};
use crate::{
    record::BallotDecoder,
    sqlite::{
        error::Error,
        position::{position, unsigned, whole},
    },
};

const LISTING: &str = "listing what the store has";

#[async_trait]
impl Origin for SqliteStore {
    async fn counted(&self) -> Result<u64, PortError> {
        self.read(LISTING, read::counted).await
    }

    async fn ballots(&self, after: u64, limit: usize) -> Result<Vec<NumberedBallot>, PortError> {
        self.read(LISTING, move |c| list_ballots(c, after, limit))
            .await
    }

    async fn candidates(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<NumberedCandidate>, PortError> {
        self.read(LISTING, move |c| list_candidates(c, after, limit))
            .await
    }

    async fn rejections(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<NumberedRejection>, PortError> {
        self.read(LISTING, move |c| list_rejections(c, after, limit))
            .await
    }
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn list_ballots(
    connection: &mut SqliteConnection,
    after: u64,
    limit: usize,
) -> Result<Vec<NumberedBallot>, Error> {
    let page: Vec<(i64, Vec<u8>, i64, Vec<u8>)> = ballots::table
        .filter(ballots::number.gt(whole("a number", after)?))
        .order(ballots::number)
        .limit(rows(limit))
        .load(connection)?;
    let mut decoder = BallotDecoder::default();
    let page = page.into_iter().map(|(number, id, at, content)| {
        let id = read::ballot_id(&id)?;
        let ballot = decoder.decode(id, &content).map_err(|why| {
            Error::Row(format!(
                "it has a ballot {id} that cannot be decoded: {why}"
            ))
        });
        Ok(NumberedBallot {
            number: unsigned("a number", number)?,
            position: position(at)?,
            ballot: ballot?,
        })
    });
    page.collect()
}

fn list_candidates(
    connection: &mut SqliteConnection,
    after: u64,
    limit: usize,
) -> Result<Vec<NumberedCandidate>, Error> {
    let page: Vec<(i64, String)> = candidates::table
        .filter(candidates::number.gt(whole("a number", after)?))
        .select((candidates::number, candidates::username))
        .order(candidates::number)
        .limit(rows(limit))
        .load(connection)?;
    let page = page.into_iter().map(|(number, name)| {
        Ok(NumberedCandidate {
            number: unsigned("a number", number)?,
            candidate: read::candidate(&name)?,
        })
    });
    page.collect()
}

/// A row of `rejected`: number, position, id, ballot, bytes, reason, time.
type RejectedRow = (
    i64,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    String,
    i64,
);

fn list_rejections(
    connection: &mut SqliteConnection,
    after: u64,
    limit: usize,
) -> Result<Vec<NumberedRejection>, Error> {
    let page: Vec<RejectedRow> = rejected::table
        .filter(rejected::number.gt(whole("a number", after)?))
        .order(rejected::number)
        .limit(rows(limit))
        .load(connection)?;
    let mut decoder = BallotDecoder::default();
    let page = page.into_iter().map(|row| rejection(row, &mut decoder));
    page.collect()
}

fn rejection(row: RejectedRow, decoder: &mut BallotDecoder) -> Result<NumberedRejection, Error> {
    let (number, at, id, ballot, bytes, reason, rejected_at) = row;
    let at = position(at)?;
    let rejection = match (id, ballot, bytes) {
        (Some(id), Some(content), _) => {
            let ballot = decoder.decode(read::ballot_id(&id)?, &content);
            let ballot = ballot.map_err(|why| {
                Error::Row(format!(
                    "it has a rejected ballot that cannot be decoded: {why}"
                ))
            })?;
            let positioned = PositionedBallot {
                offset: at.offset,
                ballot,
            };
            Rejection::of_ballot(positioned, &reason)
        }
        (_, _, bytes) => {
            let content = Unreadable {
                bytes: bytes.unwrap_or_default().into(),
                reason,
            };
            Rejection::of_record(at.offset, content)
        }
    };
    Ok(NumberedRejection {
        number: unsigned("a number", number)?,
        partition: at.partition,
        rejection,
        rejected_at: Timestamp::from_unix_ms(unsigned("a time", rejected_at)?),
    })
}
