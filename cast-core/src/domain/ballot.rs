//! The ballot, as a voter sends it.

use std::{fmt, num::NonZeroU32, sync::Arc};

use super::{
    ballot_id::BallotId,
    name::{Candidate, NameError, Voter},
    ticket::Ticket,
    trace::TraceContext,
};

/// The most selections of a ballot.
pub const MAX_SELECTIONS: usize = 16;

/// The votes of a selection: at least 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Votes(NonZeroU32);

impl Votes {
    /// One vote.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// `count` votes; `None` for zero.
    pub const fn new(count: u32) -> Option<Self> {
        match NonZeroU32::new(count) {
            Some(count) => Some(Self(count)),
            None => None,
        }
    }

    /// The number of votes.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Debug for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A candidate, and the votes that a ballot gives to the candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    /// The candidate.
    pub candidate: Candidate,
    /// The votes for the candidate.
    pub votes: Votes,
}

/// The 1 to 16 selections of a ballot, in the voter's order. The same candidate may be selected more
/// than once: the votes add up.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Selections(Arc<[Selection]>);

impl Selections {
    /// Refuses an empty list, and one of more than [`MAX_SELECTIONS`].
    pub fn new(selections: impl Into<Arc<[Selection]>>) -> Result<Self, BallotError> {
        let selections = selections.into();
        match selections.len() {
            1..=MAX_SELECTIONS => Ok(Self(selections)),
            count => Err(BallotError::SelectionCount { count }),
        }
    }
}

impl std::ops::Deref for Selections {
    type Target = [Selection];

    fn deref(&self) -> &[Selection] {
        &self.0
    }
}

impl fmt::Debug for Selections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|s| (&s.candidate, s.votes)))
            .finish()
    }
}

/// A ballot, as a voter sends it. Either all of its selections count, or none of them.
///
/// ```
/// use cast_core::domain::{Ballot, Ticket};
/// # let ticket = Ticket::from_bytes([0; 32]);
///
/// let ballot = Ballot::new(ticket).select("alice", 1)?.select("bob", 2)?.by("carol")?;
/// assert_eq!(ballot.selections().len(), 2);
/// # Ok::<(), cast_core::domain::BallotError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    id: Option<BallotId>,
    ticket: Option<Ticket>,
    voter: Option<Voter>,
    selections: Selections,
    trace: Option<TraceContext>,
}

impl Ballot {
    /// Begins a ballot, which is complete with its first selection.
    ///
    /// `None` stands for a malformed ticket, as in `Ballot::new(Ticket::from_hex(text).ok())`: the ballot is
    /// refused as one with an invalid ticket, after all other checks.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a ballot has at least one selection"
    )]
    pub fn new(ticket: impl Into<Option<Ticket>>) -> EmptyBallot {
        EmptyBallot {
            ticket: ticket.into(),
        }
    }

    /// Adds a selection.
    pub fn select(self, candidate: &str, votes: u32) -> Result<Self, BallotError> {
        let mut selections = self.selections.to_vec();
        let at = selections.len();
        selections.push(selection(at, candidate, votes)?);
        Ok(Self {
            selections: Selections::new(selections)?,
            ..self
        })
    }

    /// Sets the voter's name, which is stored with the ballot and not authenticated.
    pub fn by(self, voter: &str) -> Result<Self, BallotError> {
        let voter = Voter::new(voter).map_err(|why| BallotError::Voter { why })?;
        Ok(Self {
            voter: Some(voter),
            ..self
        })
    }

    /// Sets the ballot's id, its idempotency key: retries with the same id count once.
    pub fn with_id(self, id: BallotId) -> Self {
        Self {
            id: Some(id),
            ..self
        }
    }

    /// Sets the trace that the ballot belongs to.
    pub fn traced(self, trace: TraceContext) -> Self {
        Self {
            trace: Some(trace),
            ..self
        }
    }

    /// The id that the client chose, if it did.
    pub const fn id(&self) -> Option<BallotId> {
        self.id
    }

    /// The ticket that came with it, genuine or forged; `None` for a malformed one.
    pub const fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_ref()
    }

    /// The voter's name, if the ballot has one.
    pub const fn voter(&self) -> Option<&Voter> {
        self.voter.as_ref()
    }

    /// Its selections, in the voter's order.
    pub const fn selections(&self) -> &Selections {
        &self.selections
    }

    /// The trace that it belongs to, if it is traced.
    pub const fn trace(&self) -> Option<TraceContext> {
        self.trace
    }
}

/// A ballot without a selection.
#[derive(Clone, Copy, Debug)]
pub struct EmptyBallot {
    ticket: Option<Ticket>,
}

impl EmptyBallot {
    /// Adds the first selection.
    pub fn select(self, candidate: &str, votes: u32) -> Result<Ballot, BallotError> {
        self.select_all([(candidate, votes)])
    }

    /// Adds all selections at once.
    pub fn select_all<'a>(
        self,
        selections: impl IntoIterator<Item = (&'a str, u32)>,
    ) -> Result<Ballot, BallotError> {
        let selections = selections
            .into_iter()
            // One more than the limit is enough to know that there are too many.
            .take(MAX_SELECTIONS + 1)
            .enumerate()
            .map(|(at, (candidate, votes))| selection(at, candidate, votes))
            .collect::<Result<Vec<_>, _>>()?;
        let selections = Selections::new(selections)?;
        Ok(Ballot {
            id: None,
            ticket: self.ticket,
            voter: None,
            selections,
            trace: None,
        })
    }
}

fn selection(at: usize, candidate: &str, votes: u32) -> Result<Selection, BallotError> {
    let candidate = Candidate::new(candidate).map_err(|why| BallotError::Candidate { at, why })?;
    let votes = Votes::new(votes).ok_or(BallotError::NoVotes { at })?;
    Ok(Selection { candidate, votes })
}

/// What is wrong with a ballot: a [field](Self::field) and the [problem](Self::problem) with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BallotError {
    /// There is no selection, or there are more than [`MAX_SELECTIONS`].
    SelectionCount {
        /// The number of selections. Counting stops at one more than the limit.
        count: usize,
    },
    /// The name of a candidate is refused.
    Candidate {
        /// The index of the selection, counted from 0.
        at: usize,
        /// What is wrong with the name.
        why: NameError,
    },
    /// A selection has no votes.
    NoVotes {
        /// The index of the selection, counted from 0.
        at: usize,
    },
    /// A selection has more votes than the vote service allows.
    TooManyVotes {
        /// The index of the selection, counted from 0.
        at: usize,
        /// The most votes of one selection.
        limit: u32,
    },
    /// The voter's name is refused.
    Voter {
        /// What is wrong with the name.
        why: NameError,
    },
    /// The ballot's id was used before, for a ballot with another voter or other selections.
    Altered,
}

/// The part of a ballot that is wrong. Each interface has its own names for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BallotField {
    /// The list of selections.
    Selections,
    /// The candidate of the selection with this index, counted from 0.
    Candidate(usize),
    /// The votes of the selection with this index, counted from 0.
    Votes(usize),
    /// The voter's name.
    Voter,
    /// The ballot's id.
    Id,
}

impl BallotError {
    /// The field that is wrong.
    pub const fn field(&self) -> BallotField {
        match self {
            Self::SelectionCount { .. } => BallotField::Selections,
            Self::Candidate { at, .. } => BallotField::Candidate(*at),
            Self::NoVotes { at } | Self::TooManyVotes { at, .. } => BallotField::Votes(*at),
            Self::Voter { .. } => BallotField::Voter,
            Self::Altered => BallotField::Id,
        }
    }

    /// What is wrong with the field, with the limit: the end of a sentence that begins with the field's
    /// name.
    pub fn problem(&self) -> String {
        match self {
            Self::SelectionCount { count } if *count > MAX_SELECTIONS => {
                format!("must have 1 to {MAX_SELECTIONS} entries, and has more")
            }
            Self::SelectionCount { count } => {
                format!("must have 1 to {MAX_SELECTIONS} entries, and has {count}")
            }
            Self::Candidate { why, .. } | Self::Voter { why } => why.to_string(),
            Self::NoVotes { .. } => "must be at least 1".into(),
            Self::TooManyVotes { limit, .. } => format!("must be at most {limit}"),
            Self::Altered => "was used before, for a ballot with other contents".into(),
        }
    }
}

impl fmt::Display for BallotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field(), self.problem())
    }
}

impl std::error::Error for BallotError {}

impl fmt::Display for BallotField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selections => f.write_str("the selections"),
            Self::Candidate(at) => write!(f, "the candidate of selection {at}"),
            Self::Votes(at) => write!(f, "the votes of selection {at}"),
            Self::Voter => f.write_str("the voter"),
            Self::Id => f.write_str("the ballot id"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: Ticket = Ticket::from_bytes([0; Ticket::LEN]);

    #[test]
    fn a_ballot_takes_one_to_sixteen_selections() {
        let many = |n| Ballot::new(TICKET).select_all((0..n).map(|_| ("alice", 1)));
        assert_eq!(many(0), Err(BallotError::SelectionCount { count: 0 }));
        assert!(many(1).is_ok() && many(16).is_ok());
        assert_eq!(many(17), Err(BallotError::SelectionCount { count: 17 }));
        assert_eq!(many(9_999), Err(BallotError::SelectionCount { count: 17 }));
        assert!(many(16).and_then(|full| full.select("bob", 1)).is_err());
    }

    #[test]
    fn errors_name_the_field_and_the_limit() {
        let two = |name, votes| Ballot::new(TICKET).select_all([("alice", 1), (name, votes)]);
        let message =
            |ballot: Result<Ballot, BallotError>| ballot.expect_err("refused").to_string();
        assert_eq!(
            message(two("", 1)),
            "the candidate of selection 1 must not be empty"
        );
        assert_eq!(
            message(two("bob", 0)),
            "the votes of selection 1 must be at least 1"
        );
        assert_eq!(
            message(two(&"x".repeat(70), 1)),
            "the candidate of selection 1 must have at most 64 bytes, and has 70"
        );
        let none = Ballot::new(TICKET).select_all([]);
        assert_eq!(
            message(none),
            "the selections must have 1 to 16 entries, and has 0"
        );
    }

    #[test]
    fn a_ballot_has_what_it_was_built_with() {
        let id = "0193b3a0-0000-7000-8000-000000000001".parse();
        let id = id.expect("an id");
        let ballot = Ballot::new(TICKET)
            .select("bob", 2)
            .and_then(|ballot| ballot.select("alice", 1))
            .and_then(|ballot| ballot.by("carol"));
        let ballot = ballot.expect("a ballot").with_id(id);
        assert_eq!(ballot.id(), Some(id));
        assert_eq!(ballot.ticket(), Some(&TICKET));
        assert_eq!(ballot.voter().map(Voter::as_str), Some("carol"));
        let shown = format!("{:?}", ballot.selections());
        assert_eq!(shown, r#"{"bob": 2, "alice": 1}"#, "in the voter's order");
    }

    #[test]
    fn too_many_selections_are_counted_up_to_one_too_many() {
        let problem = |count| BallotError::SelectionCount { count }.problem();
        let ends = [0, 16, 17].map(|count| problem(count).split_off(35));
        assert_eq!(ends, ["0", "16", "more"]);
    }
}
