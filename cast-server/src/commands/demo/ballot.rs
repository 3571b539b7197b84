//! A ballot that is sent until its outcome is known.

use cast_core::domain::BallotId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{guide::Guide, output::note};

pub(super) const VOTE: &str = "\
mutation Vote($usernames: [String!]!, $voteCount: [Int!]!, $ticket: String!, $voterUsername: String,
  $ballotId: ID) {
  vote(usernames: $usernames, voteCount: $voteCount, ticket: $ticket, voterUsername: $voterUsername,
    ballotId: $ballotId) {
    success message usernames votes stale code retryable
  }
}";

/// What a voter sends, but for the ticket.
pub(super) struct Ballot {
    pub(super) id: BallotId,
    pub(super) usernames: Vec<String>,
    pub(super) counts: Vec<u32>,
    pub(super) voter: Option<String>,
}

/// The result of a vote.
#[derive(Debug, Deserialize)]
pub(super) struct VoteResult {
    pub(super) success: bool,
    pub(super) message: String,
    pub(super) usernames: Vec<String>,
    pub(super) votes: Vec<u64>,
    pub(super) stale: bool,
    pub(super) code: String,
    pub(super) retryable: bool,
}

impl Ballot {
    /// One vote for one name.
    pub(super) fn of(id: BallotId, username: String) -> Self {
        Self {
            id,
            usernames: vec![username],
            counts: vec![1],
            voter: None,
        }
    }

    pub(super) fn variables(&self, ticket: &str) -> Value {
        json!({
            "usernames": self.usernames,
            "voteCount": self.counts,
            "ticket": ticket,
            "voterUsername": self.voter,
            "ballotId": self.id.to_string(),
        })
    }
}

impl VoteResult {
    pub(super) fn of(data: &Value) -> Result<Self, String> {
        Self::deserialize(&data["vote"])
            .map_err(|error| format!("the response is not that of a vote ({error}): {data}"))
    }

    /// Whether it was accepted.
    pub(super) fn is_success(&self) -> Result<(), String> {
        if !self.success {
            return Err(format!(
                "it must be accepted, and is refused: {}",
                self.message
            ));
        }
        same(
            "message",
            self.message.as_str(),
            "Votes recorded successfully",
        )
    }

    /// Whether its ticket has ended, or has no use left.
    pub(super) fn is_at_an_end(&self) -> bool {
        self.is_used_up() || self.code == "TICKET_EXPIRED"
    }

    /// Whether its ticket has no use left.
    pub(super) fn is_used_up(&self) -> bool {
        self.code == "TICKET_EXHAUSTED"
    }

    /// Whether it was refused as it must be: with this message and this code, and nothing else.
    pub(super) fn is_refusal(&self, message: &str, code: &str) -> Result<(), String> {
        if self.success {
            return Err(format!("it must be refused as {code:?}, and is accepted"));
        }
        same("message", self.message.as_str(), message)?;
        same("code", self.code.as_str(), code)?;
        same("usernames", self.usernames.as_slice(), &[])?;
        same("votes", self.votes.as_slice(), &[])
    }
}

/// That something is as it must be.
pub(super) fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} must be {expected:?}, and is {found:?}"))
}

impl Guide<'_> {
    /// Votes with this ticket, again as long as there is no answer: the ballot has an id, so it counts once
    /// however often it is sent.
    pub(super) async fn vote_once(
        &mut self,
        ballot: &Ballot,
        ticket: &str,
    ) -> Result<VoteResult, String> {
        let (deadline, variables) = (self.deadline(), ballot.variables(ticket));
        loop {
            match self.ask(VOTE, &variables).await {
                Ok(data) => return VoteResult::of(&data),
                Err(failure) if failure.is_transient() => {
                    self.pause(deadline, &failure.to_string()).await?;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Votes with the ticket that is good now, again as long as that may help: with the next ticket
    /// where this one ends meanwhile, and with the same id, so that it counts once.
    pub(super) async fn cast(&mut self, ballot: &Ballot) -> Result<VoteResult, String> {
        let deadline = self.deadline();
        let mut refused: Option<String> = None;
        loop {
            let ticket = self.ticket(refused.as_deref()).await?.ticket;
            let result = self.vote_once(ballot, &ticket).await?;
            if result.success || !result.retryable {
                return Ok(result);
            }
            note("refused, and retryable: sending the same ballot with the next ticket");
            self.pause(deadline, &result.message).await?;
            refused = Some(ticket);
        }
    }
}
