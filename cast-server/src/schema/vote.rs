//! `vote`: a ballot, and what became of it.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use cast_core::domain::{Ballot, BallotError, BallotField, Outcome, Receipt, Refusal, Ticket};

use super::{backend::Backend, ballot::parse_id, error, query::as_int};
use crate::{protocol::VoteCode as VoteLabel, telemetry::traces};

/// What can be changed.
pub struct VoteMutation;

/// What can be changed.
#[Object(name = "Mutation")]
impl VoteMutation {
    /// Votes, once for each name, with one use of a ticket. All of the ballot counts, or none of it.
    /// One request has one `vote`.
    async fn vote(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Whom to vote for: 1 to 16 names of 1 to 64 bytes. A name may stand there \
                          more than once; its votes add up."
        )]
        usernames: Vec<String>,
        #[graphql(desc = "How many votes for each of them, in the same order: each at least 1.")]
        vote_count: Vec<i64>,
        #[graphql(desc = "The ticket, as `cas` gave it: 64 hex digits.")] ticket: String,
        #[graphql(
            desc = "Who votes, if that is to be kept: a name like any other. An empty one \
                          means none."
        )]
        voter_username: Option<String>,
        #[graphql(
            desc = "Idempotency key, a UUID that the client chooses: retries with the same id \
                          count once, and cost no use."
        )]
        ballot_id: Option<ID>,
    ) -> Result<VoteResult> {
        let backend = Backend::of(ctx);
        let (counts, max_votes) = (&vote_count, backend.max_votes);
        let (voter, id) = (voter_username.as_deref(), ballot_id.as_ref());
        let ballot = match ballot_of(&usernames, counts, max_votes, &ticket, voter, id) {
            Ok(ballot) => ballot,
            Err(message) => {
                backend.metrics.votes.count(VoteLabel::BadBallot);
                let id =
                    ballot_id.unwrap_or_else(|| backend.cast.mint_ballot_id().to_string().into());
                return Ok(VoteResult::refused(VoteCode::BadBallot, false, message, id));
            }
        };
        let span = traces::vote();
        let vote = backend.cast.vote(span.carried(ballot));
        let outcome = backend.metrics.votes.counted(vote).await;
        span.voted(&outcome);
        match outcome.map_err(error::of_fault)? {
            Outcome::Accepted(receipt) => Ok(VoteResult::accepted(usernames, &receipt)),
            Outcome::Refused { ballot, why } => {
                let (code, retryable) = (VoteCode::of(&why), why.is_retryable());
                let (message, id) = (refusal_message(&why), ballot.to_string().into());
                Ok(VoteResult::refused(code, retryable, message, id))
            }
        }
    }
}

/// The ballot that the arguments of `vote` are, or what is wrong with it, naming the field and the limit.
fn ballot_of(
    usernames: &[String],
    vote_count: &[i64],
    max_votes: u32,
    ticket: &str,
    voter: Option<&str>,
    id: Option<&ID>,
) -> Result<Ballot, String> {
    let id = id.map(|id| parse_id("ballotId", id)).transpose()?;
    if usernames.len() != vote_count.len() {
        return Err("Vote count list must have the same length as usernames list".into());
    }
    let counts = vote_count.iter().enumerate();
    let counts = counts
        .map(|(at, count)| as_votes(at, *count, max_votes))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| message(&error))?;
    let names = usernames.iter().map(String::as_str);
    // The vote service refuses a malformed ticket, like a forged one, after all other checks.
    let mut ballot = Ballot::new(Ticket::from_hex(ticket).ok())
        .select_all(names.zip(counts))
        .map_err(|error| message(&error))?;
    if let Some(voter) = voter.filter(|voter| !voter.is_empty()) {
        ballot = ballot.by(voter).map_err(|error| message(&error))?;
    }
    Ok(match id {
        Some(id) => ballot.with_id(id),
        None => ballot,
    })
}

/// A count of the wire as a ballot holds it.
fn as_votes(at: usize, count: i64, max_votes: u32) -> Result<u32, BallotError> {
    if count < 1 {
        return Err(BallotError::NoVotes { at });
    }
    let limit = max_votes;
    u32::try_from(count).map_err(|_| BallotError::TooManyVotes { at, limit })
}

/// What became of a ballot.
#[derive(SimpleObject)]
// Its fields are values: resolving them one after the other is cheaper than concurrently.
#[graphql(serial)]
pub(super) struct VoteResult {
    /// Whether the ballot counts.
    success: bool,
    /// What became of it, in a sentence.
    message: String,
    /// The names voted for, as they were sent; none after a refusal.
    usernames: Vec<String>,
    /// The votes of each of them, this ballot's included; none after a refusal. Where one does not
    /// fit an Int, the field is left out, with an error of the code `COUNT_TOO_LARGE` that holds the
    /// `ballotId`: the ballot counts all the same.
    votes: Result<Vec<i32>>,
    /// The ballot's id: as it was given, or a fresh one. To ask for its fate with `ballot`.
    ballot_id: ID,
    /// The outcome, for a program.
    code: VoteCode,
    /// Whether the same ballot may be accepted with the ticket that is good then.
    retryable: bool,
    /// Whether `votes` may lag behind: the ballot counts, but the counter did not answer.
    stale: bool,
}

/// The outcome of a ballot.
#[derive(Clone, Copy, Enum, PartialEq, Eq)]
pub(super) enum VoteCode {
    /// It counts.
    Accepted,
    /// It had been accepted before, and counts once.
    Duplicate,
    /// The ticket is not one that this deployment issued.
    TicketInvalid,
    /// The ticket is past its end.
    TicketExpired,
    /// The ticket has no use left.
    TicketExhausted,
    /// The ballot itself is wrong; the message says where.
    BadBallot,
}

impl VoteResult {
    fn accepted(usernames: Vec<String>, receipt: &Receipt) -> Self {
        let votes = receipt.tallies.iter().map(|tally| as_int(tally.votes));
        let votes = votes.collect::<Result<_>>();
        Self {
            success: true,
            code: if receipt.repeated {
                VoteCode::Duplicate
            } else {
                VoteCode::Accepted
            },
            retryable: false,
            message: "Votes recorded successfully".into(),
            usernames,
            votes: votes.map_err(|_| error::of_uncountable(receipt.ballot)),
            ballot_id: receipt.ballot.to_string().into(),
            stale: receipt.stale,
        }
    }

    fn refused(code: VoteCode, retryable: bool, message: String, ballot_id: ID) -> Self {
        Self {
            success: false,
            code,
            retryable,
            message,
            usernames: Vec::new(),
            votes: Ok(Vec::new()),
            ballot_id,
            stale: false,
        }
    }
}

impl VoteCode {
    fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::TicketInvalid => Self::TicketInvalid,
            Refusal::TicketExpired => Self::TicketExpired,
            Refusal::TicketExhausted => Self::TicketExhausted,
            Refusal::BadBallot(_) => Self::BadBallot,
        }
    }
}

fn refusal_message(refusal: &Refusal) -> String {
    match refusal {
        Refusal::BadBallot(error) => message(error),
        other => other.to_string(),
    }
}

/// The error, with the field named by its GraphQL argument.
fn message(error: &BallotError) -> String {
    let problem = error.problem();
    match error.field() {
        BallotField::Selections => format!("usernames {problem}"),
        BallotField::Candidate(at) => format!("usernames[{at}] {problem}"),
        BallotField::Votes(at) => format!("voteCount[{at}] {problem}"),
        BallotField::Voter => format!("voterUsername {problem}"),
        BallotField::Id => format!("ballotId {problem}"),
    }
}
