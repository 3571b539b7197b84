//! Uses of a ticket.

use super::{
    ballot_id::BallotId,
    logged_ballot::{ContentsDigest, LoggedBallot},
};

/// A ballot's request for one use of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The ballot's id.
    pub ballot: BallotId,
    /// A digest of the ballot's contents: the same id with another digest is refused.
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

/// The ticket source's answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Redemption {
    /// The ballot is new, and a use was taken.
    Granted,
    /// The ballot was granted before with the same contents. No use was taken.
    Repeated,
    /// The claim was refused. No use was taken.
    Refused(RedemptionRefusal),
}

/// Why a ticket source refuses a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RedemptionRefusal {
    /// The ticket is unknown: never published, not valid yet, or its use counter was lost.
    Unknown,
    /// The ticket is expired.
    Expired,
    /// The ticket has no uses left.
    Exhausted,
    /// The ballot's id was granted before with other contents.
    Altered,
}
