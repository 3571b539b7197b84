//! The answers to a ballot.

use super::{
    ballot::BallotError, ballot_id::BallotId, position::LogPosition, redemption::RedemptionRefusal,
    tally::Tally,
};

/// The answer to a ballot. A refusal is an answer too, not an error: see [`Fault`](crate::Fault) for
/// those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The log acknowledged the ballot: it counts.
    Accepted(Receipt),
    /// The ballot was refused and does not count.
    Refused {
        /// The ballot's id, chosen by the client or minted. The ballot may be sent again with it.
        ballot: BallotId,
        /// The reason.
        why: Refusal,
    },
}

/// Confirms that the log acknowledged a ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The ballot's id, chosen by the client or minted.
    pub ballot: BallotId,
    /// The ballot's position in the log; `None` if the log acknowledged it without a position.
    pub position: Option<LogPosition>,
    /// Whether this is a retry of a ballot that was accepted before. The ballot counts once.
    pub repeated: bool,
    /// The tally of each selection's candidate after this ballot, in the voter's order.
    pub tallies: Vec<Tally>,
    /// Whether `tallies` may be out of date, because the counter did not answer. The ballot counts.
    pub stale: bool,
}

/// Why a ballot was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The ticket is malformed or forged, or the ticket source does not know it.
    #[error("Invalid ticket")]
    TicketInvalid,
    /// The ticket is genuine and expired.
    #[error("Ticket expired")]
    TicketExpired,
    /// The ticket has no uses left.
    #[error("Ticket usage limit exceeded")]
    TicketExhausted,
    /// The ballot is invalid: no ticket would help.
    #[error("{0}")]
    BadBallot(#[from] BallotError),
}

impl Refusal {
    /// Whether the same ballot may be accepted with a newer ticket.
    ///
    /// That includes an invalid ticket: a genuine ticket becomes unknown where the ticket source lost its
    /// use counter, and the ticket of the next period is valid again.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::BadBallot(_))
    }
}

impl From<RedemptionRefusal> for Refusal {
    fn from(refusal: RedemptionRefusal) -> Self {
        match refusal {
            RedemptionRefusal::Unknown => Self::TicketInvalid,
            RedemptionRefusal::Expired => Self::TicketExpired,
            RedemptionRefusal::Exhausted => Self::TicketExhausted,
            RedemptionRefusal::Altered => Self::BadBallot(BallotError::Altered),
        }
    }
}

/// What happened to a ballot after its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The log acknowledged the ballot at this position; the store has not applied it yet.
    Logged(LogPosition),
    /// The store counted the ballot; the position is that of its first copy in the log.
    Counted(LogPosition),
    /// The store could not apply the ballot.
    Rejected {
        /// The ballot's position in the log.
        position: LogPosition,
        /// What was wrong with the ballot.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_ticket_helps_against_every_refusal_but_that_of_the_ballot_itself() {
        let refusals = [
            RedemptionRefusal::Unknown,
            RedemptionRefusal::Expired,
            RedemptionRefusal::Exhausted,
            RedemptionRefusal::Altered,
        ];
        let retryable = refusals.map(|refusal| Refusal::from(refusal).is_retryable());
        assert_eq!(retryable, [true, true, true, false]);
    }
}
