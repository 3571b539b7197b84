//! What a vote is answered.

use cast_core::ledger::Answer;

/// What a vote is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VoteResponse {
    /// It counts; with the tally shown, if there is one.
    Accepted(Option<u64>),
    /// It had been accepted before, and counts once.
    Duplicate,
    /// It does not count, by a rule: the code.
    Refused(String),
    /// It does not count, because of a fault: the code.
    Fault(String),
    /// It may count or not: the code, or what happened to the request.
    Unknown(String),
}

impl VoteResponse {
    pub(super) const fn answer(&self) -> Answer {
        match self {
            Self::Accepted(_) => Answer::Accepted,
            Self::Duplicate => Answer::Duplicate,
            Self::Refused(_) | Self::Fault(_) => Answer::Refused,
            Self::Unknown(_) => Answer::Unknown,
        }
    }
}
