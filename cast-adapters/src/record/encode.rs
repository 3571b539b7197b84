//! From a record to bytes.

use cast_core::domain::{LoggedBallot, Partitions, Record, Selection};

use super::{
    MAX_BYTES, VERSION, field,
    wire::{put_bytes, put_message, put_number},
};

/// A record that no log of ours takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It has more than [`MAX_BYTES`].
    #[error(
        "a record has at most {MAX_BYTES} bytes, and this one of {ballots} ballots has {bytes}: let \
         a flush take fewer ballots"
    )]
    TooLarge {
        /// How many ballots it has.
        ballots: usize,
        /// How many bytes it would have.
        bytes: usize,
    },
}

/// The bytes of a record, for a log of so many partitions.
///
/// The same record gives the same bytes, whoever encodes it.
pub fn encode(record: &Record, partitions: Partitions) -> Result<Vec<u8>, EncodeError> {
    let ballots = record.ballots();
    // A ballot for one or two candidates, with names of usual length.
    let mut out = Vec::with_capacity(16 + 96 * ballots.len());
    put_number(&mut out, field::record::VERSION, u64::from(VERSION));
    put_number(
        &mut out,
        field::record::PARTITIONS,
        u64::from(partitions.count()),
    );
    for ballot in ballots.iter() {
        put_message(&mut out, field::record::BALLOTS, |out| {
            put_ballot(out, ballot);
        });
    }
    if out.len() > MAX_BYTES {
        return Err(EncodeError::TooLarge {
            ballots: ballots.len(),
            bytes: out.len(),
        });
    }
    Ok(out)
}

fn put_ballot(out: &mut Vec<u8>, ballot: &LoggedBallot) {
    use field::ballot::{ID, SELECTIONS, TICKET_ISSUED_AT_MS, TICKET_KEY, TRACE, VOTER};

    put_bytes(out, ID, ballot.id.as_uuid().as_bytes());
    put_number(out, TICKET_KEY, u64::from(ballot.ticket.key_id.get()));
    put_number(
        out,
        TICKET_ISSUED_AT_MS,
        ballot.ticket.issued_at.as_unix_ms(),
    );
    if let Some(voter) = &ballot.voter {
        put_bytes(out, VOTER, voter.as_str().as_bytes());
    }
    for selection in ballot.selections.iter() {
        put_message(out, SELECTIONS, |out| put_selection(out, selection));
    }
    if let Some(trace) = &ballot.trace {
        put_bytes(out, TRACE, trace.as_bytes());
    }
}

fn put_selection(out: &mut Vec<u8>, selection: &Selection) {
    use field::selection::{CANDIDATE, VOTES};

    put_bytes(out, CANDIDATE, selection.candidate.as_str().as_bytes());
    put_number(out, VOTES, u64::from(selection.votes.get()));
}
