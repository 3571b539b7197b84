//! What clients are answered, and what follows from it.

/// What a client was answered when it sent a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The ballot is new, and counts. It took one use of its ticket.
    Accepted,
    /// The ballot had been accepted before, and counts once. It took no use.
    Duplicate,
    /// This sending does not count: a refusal, or a fault before anything happened.
    Refused,
    /// This sending may count or not: the answer says so, or there is none.
    Unknown,
}

impl Answer {
    /// Whether it promises that the ballot counts.
    #[must_use]
    pub const fn is_acknowledgement(self) -> bool {
        matches!(self, Self::Accepted | Self::Duplicate)
    }
}

/// What the answers to all sendings of one ballot promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// It was acknowledged: it counts, once.
    Counted,
    /// It was never sent, or every sending was refused: it does not count.
    NotCounted,
    /// A sending has no answer, or one that does not say: it counts once, or not at all.
    Open,
}
