//! The words of CAST, as types that cannot hold a wrong value.
//!
//! Nothing here waits, fails for reasons of its own, or knows that a network exists.

mod ballot;
mod ballot_id;
mod key_ring;
mod log;
mod name;
mod outcome;
mod position;
mod redemption;
mod tally;
mod ticket;
mod time;
mod trace;

pub use ballot::{
    Ballot, BallotError, ContentsDigest, EmptyBallot, LoggedBallot, MAX_SELECTIONS, Selection,
    Selections, Votes,
};
pub use ballot_id::{BallotId, MalformedBallotId};
pub use key_ring::{KeyId, KeyRing, KeyRingError};
pub use log::{
    FoldStep, LogBatch, LogEntry, MAX_REASON_BYTES, PositionedBallot, Record, Rejection,
    Unreadable, sum_votes,
};
pub use name::{Candidate, MAX_NAME_BYTES, NameError, Voter};
pub use outcome::{Fate, Outcome, Receipt, Refusal};
pub use position::{LogFingerprint, LogPosition, Offset, Partition, Partitions, Progress};
pub use redemption::{Claim, Redemption, RedemptionRefusal};
pub use tally::{AppliedTotal, StoredTally, Tally, Version};
pub use ticket::{
    CurrentTicket, GenuineTicket, MalformedTicket, PeriodTicket, Ticket, TicketStamp,
};
pub use time::Timestamp;
pub use trace::TraceContext;
