//! From a record to bytes.

use cast_core::domain::{LoggedBallot, Partitions, Record, Selection, TraceContext};
use prost::{Message as _, bytes::Bytes};

use super::{MAX_BYTES, VERSION, schema};

/// A record that is too large for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It has more than [`MAX_BYTES`].
    #[error(
        "a record of {ballots} ballots has {bytes} bytes, and the limit is {MAX_BYTES} bytes: let a \
         flush take fewer ballots"
    )]
    TooLarge {
        /// How many ballots it has.
        ballots: usize,
        /// How many bytes it would have.
        bytes: usize,
    },
}

/// The bytes of a record, for a log with this number of partitions.
///
/// Equal records give equal bytes.
pub fn encode(record: &Record, partitions: Partitions) -> Result<Vec<u8>, EncodeError> {
    let ballots = record.ballots();
    let message = schema::Record {
        version: VERSION.into(),
        partitions: partitions.count().into(),
        ballots: ballots
            .iter()
            .map(|ballot| schema::Ballot::from(ballot).encode_to_vec().into())
            .collect(),
    };
    let bytes = message.encoded_len();
    if bytes > MAX_BYTES {
        return Err(EncodeError::TooLarge {
            ballots: ballots.len(),
            bytes,
        });
    }
    Ok(message.encode_to_vec())
}

impl From<&LoggedBallot> for schema::Ballot {
    fn from(ballot: &LoggedBallot) -> Self {
        let voter = ballot.voter.as_ref().map(|voter| voter.as_str().as_bytes());
        let trace = ballot.trace.as_ref().map(TraceContext::as_bytes);
        Self {
            id: Bytes::copy_from_slice(ballot.id.as_uuid().as_bytes()),
            ticket_key: ballot.ticket.key_id.get().into(),
            ticket_issued_at_ms: ballot.ticket.issued_at.as_unix_ms(),
            voter: Bytes::copy_from_slice(voter.unwrap_or_default()),
            selections: ballot.selections.iter().map(Into::into).collect(),
            trace: trace.map_or_else(Bytes::new, |trace| Bytes::copy_from_slice(trace)),
        }
    }
}

impl From<&Selection> for schema::Selection {
    fn from(selection: &Selection) -> Self {
        Self {
            candidate: Bytes::copy_from_slice(selection.candidate.as_str().as_bytes()),
            votes: selection.votes.get().into(),
        }
    }
}
