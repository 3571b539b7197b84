//! What voters sent, and how they were answered.
//!
//! Whether the answers agree with the log is checked by [`cast_core::ledger`], with a ballot for each
//! variant of each voter.

use std::collections::BTreeMap;

use cast_core::{
    domain::{BallotId, Candidate, LogPosition, LoggedBallot, Receipt, Selections, Ticket},
    ledger::{self, Answer, CountedBallot, Entry, Expectation},
};

use super::truth::{Truth, Votes};

/// The number of a voter's contents: most keep the first ones.
pub(super) type Variant = usize;

/// What a voter sent under one id.
pub(super) type VoterBallot = (u32, Variant);

type TicketBytes = [u8; 32];

/// What the answers and the log do not agree on.
pub(super) type Finding = ledger::Finding<VoterBallot, Candidate, TicketBytes>;

#[derive(Default)]
pub(super) struct Ledger {
    answers: ledger::Ledger<VoterBallot, Candidate, TicketBytes>,
    voters: BTreeMap<u32, Sent>,
    /// What was acknowledged and recorded at once, by voter.
    recorded: BTreeMap<u32, (LogPosition, Votes)>,
}

/// What one voter sent.
pub(super) struct Sent {
    /// The contents, first and later.
    variants: Vec<Selections>,
    /// The place of each of them in the answers.
    entries: Vec<Entry>,
    pub(super) id: Option<BallotId>,
    /// Whether the voter gave up waiting for an answer.
    pub(super) hung_up: bool,
}

impl Ledger {
    /// How many ballots there are.
    pub(super) fn len(&self) -> u64 {
        self.voters.len() as u64
    }

    pub(super) fn begin(&mut self, voter: u32, variants: Vec<Selections>, id: Option<BallotId>) {
        let contents = variants.iter().enumerate();
        let entries = contents.map(|(variant, selections)| {
            let votes = votes_of(selections);
            self.answers.enter((voter, variant), votes)
        });
        let sent = Sent {
            entries: entries.collect(),
            variants,
            id,
            hung_up: false,
        };
        self.voters.insert(voter, sent);
    }

    pub(super) fn voters(&self) -> impl Iterator<Item = (u32, &Sent)> {
        self.voters.iter().map(|(voter, sent)| (*voter, sent))
    }

    pub(super) fn voter(&mut self, voter: u32) -> &mut Sent {
        self.voters.get_mut(&voter).expect("it voted")
    }

    pub(super) fn find(&self, voter: u32) -> Option<&Sent> {
        self.voters.get(&voter)
    }

    /// A sending begins: until it is answered, the ballot may count.
    pub(super) fn send(&mut self, (voter, variant): VoterBallot, ticket: &Ticket) {
        let entry = self.voters[&voter].entries[variant];
        self.answers.send(entry, *ticket.as_bytes());
    }

    /// How it was answered.
    pub(super) fn answer(
        &mut self,
        (voter, variant): VoterBallot,
        ticket: &Ticket,
        answer: Answer,
    ) {
        let entry = self.voters[&voter].entries[variant];
        self.answers.answer(entry, *ticket.as_bytes(), answer);
    }

    /// Whether a ballot was acknowledged.
    pub(super) fn is_acknowledged(&self, (voter, variant): VoterBallot) -> bool {
        let entry = self.voters[&voter].entries[variant];
        self.answers.expectation(entry) == Expectation::Counted
    }

    /// How many new ballots a ticket bought, by the answers.
    pub(super) fn uses(&self, ticket: &Ticket) -> u64 {
        self.answers.uses(ticket.as_bytes())
    }

    /// Takes in the receipt of an acknowledged ballot.
    pub(super) fn receipt(&mut self, voter: u32, receipt: &Receipt, votes: Votes) {
        self.voter(voter).id = Some(receipt.ballot);
        if !receipt.repeated
            && !receipt.stale
            && let Some(position) = receipt.position
        {
            self.recorded.entry(voter).or_insert((position, votes));
        }
    }

    /// Compares the answers with the ballots in the log, each once.
    pub(super) fn check(&self, logged: impl IntoIterator<Item = VoterBallot>) -> Vec<Finding> {
        let counted = logged.into_iter().map(|ballot| {
            let (voter, variant) = ballot;
            let votes = votes_of(&self.voters[&voter].variants[variant]);
            CountedBallot {
                ballot,
                votes: votes.collect(),
            }
        });
        self.answers.check_ballots(counted)
    }

    /// The least that must be shown: what was acknowledged and recorded, as far as the counter has not
    /// lost it since. Of voters that sent two contents, nothing: only the first in the log counts.
    pub(super) fn least(&self, truth: &Truth) -> Votes {
        let mut least = Votes::new();
        let has_one_variant = |voter: &u32| self.voters[voter].variants.len() == 1;
        let recorded = self.recorded.iter();
        let recorded = recorded.filter(|(voter, _)| has_one_variant(voter));
        for (position, votes) in recorded.map(|(_, recorded)| recorded) {
            for (candidate, votes) in votes {
                if truth.has_pending(candidate, *position) {
                    *least.entry(candidate.clone()).or_default() += votes;
                }
            }
        }
        least
    }
}

impl Sent {
    /// Which variant a ballot of the log is.
    pub(super) fn variant_of(&self, ballot: &LoggedBallot) -> Option<Variant> {
        let mut variants = self.variants.iter();
        variants.position(|selections| *selections == ballot.selections)
    }
}

fn votes_of(selections: &Selections) -> impl Iterator<Item = (Candidate, u64)> {
    let selections = selections.iter();
    selections.map(|selection| {
        let votes = u64::from(selection.votes.get());
        (selection.candidate.clone(), votes)
    })
}
