//! The outcomes of votes, as metrics and traces name them.

use cast_core::{
    Fault, FaultKind,
    domain::{Outcome, Refusal},
};

/// The outcome of a vote: the code of its answer, in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoteCode {
    Accepted,
    Duplicate,
    TicketInvalid,
    TicketExpired,
    TicketExhausted,
    BadBallot,
    Overloaded,
    Unavailable,
    OutcomeUnknown,
    NoTicket,
    Internal,
    /// No answer: the request's deadline passed, or the client disconnected.
    Unanswered,
}

impl VoteCode {
    pub(crate) const ALL: [Self; 12] = [
        Self::Accepted,
        Self::Duplicate,
        Self::TicketInvalid,
        Self::TicketExpired,
        Self::TicketExhausted,
        Self::BadBallot,
        Self::Overloaded,
        Self::Unavailable,
        Self::OutcomeUnknown,
        Self::NoTicket,
        Self::Internal,
        Self::Unanswered,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::TicketInvalid => "ticket_invalid",
            Self::TicketExpired => "ticket_expired",
            Self::TicketExhausted => "ticket_exhausted",
            Self::BadBallot => "bad_ballot",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::NoTicket => "no_ticket",
            Self::Internal => "internal",
            Self::Unanswered => "unanswered",
        }
    }

    pub(crate) const fn of(outcome: &Result<Outcome, Fault>) -> Self {
        match outcome {
            Ok(Outcome::Accepted(receipt)) if receipt.repeated => Self::Duplicate,
            Ok(Outcome::Accepted(_)) => Self::Accepted,
            Ok(Outcome::Refused { why, .. }) => match why {
                Refusal::TicketInvalid => Self::TicketInvalid,
                Refusal::TicketExpired => Self::TicketExpired,
                Refusal::TicketExhausted => Self::TicketExhausted,
                Refusal::BadBallot(_) => Self::BadBallot,
            },
            Err(fault) => match fault.kind() {
                FaultKind::Overloaded => Self::Overloaded,
                FaultKind::Unavailable => Self::Unavailable,
                FaultKind::OutcomeUnknown => Self::OutcomeUnknown,
                FaultKind::NoTicket => Self::NoTicket,
                FaultKind::Internal => Self::Internal,
            },
        }
    }
}
