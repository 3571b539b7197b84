//! What a ticket buys.

use super::{
    ballot::{ContentsDigest, LoggedBallot},
    ballot_id::BallotId,
};

/// A ballot that asks for one use of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The ballot.
    pub ballot: BallotId,
    /// What it says; the same id with another digest is refused.
    pub contents: ContentsDigest,
}

impl Claim {
    /// The claim of a ballot.
    pub fn of(ballot: &LoggedBallot) -> Self {
        Self {
            ballot: ballot.id,
            contents: ballot.contents(),
        }
    }
}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Redemption {
    /// A use was taken: this ballot is new.
    Granted,
    /// The ballot was granted before, with the same contents. No use was taken.
    Repeated,
    /// No use was taken.
    Refused(RedemptionRefusal),
}

/// Why a ticket source grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedemptionRefusal {
    /// The ticket is not there: never published, not yet valid, or its meter was lost.
    Unknown,
    /// The ticket is past its end.
    Expired,
    /// All uses of the ticket are taken.
    Exhausted,
    /// The ballot's id was granted before with other contents.
    Altered,
}
