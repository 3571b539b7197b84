//! What voters sent, and what the servers answered.
//!
//! What follows from the answers is [`cast_core::ledger`]'s to say; here is what a report needs
//! besides: servers, times, request ids.

use std::collections::{BTreeMap, BTreeSet};

use cast_core::ledger::{Answer, Entry, Expectation};
use uuid::Uuid;

/// What a voter was answered to one sending of a ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VoteResponse {
    /// It counts.
    Accepted,
    /// It had been accepted before, and counts.
    Duplicate,
    /// A refusal, by its code: this sending does not count.
    Refused(String),
    /// A fault after which this sending does not count; or there was no connection.
    Unavailable(String),
    /// A fault after which it may count, or the connection broke.
    Unknown(String),
    /// No answer by the deadline that every answer has: it may count.
    TimedOut,
}

impl VoteResponse {
    /// What it says of the ballot.
    pub(crate) const fn answer(&self) -> Answer {
        match self {
            Self::Accepted => Answer::Accepted,
            Self::Duplicate => Answer::Duplicate,
            Self::Refused(_) | Self::Unavailable(_) => Answer::Refused,
            Self::Unknown(_) | Self::TimedOut => Answer::Unknown,
        }
    }

    pub(crate) const fn is_acknowledgement(&self) -> bool {
        self.answer().is_acknowledgement()
    }

    /// Whether the ballot may count, and its voter does not know.
    pub(crate) const fn is_unknown(&self) -> bool {
        matches!(self.answer(), Answer::Unknown)
    }
}

/// One sending of a ballot.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    /// The ticket it was sent with.
    pub(crate) ticket: String,
    /// The server it was sent to.
    pub(crate) server: String,
    /// When it was answered, in milliseconds since the Unix epoch.
    pub(crate) at_unix_ms: u64,
    /// The answer's request id; empty where there was no answer.
    pub(crate) request: String,
    pub(crate) response: VoteResponse,
    /// Whether the answer says that the tallies shown may not have the ballot yet.
    pub(crate) stale: bool,
}

/// A ballot as its voter knows it.
#[derive(Clone, Debug)]
pub(crate) struct SentBallot {
    /// How many were entered before it.
    pub(crate) number: usize,
    /// Its place in `answers`.
    pub(crate) entry: Entry,
    /// The voter's own id for it, or the one from an answer.
    pub(crate) id: Option<Uuid>,
    /// Its candidates and votes, in the order sent; a name may stand there twice.
    pub(crate) selections: Vec<(String, u64)>,
    pub(crate) sendings: Vec<Sending>,
}

impl SentBallot {
    /// Whether an answer to it ever was that the outcome is unknown, or there was none.
    pub(crate) fn was_unknown(&self) -> bool {
        let mut sendings = self.sendings.iter();
        sendings.any(|sending| sending.response.is_unknown())
    }
}

/// The answers, by ballot, candidate and ticket.
pub(crate) type Answers = cast_core::ledger::Ledger<String, String, String>;

/// All ballots, by the name that their voter gave each (`voterUsername`): it identifies them also
/// where they have no id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) ballots: BTreeMap<String, SentBallot>,
    pub(crate) answers: Answers,
    /// How often voters got no ticket, by the error code they got instead.
    pub(crate) no_ticket: BTreeMap<String, usize>,
    /// How many of the ballots were acknowledged.
    acknowledged: usize,
}

impl Ledger {
    /// A ballot that is about to be sent.
    pub(crate) fn enter(&mut self, name: &str, id: Option<Uuid>, selections: &[(String, u64)]) {
        let selections = selections.to_vec();
        let ballot = SentBallot {
            number: self.ballots.len(),
            entry: self.answers.enter(name.to_owned(), selections.clone()),
            id,
            selections,
            sendings: Vec::new(),
        };
        let known = self.ballots.insert(name.to_owned(), ballot);
        assert!(known.is_none(), "two ballots are named {name}");
    }

    /// Records the answer to a sending, and the ballot id in it.
    pub(crate) fn record(&mut self, name: &str, id: Option<Uuid>, sending: Sending) {
        let ballot = self.ballots.get_mut(name).expect("it was entered");
        let before = self.answers.expectation(ballot.entry);
        let (ticket, answer) = (sending.ticket.clone(), sending.response.answer());
        self.answers.send(ballot.entry, ticket.clone());
        self.answers.answer(ballot.entry, ticket, answer);
        let after = self.answers.expectation(ballot.entry);
        ballot.id = ballot.id.or(id);
        ballot.sendings.push(sending);
        let is_new = before != after && after == Expectation::Counted;
        self.acknowledged += usize::from(is_new);
    }

    /// What the answers promise of a ballot; `None` if no voter sent it.
    pub(crate) fn expectation(&self, name: &str) -> Option<Expectation> {
        let ballot = self.ballots.get(name)?;
        Some(self.answers.expectation(ballot.entry))
    }

    /// All candidates voted for.
    pub(crate) fn candidates(&self) -> Vec<String> {
        let selections = self.ballots.values().flat_map(|ballot| &ballot.selections);
        let names: BTreeSet<&str> = selections.map(|(name, _)| name.as_str()).collect();
        names.into_iter().map(String::from).collect()
    }

    /// How many ballots were acknowledged.
    pub(crate) const fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Each ticket that a ballot was sent with, once.
    pub(crate) fn tickets(&self) -> BTreeSet<&str> {
        self.sendings()
            .map(|sending| sending.ticket.as_str())
            .collect()
    }

    /// How many sendings had such a response.
    pub(crate) fn responses(&self, is_such: impl Fn(&VoteResponse) -> bool) -> usize {
        self.sendings()
            .filter(|sending| is_such(&sending.response))
            .count()
    }

    /// How often a voter got no ticket, or no definite answer to a vote.
    pub(crate) fn unserved(&self) -> usize {
        let unserved = |response: &VoteResponse| {
            matches!(response, VoteResponse::Unavailable(_)) || response.is_unknown()
        };
        self.responses(unserved) + self.no_ticket.values().sum::<usize>()
    }

    /// All that was ever sent.
    pub(crate) fn sendings(&self) -> impl Iterator<Item = &Sending> {
        self.ballots.values().flat_map(|ballot| &ballot.sendings)
    }
}
