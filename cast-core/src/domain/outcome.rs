//! What a voter is told.

use super::{
    ballot::BallotError, ballot_id::BallotId, position::LogPosition, redemption::RedemptionRefusal,
    tally::Tally,
};

/// What became of a ballot: an answer, never an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The log acknowledged it.
    Accepted(Receipt),
    /// It was not taken.
    Refused {
        /// The ballot's id, given or minted: the same ballot may be sent again with it.
        ballot: BallotId,
        /// Why.
        why: Refusal,
    },
}

/// Says that the log acknowledged a ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The ballot's id, given or minted.
    pub ballot: BallotId,
    /// Where the log keeps it; `None` where the log acknowledged it without saying where.
    pub position: Option<LogPosition>,
    /// Whether the ballot had been taken before: it counts once all the same.
    pub repeated: bool,
    /// For each selection, in the voter's order, its candidate's tally after this ballot.
    pub tallies: Vec<Tally>,
    /// Whether the counter could not be asked: the vote counts, but `tallies` may lag behind it.
    pub stale: bool,
}

/// An expected no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No ticket of ours, or one that the ticket source does not know.
    #[error("Invalid ticket")]
    TicketInvalid,
    /// A ticket of ours, past its end.
    #[error("Ticket expired")]
    TicketExpired,
    /// The ticket has no use left.
    #[error("Ticket usage limit exceeded")]
    TicketExhausted,
    /// The ballot itself is wrong.
    #[error("{0}")]
    BadBallot(#[from] BallotError),
}

impl Refusal {
    /// Whether the same ballot may be taken with the ticket that is current then.
    ///
    /// An unknown ticket too: a genuine one becomes unknown when its meter is lost, and the next
    /// period's is good again.
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

/// What became of a ballot after its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The log acknowledged it; the store has yet to apply it.
    Logged(LogPosition),
    /// The store counted it; this is where the log first had it.
    Counted(LogPosition),
    /// The store could not apply it, and says why.
    Rejected {
        /// Where the log has it.
        position: LogPosition,
        /// What was wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_ticket_helps_against_every_refusal_but_that_of_the_ballot_itself() {
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
