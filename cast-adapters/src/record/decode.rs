//! From bytes to a record's ballots.

use std::{collections::HashMap, sync::Arc};

use cast_core::domain::{
    BallotError, BallotId, Candidate, KeyId, LoggedBallot, MAX_SELECTIONS, MalformedBallotId,
    NameError, Partitions, Selection, Selections, TicketStamp, Timestamp, TraceContext, Unreadable,
    Voter, Votes,
};
use uuid::Uuid;

use super::{
    MAX_BYTES, VERSION, field,
    wire::{Field, Fields, WireError},
};

/// What a record's bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Its ballots, at least one.
    pub ballots: Arc<[LoggedBallot]>,
    /// How many partitions the log had when it was written; `None` if the writer did not say.
    pub partitions: Option<Partitions>,
}

/// Reads a record, and keeps the bytes of what is none.
///
/// Every name and number is checked as if it came from a voter: a log is written by many versions of
/// many programs. One ballot that is none makes the whole record unreadable, and the reason names it.
pub fn decode(bytes: &[u8]) -> Result<Decoded, Unreadable> {
    read(bytes).map_err(|why| Unreadable {
        bytes: bytes.into(),
        reason: why.to_string(),
    })
}

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
enum DecodeError {
    #[error("a record has at most {MAX_BYTES} bytes, and this has {0}")]
    TooLarge(usize),
    #[error("it is no record: {0}")]
    Malformed(#[from] WireError),
    #[error("it is no record: it names no version")]
    NoVersion,
    #[error(
        "it is of version {0}, and this program reads up to {VERSION}: update the readers of the \
         log before its writers"
    )]
    Newer(u64),
    #[error("it holds no ballot")]
    NoBallot,
    #[error("ballot {at}{}: {why}", shown(*.id))]
    Ballot {
        /// Which, counted from 0.
        at: usize,
        /// Its id, if that could be read.
        id: Option<BallotId>,
        why: BallotFault,
    },
}

fn shown(id: Option<BallotId>) -> String {
    id.map(|id| format!(" ({id})")).unwrap_or_default()
}

/// What is wrong with a ballot.
#[derive(Debug, thiserror::Error)]
enum BallotFault {
    #[error(transparent)]
    Malformed(#[from] WireError),
    #[error("its id has {0} bytes, and a UUID has 16")]
    IdLength(usize),
    #[error(transparent)]
    Id(#[from] MalformedBallotId),
    #[error("its voter {0}")]
    Voter(NameError),
    #[error("the candidate of its selection {at} {why}")]
    Candidate { at: usize, why: NameError },
    #[error("its selection {at} has no votes")]
    NoVotes { at: usize },
    #[error("it has {0} selections, and a ballot has 1 to {MAX_SELECTIONS}")]
    Selections(String),
}

fn read(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    if bytes.len() > MAX_BYTES {
        return Err(DecodeError::TooLarge(bytes.len()));
    }
    // The version first: the rest may mean something else in another one.
    match version(bytes)? {
        0 => return Err(DecodeError::NoVersion),
        newer if newer > u64::from(VERSION) => return Err(DecodeError::Newer(newer)),
        _ => {}
    }
    let mut names = Names::default();
    let mut partitions = None;
    let mut ballots = Vec::new();
    for field in Fields::of(bytes) {
        let field = field?;
        match field.number {
            field::record::PARTITIONS => partitions = Partitions::new(field.number()?),
            field::record::BALLOTS => {
                let message = field.bytes()?;
                let ballot = names.ballot(message).map_err(|why| DecodeError::Ballot {
                    at: ballots.len(),
                    id: ballot_id(message),
                    why,
                })?;
                ballots.push(ballot);
            }
            _ => {}
        }
    }
    if ballots.is_empty() {
        return Err(DecodeError::NoBallot);
    }
    Ok(Decoded {
        ballots: ballots.into(),
        partitions,
    })
}

fn version(bytes: &[u8]) -> Result<u64, WireError> {
    let mut version = 0;
    for field in Fields::of(bytes) {
        let field = field?;
        if field.number == field::record::VERSION {
            version = field.u64()?;
        }
    }
    Ok(version)
}

/// The id of a ballot that cannot be read as a whole.
fn ballot_id(message: &[u8]) -> Option<BallotId> {
    let mut fields = Fields::of(message).map_while(Result::ok);
    let id = fields.find(|field| field.number == field::ballot::ID)?;
    parse_id(id).ok()
}

fn parse_id(field: Field<'_>) -> Result<BallotId, BallotFault> {
    let bytes = field.bytes()?;
    let id = Uuid::from_slice(bytes).map_err(|_| BallotFault::IdLength(bytes.len()))?;
    Ok(BallotId::new(id)?)
}

/// The candidates of a record. Its ballots mostly vote for the same few: each name is checked and
/// kept once.
#[derive(Default)]
struct Names<'a>(HashMap<&'a str, Candidate>);

impl<'a> Names<'a> {
    fn ballot(&mut self, message: &'a [u8]) -> Result<LoggedBallot, BallotFault> {
        let mut id = Err(BallotFault::IdLength(0));
        let mut key_id = KeyId::new(0);
        let mut issued_at = Timestamp::default();
        let mut voter = None;
        let mut selections = Vec::new();
        let mut trace = None;
        for field in Fields::of(message) {
            let field = field?;
            match field.number {
                field::ballot::ID => id = parse_id(field),
                field::ballot::TICKET_KEY => key_id = KeyId::new(field.number()?),
                field::ballot::TICKET_ISSUED_AT_MS => {
                    issued_at = Timestamp::from_unix_ms(field.u64()?);
                }
                field::ballot::VOTER => voter = voter_of(field.text()?)?,
                field::ballot::SELECTIONS if selections.len() == MAX_SELECTIONS => {
                    return Err(BallotFault::Selections("more".to_owned()));
                }
                field::ballot::SELECTIONS => {
                    let selection = self.selection(selections.len(), field.bytes()?)?;
                    selections.push(selection);
                }
                // Whatever else is there is no context, and no reason to reject a vote.
                field::ballot::TRACE => trace = field.bytes().ok().and_then(trace_of),
                _ => {}
            }
        }
        let selections = Selections::new(selections).map_err(|why| {
            BallotFault::Selections(match why {
                BallotError::SelectionCount { count } => count.to_string(),
                other => other.to_string(),
            })
        })?;
        Ok(LoggedBallot {
            id: id?,
            ticket: TicketStamp { key_id, issued_at },
            voter,
            selections,
            trace,
        })
    }

    fn selection(&mut self, at: usize, message: &'a [u8]) -> Result<Selection, BallotFault> {
        let (mut name, mut votes) = ("", 0);
        for field in Fields::of(message) {
            let field = field?;
            match field.number {
                field::selection::CANDIDATE => name = field.text()?,
                field::selection::VOTES => votes = field.number()?,
                _ => {}
            }
        }
        Ok(Selection {
            candidate: self
                .candidate(name)
                .map_err(|why| BallotFault::Candidate { at, why })?,
            votes: Votes::new(votes).ok_or(BallotFault::NoVotes { at })?,
        })
    }

    fn candidate(&mut self, name: &'a str) -> Result<Candidate, NameError> {
        if let Some(known) = self.0.get(name) {
            return Ok(known.clone());
        }
        let candidate = Candidate::new(name)?;
        self.0.insert(name, candidate.clone());
        Ok(candidate)
    }
}

fn trace_of(bytes: &[u8]) -> Option<TraceContext> {
    TraceContext::from_bytes(bytes.try_into().ok()?)
}

/// A voter; in Protobuf an empty text is the same as none.
fn voter_of(name: &str) -> Result<Option<Voter>, BallotFault> {
    if name.is_empty() {
        return Ok(None);
    }
    Voter::new(name).map(Some).map_err(BallotFault::Voter)
}
