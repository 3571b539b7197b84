//! What a voter sends, and what the log keeps of it.

use std::{fmt, num::NonZeroU32, sync::Arc};

use sha2::{Digest, Sha256};

use super::{
    ballot_id::BallotId,
    name::{Candidate, NameError, Voter},
    ticket::{Ticket, TicketStamp},
    trace::TraceContext,
};

/// The most selections of one ballot.
pub const MAX_SELECTIONS: usize = 16;

/// A number of votes for one candidate: at least 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Votes(NonZeroU32);

impl Votes {
    /// One vote.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// So many votes; `None` for zero.
    pub const fn new(count: u32) -> Option<Self> {
        match NonZeroU32::new(count) {
            Some(count) => Some(Self(count)),
            None => None,
        }
    }

    /// How many.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Debug for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A candidate and the votes that a ballot gives them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Who.
    pub candidate: Candidate,
    /// How many.
    pub votes: Votes,
}

/// The 1 to 16 selections of a ballot, in the voter's order. A name may stand there more than once:
/// its votes add up.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Selections(Arc<[Selection]>);

impl Selections {
    /// Checks how many there are.
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

/// What a voter sends. All of it counts, or none of it.
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
    ticket: Ticket,
    voter: Option<Voter>,
    selections: Selections,
    trace: Option<TraceContext>,
}

impl Ballot {
    /// Begins a ballot; it becomes one with its first selection.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a ballot without a selection must not exist"
    )]
    pub const fn new(ticket: Ticket) -> EmptyBallot {
        EmptyBallot { ticket }
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

    /// Says who votes.
    pub fn by(self, voter: &str) -> Result<Self, BallotError> {
        let voter = Voter::new(voter).map_err(|why| BallotError::Voter { why })?;
        Ok(Self {
            voter: Some(voter),
            ..self
        })
    }

    /// Gives it an id, so that sending it again is safe.
    pub fn with_id(self, id: BallotId) -> Self {
        Self {
            id: Some(id),
            ..self
        }
    }

    /// Says in whose trace what becomes of it is to be found.
    pub fn traced(self, trace: TraceContext) -> Self {
        Self {
            trace: Some(trace),
            ..self
        }
    }

    /// Its id, if it was given one.
    pub const fn id(&self) -> Option<BallotId> {
        self.id
    }

    /// The ticket it is cast with, genuine or not.
    pub const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Who votes, if it says so.
    pub const fn voter(&self) -> Option<&Voter> {
        self.voter.as_ref()
    }

    /// What it votes for, in the voter's order.
    pub const fn selections(&self) -> &Selections {
        &self.selections
    }

    /// What the log keeps of it under `id`.
    pub(crate) fn logged(&self, id: BallotId, ticket: TicketStamp) -> LoggedBallot {
        LoggedBallot {
            id,
            ticket,
            voter: self.voter.clone(),
            selections: self.selections.clone(),
            trace: self.trace,
        }
    }
}

/// A ballot that selects nobody yet.
#[derive(Clone, Copy, Debug)]
pub struct EmptyBallot {
    ticket: Ticket,
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
            // One more than is allowed is enough to know that there are too many.
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

/// A ballot as the log keeps it.
#[derive(Clone, Debug)]
pub struct LoggedBallot {
    /// Its id, always known by now.
    pub id: BallotId,
    /// The ticket it was cast with.
    pub ticket: TicketStamp,
    /// Who voted, if the ballot says so.
    pub voter: Option<Voter>,
    /// What it votes for.
    pub selections: Selections,
    /// In whose trace what becomes of it is to be found, if in any. No store keeps it.
    pub trace: Option<TraceContext>,
}

/// Equal is what says the same: where it was traced, says nothing of a ballot.
impl PartialEq for LoggedBallot {
    fn eq(&self, other: &Self) -> bool {
        // Taken apart, so that a field that is new is thought of here.
        let Self {
            id,
            ticket,
            voter,
            selections,
            trace: _,
        } = self;
        *id == other.id
            && *ticket == other.ticket
            && *voter == other.voter
            && *selections == other.selections
    }
}

impl Eq for LoggedBallot {}

impl LoggedBallot {
    /// A digest of what the voter decided: the voter and the selections in their order, but
    /// neither the id nor the ticket, which a retry may change.
    pub fn contents(&self) -> ContentsDigest {
        let mut hash = Sha256::new();
        // A name is never empty: an empty text says that there is no voter.
        add_text(&mut hash, self.voter.as_ref().map_or("", Voter::as_str));
        for selection in self.selections.iter() {
            add_text(&mut hash, selection.candidate.as_str());
            hash.update(selection.votes.get().to_be_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        ContentsDigest(
            digest
                .first_chunk()
                .copied()
                .expect("a digest has 32 bytes"),
        )
    }
}

/// With its length before it, so that no two contents hash the same bytes.
fn add_text(hash: &mut Sha256, text: &str) {
    hash.update([u8::try_from(text.len()).expect("a name has at most 64 bytes")]);
    hash.update(text);
}

/// Tells the contents of two ballots apart: the first 16 bytes of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentsDigest([u8; 16]);

impl ContentsDigest {
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What is wrong with a ballot. The messages name the field, as the voter knows it, and the limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BallotError {
    /// No selection, or more than [`MAX_SELECTIONS`].
    #[error("usernames must have 1 to {MAX_SELECTIONS} entries, and has {}", shown_count(*count))]
    SelectionCount {
        /// How many there are; counting stops at one too many.
        count: usize,
    },
    /// A candidate's name is not one.
    #[error("usernames[{at}] {why}")]
    Candidate {
        /// Which selection, counted from 0.
        at: usize,
        /// What is wrong with it.
        why: NameError,
    },
    /// A selection of no votes.
    #[error("voteCount[{at}] must be at least 1")]
    NoVotes {
        /// Which selection, counted from 0.
        at: usize,
    },
    /// A selection of more votes than the door lets in.
    #[error("voteCount[{at}] must be at most {limit}")]
    TooManyVotes {
        /// Which selection, counted from 0.
        at: usize,
        /// The most that it may be.
        limit: u32,
    },
    /// The voter's name is not one.
    #[error("voterUsername {why}")]
    Voter {
        /// What is wrong with it.
        why: NameError,
    },
    /// The ballot's id was used before, for a ballot with another voter or other selections.
    #[error("ballotId was used before, for a ballot with other contents")]
    Altered,
}

fn shown_count(count: usize) -> String {
    if count > MAX_SELECTIONS {
        "more".into()
    } else {
        count.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KeyId, Timestamp};

    const TICKET: Ticket = Ticket::from_bytes([0; Ticket::LEN]);

    fn logged(ballot: &Ballot) -> LoggedBallot {
        let id = "0193b3a0-0000-7000-8000-000000000001"
            .parse()
            .expect("an id");
        let stamp = TicketStamp {
            key_id: KeyId::new(0),
            issued_at: Timestamp::default(),
        };
        ballot.logged(id, stamp)
    }

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
        assert_eq!(message(two("", 1)), "usernames[1] must not be empty");
        assert_eq!(message(two("bob", 0)), "voteCount[1] must be at least 1");
        assert_eq!(
            message(two(&"x".repeat(70), 1)),
            "usernames[1] must have at most 64 bytes, and has 70"
        );
        let none = Ballot::new(TICKET).select_all([]);
        assert_eq!(
            message(none),
            "usernames must have 1 to 16 entries, and has 0"
        );
    }

    #[test]
    fn a_trace_is_carried_and_makes_no_other_ballot() {
        let trace = TraceContext::from_bytes([7; TraceContext::LEN]).expect("a context");
        let ballot = Ballot::new(TICKET).select("alice", 1).expect("a ballot");
        let (plain, traced) = (logged(&ballot), logged(&ballot.traced(trace)));
        assert_eq!((plain.trace, traced.trace), (None, Some(trace)));
        assert_eq!(plain, traced);
        assert_eq!(plain.contents(), traced.contents());
    }

    #[test]
    fn a_digest_tells_other_selections_and_another_voter_but_not_another_ticket() {
        let ballot = Ballot::new(TICKET).select("alice", 1).expect("a ballot");
        let same = Ballot::new(Ticket::from_bytes([1; 32]))
            .select("alice", 1)
            .expect("a ballot");
        let others = [
            Ballot::new(TICKET).select("alice", 2).expect("a ballot"),
            Ballot::new(TICKET).select("alice", 11).expect("a ballot"),
            Ballot::new(TICKET).select("alic", 1).expect("a ballot"),
            ballot.clone().select("bob", 1).expect("a ballot"),
            ballot.clone().by("alice").expect("a ballot"),
        ];
        let digest = logged(&ballot).contents();
        assert_eq!(digest, logged(&same).contents());
        assert!(
            others
                .iter()
                .all(|other| logged(other).contents() != digest)
        );
    }

    #[test]
    fn a_ballot_tells_what_was_put_into_it() {
        let id = "0193b3a0-0000-7000-8000-000000000001".parse();
        let id = id.expect("an id");
        let ballot = Ballot::new(TICKET)
            .select("bob", 2)
            .and_then(|ballot| ballot.select("alice", 1))
            .and_then(|ballot| ballot.by("carol"));
        let ballot = ballot.expect("a ballot").with_id(id);
        assert_eq!(ballot.id(), Some(id));
        assert_eq!(ballot.ticket(), &TICKET);
        assert_eq!(ballot.voter().map(Voter::as_str), Some("carol"));
        let shown = format!("{:?}", ballot.selections());
        assert_eq!(shown, r#"{"bob": 2, "alice": 1}"#, "in the voter's order");
    }

    #[test]
    fn a_digest_is_made_of_its_bytes() {
        let bytes = *b"sixteen bytes, a";
        assert_eq!(ContentsDigest::from_bytes(bytes).as_bytes(), &bytes);
    }

    #[test]
    fn the_digest_is_sha256_over_lengths_names_and_votes() {
        // Known answer, from Python: hashlib.sha256(b"\x05carol\x05alice\0\0\x01\x02").digest()[:16]
        let ballot = Ballot::new(TICKET).select("alice", 258);
        let ballot = ballot.and_then(|ballot| ballot.by("carol"));
        let digest = logged(&ballot.expect("a ballot")).contents();
        assert_eq!(
            hex::encode(digest.as_bytes()),
            "c2c789810cf46d45b6284023ec20f7b1"
        );
    }

    #[test]
    fn too_many_selections_are_counted_up_to_one_too_many() {
        let message = |count| BallotError::SelectionCount { count }.to_string();
        let ends = [0, 16, 17].map(|count| message(count).split_off(45));
        assert_eq!(ends, ["0", "16", "more"]);
    }
}
