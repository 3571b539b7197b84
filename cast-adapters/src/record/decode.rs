//! From bytes to a record's ballots.

use std::{collections::HashMap, str, sync::Arc};

use cast_core::domain::{
    BallotError, BallotId, Candidate, KeyId, LoggedBallot, MAX_SELECTIONS, MalformedBallotId,
    NameError, Partitions, Selection, Selections, TicketStamp, Timestamp, TraceContext, Unreadable,
    Voter, Votes,
};
use prost::{Message as _, bytes::Bytes};
use uuid::Uuid;

use super::schema::{self, MAX_BYTES, VERSION};

/// The contents of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Its ballots, at least one.
    pub ballots: Arc<[LoggedBallot]>,
    /// How many partitions the log had when the record was written; `None` if the writer left it out.
    pub partitions: Option<Partitions>,
}

/// Decodes a record. An [`Unreadable`] holds the bytes of what cannot be decoded, and the reason.
///
/// Every name and number is checked as if it came from a voter: many versions of many programs write
/// the log. One invalid ballot makes the whole record unreadable, and the reason names that ballot.
pub fn decode(bytes: &[u8]) -> Result<Decoded, Unreadable> {
    checked(bytes).map_err(|error| Unreadable {
        bytes: bytes.into(),
        reason: error.to_string(),
    })
}

/// Decodes ballots that [`encode_ballot`](super::encode_ballot) encoded. The names of candidates are
/// checked once, and shared.
#[derive(Default)]
pub struct BallotDecoder(Candidates);

impl BallotDecoder {
    /// The ballot with this id; or why the bytes are not a ballot.
    pub fn decode(&mut self, id: BallotId, bytes: &[u8]) -> Result<LoggedBallot, String> {
        let (ballot, decoded) = fields(Bytes::copy_from_slice(bytes));
        let checked = || {
            decoded?;
            checked_ballot(id, &ballot, &mut self.0)
        };
        checked().map_err(|error: InvalidBallot| error.to_string())
    }
}

#[derive(Debug, thiserror::Error)]
enum DecodeError {
    #[error("the record has {0} bytes, and the limit is {MAX_BYTES} bytes")]
    TooLarge(usize),
    #[error("not a record: {0}")]
    Malformed(#[from] prost::DecodeError),
    #[error("not a record: it has no version")]
    NoVersion,
    #[error(
        "the record has version {0}, and this program reads versions up to {VERSION}: update the \
         readers of the log before its writers"
    )]
    Newer(u64),
    #[error("the record says that the log has {0} partitions, which is more than 32 bits hold")]
    Partitions(u64),
    #[error("the record has no ballot")]
    NoBallot,
    #[error("ballot {index}{}: {error}", in_parentheses(*.id))]
    Ballot {
        /// Its place in the record, counted from 0.
        index: usize,
        /// Its id, if that could be decoded.
        id: Option<BallotId>,
        error: InvalidBallot,
    },
}

fn in_parentheses(id: Option<BallotId>) -> String {
    id.map(|id| format!(" ({id})")).unwrap_or_default()
}

/// Why a ballot breaks the rules of `docs/record.proto`.
#[derive(Debug, thiserror::Error)]
enum InvalidBallot {
    #[error(transparent)]
    Malformed(#[from] prost::DecodeError),
    #[error("its id has {0} bytes, and a UUID has 16")]
    IdLength(usize),
    #[error(transparent)]
    Id(#[from] MalformedBallotId),
    #[error("its ticket_key is {0}, and the largest is 255")]
    TicketKey(u64),
    #[error("its voter {0}")]
    Voter(InvalidName),
    #[error("the candidate of its selection {index} {error}")]
    Candidate { index: usize, error: InvalidName },
    #[error("its selection {index} has no votes")]
    NoVotes { index: usize },
    #[error(
        "its selection {index} has {votes} votes, and the most is {}",
        u32::MAX
    )]
    TooManyVotes { index: usize, votes: u64 },
    #[error("it has {0} selections, and a ballot has 1 to {MAX_SELECTIONS}")]
    SelectionCount(usize),
    #[error(transparent)]
    Selections(BallotError),
}

#[derive(Debug, thiserror::Error)]
enum InvalidName {
    #[error("must be UTF-8")]
    NotUtf8,
    #[error(transparent)]
    Name(#[from] NameError),
}

fn checked(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    match schema::Version::decode(bytes)?.version {
        0 => return Err(DecodeError::NoVersion),
        newer if newer > u64::from(VERSION) => return Err(DecodeError::Newer(newer)),
        _ => {}
    }
    // One copy, which all fields of type `bytes` share.
    let record = schema::Record::decode(Bytes::copy_from_slice(bytes))?;
    let partitions =
        u32::try_from(record.partitions).map_err(|_| DecodeError::Partitions(record.partitions))?;
    if record.ballots.is_empty() {
        return Err(DecodeError::NoBallot);
    }
    let mut candidates = Candidates::default();
    let ballots = record.ballots.into_iter().enumerate();
    let ballots: Result<Vec<_>, _> = ballots
        .map(|(index, message)| ballot(index, message, &mut candidates))
        .collect();
    Ok(Decoded {
        ballots: ballots?.into(),
        partitions: Partitions::new(partitions),
    })
}

fn ballot(
    index: usize,
    message: Bytes,
    candidates: &mut Candidates,
) -> Result<LoggedBallot, DecodeError> {
    let (ballot, decoded) = fields(message);
    let id = ballot_id(&ballot.id);
    let known_id = id.as_ref().ok().copied();
    let checked = || {
        decoded?;
        checked_ballot(id?, &ballot, candidates)
    };
    checked().map_err(|error| DecodeError::Ballot {
        index,
        id: known_id,
        error,
    })
}

/// The fields of a ballot, up to the first that cannot be decoded. A `trace` of another wire type is no
/// reason to reject a vote: without it, the ballot is decoded again.
fn fields(message: Bytes) -> (schema::TracedBallot, Result<(), prost::DecodeError>) {
    if let Ok(ballot) = schema::TracedBallot::decode(message.clone()) {
        return (ballot, Ok(()));
    }
    let mut ballot = schema::Ballot::default();
    let decoded = ballot.merge(message);
    (ballot.into(), decoded)
}

fn ballot_id(bytes: &[u8]) -> Result<BallotId, InvalidBallot> {
    let id = Uuid::from_slice(bytes).map_err(|_| InvalidBallot::IdLength(bytes.len()))?;
    Ok(BallotId::new(id)?)
}

fn checked_ballot(
    id: BallotId,
    ballot: &schema::TracedBallot,
    candidates: &mut Candidates,
) -> Result<LoggedBallot, InvalidBallot> {
    let key_id =
        u8::try_from(ballot.ticket_key).map_err(|_| InvalidBallot::TicketKey(ballot.ticket_key))?;
    // Before each is checked, because there may be as many as a record has bytes for.
    if ballot.selections.len() > MAX_SELECTIONS {
        return Err(InvalidBallot::SelectionCount(ballot.selections.len()));
    }
    let selections = ballot.selections.iter().enumerate();
    let selections = selections
        .map(|(index, selection)| checked_selection(index, selection, candidates))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(LoggedBallot {
        id,
        ticket: TicketStamp {
            key_id: KeyId::new(key_id),
            issued_at: Timestamp::from_unix_ms(ballot.ticket_issued_at_ms),
        },
        voter: voter(&ballot.voter).map_err(InvalidBallot::Voter)?,
        selections: Selections::new(selections).map_err(|error| match error {
            BallotError::SelectionCount { count } => InvalidBallot::SelectionCount(count),
            other => InvalidBallot::Selections(other),
        })?,
        // An invalid trace is no reason to reject a vote.
        trace: (ballot.trace.as_ref().try_into().ok()).and_then(TraceContext::from_bytes),
    })
}

fn checked_selection(
    index: usize,
    selection: &schema::Selection,
    candidates: &mut Candidates,
) -> Result<Selection, InvalidBallot> {
    let votes = u32::try_from(selection.votes).map_err(|_| InvalidBallot::TooManyVotes {
        index,
        votes: selection.votes,
    })?;
    Ok(Selection {
        candidate: candidates
            .named(&selection.candidate)
            .map_err(|error| InvalidBallot::Candidate { index, error })?,
        votes: Votes::new(votes).ok_or(InvalidBallot::NoVotes { index })?,
    })
}

/// In Protobuf an empty text is the same as an absent one.
fn voter(name: &[u8]) -> Result<Option<Voter>, InvalidName> {
    if name.is_empty() {
        return Ok(None);
    }
    Ok(Some(Voter::new(text(name)?)?))
}

/// The candidates of a record. Its ballots mostly vote for the same few: each name is checked once,
/// and all selections share it.
#[derive(Default)]
struct Candidates(HashMap<Bytes, Candidate>);

impl Candidates {
    fn named(&mut self, name: &Bytes) -> Result<Candidate, InvalidName> {
        if let Some(known) = self.0.get(name) {
            return Ok(known.clone());
        }
        let candidate = Candidate::new(text(name)?)?;
        self.0.insert(name.clone(), candidate.clone());
        Ok(candidate)
    }
}

fn text(bytes: &[u8]) -> Result<&str, InvalidName> {
    str::from_utf8(bytes).map_err(|_| InvalidName::NotUtf8)
}
