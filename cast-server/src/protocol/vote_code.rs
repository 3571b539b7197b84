//! The outcomes of votes, as metrics and traces name them.

use cast_core::{
    Fault, FaultKind,
    domain::{Outcome, Refusal},
};

use super::text_enum::text_enum;

text_enum! {
    /// The outcome of a vote: the code of its answer, in lower case.
    VoteCode {
        Accepted = "accepted",
        Duplicate = "duplicate",
        TicketInvalid = "ticket_invalid",
        TicketExpired = "ticket_expired",
        TicketExhausted = "ticket_exhausted",
        BadBallot = "bad_ballot",
        Overloaded = "overloaded",
        Unavailable = "unavailable",
        OutcomeUnknown = "outcome_unknown",
        NoTicket = "no_ticket",
        Internal = "internal",
        /// No answer: the request's deadline passed, or the client disconnected.
        Unanswered = "unanswered",
    }
}

impl VoteCode {
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
