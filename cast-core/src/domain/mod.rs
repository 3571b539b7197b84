//! The domain: values that are valid by construction, and pure functions of them.
//!
//! Nothing here does I/O. [`Clock`] and [`Entropy`] are the two things that the domain needs from outside.
//!
//! Architecture invariant: the domain knows no port, no setting, no flag and no field of an API.

mod ballot;
mod ballot_id;
mod clock;
mod entropy;
mod key_ring;
mod log;
mod logged_ballot;
mod name;
mod outcome;
mod partition;
mod partitioning;
mod position;
mod redemption;
mod tally;
mod ticket;
mod time;
mod trace;

pub use ballot::{
    Ballot, BallotError, BallotField, EmptyBallot, MAX_SELECTIONS, Selection, Selections, Votes,
};
pub use ballot_id::{BallotId, MalformedBallotId};
pub use clock::Clock;
pub use entropy::Entropy;
pub use key_ring::{KeyRing, KeyRingError};
pub use log::{
    FoldStep, LogBatch, LogEntry, MAX_REASON_BYTES, PositionedBallot, Record, Rejection,
    Unreadable, sum_votes,
};
pub use logged_ballot::{ContentsDigest, LoggedBallot};
pub use name::{Candidate, MAX_NAME_BYTES, NameError, Voter};
pub use outcome::{Fate, Outcome, Receipt, Refusal};
pub use partition::{Partition, Partitions};
pub use position::{LogFingerprint, LogPosition, Offset, Progress};
pub use redemption::{Claim, Redemption, RedemptionRefusal};
pub use tally::{AppliedTotal, StoredTally, Tally, Version};
pub use ticket::{
    CurrentTicket, GenuineTicket, KeyId, MalformedTicket, PeriodTicket, Ticket, TicketStamp,
};
pub use time::Timestamp;
pub use trace::TraceContext;
