//! From a record to bytes.

use cast_core::domain::{LoggedBallot, Partitions, Record, TraceContext};
use prost::{
    Message as _,
    bytes::{Bytes, BytesMut},
};

use super::schema::{self, MAX_BYTES, VERSION};

/// A record that is too large for the log: it has more than [`MAX_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record of {ballots} ballots has {bytes} bytes, and the limit is {MAX_BYTES} bytes: let a flush \
     take fewer ballots"
)]
pub struct EncodeError {
    /// How many ballots it has.
    pub ballots: usize,
    /// How many bytes it would have.
    pub bytes: usize,
}

/// The bytes of a record, for a log with this number of partitions.
///
/// Equal records give equal bytes.
pub fn encode(record: &Record, partitions: Partitions) -> Result<Vec<u8>, EncodeError> {
    let ballots = record.ballots();
    let mut buffer = Buffer(BytesMut::with_capacity(256 * ballots.len()));
    let message = schema::Record {
        version: VERSION.into(),
        partitions: partitions.count().into(),
        ballots: ballots
            .iter()
            .map(|ballot| {
                let message = buffer.ballot(ballot);
                buffer.encoded(&message)
            })
            .collect(),
    };
    let bytes = message.encoded_len();
    if bytes > MAX_BYTES {
        return Err(EncodeError {
            ballots: ballots.len(),
            bytes,
        });
    }
    Ok(message.encode_to_vec())
}

/// The bytes of a ballot by itself: without its id and its trace, which a store keeps elsewhere or not at
/// all.
pub fn encode_ballot(ballot: &LoggedBallot) -> Vec<u8> {
    let mut message = Buffer(BytesMut::with_capacity(128)).ballot(ballot);
    message.id.clear();
    message.trace.clear();
    message.encode_to_vec()
}

/// The memory of all `bytes` fields of a record: one allocation instead of one for each field.
struct Buffer(BytesMut);

impl Buffer {
    fn ballot(&mut self, ballot: &LoggedBallot) -> schema::TracedBallot {
        let voter = ballot.voter.as_ref().map(|voter| voter.as_str().as_bytes());
        let trace = ballot.trace.as_ref().map(TraceContext::as_bytes);
        schema::TracedBallot {
            id: self.bytes(ballot.id.as_uuid().as_bytes()),
            ticket_key: ballot.ticket.key_id.get().into(),
            ticket_issued_at_ms: ballot.ticket.issued_at.as_unix_ms(),
            voter: self.bytes(voter.unwrap_or_default()),
            selections: ballot
                .selections
                .iter()
                .map(|selection| schema::Selection {
                    candidate: self.bytes(selection.candidate.as_str().as_bytes()),
                    votes: selection.votes.get().into(),
                })
                .collect(),
            trace: trace.map_or_else(Bytes::new, |trace| self.bytes(trace)),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Bytes {
        self.0.extend_from_slice(bytes);
        self.0.split().freeze()
    }

    /// The fields of a ballot, in the order of their numbers.
    fn encoded(&mut self, message: &schema::TracedBallot) -> Bytes {
        let encoded = message.encode(&mut self.0);
        encoded.expect("the buffer grows as needed");
        self.0.split().freeze()
    }
}
