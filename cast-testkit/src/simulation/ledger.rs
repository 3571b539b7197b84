//! What voters sent, and what they were told of it.

use std::collections::BTreeMap;

use cast_core::domain::{BallotId, LogPosition, LoggedBallot, Receipt, Selections, Ticket};

use super::truth::{Truth, Votes};

/// What a voter may say: with most, it stays the first thing.
pub(super) type Variant = usize;

#[derive(Default)]
pub(super) struct Ledger {
    voters: BTreeMap<u32, Sent>,
    /// What was acknowledged and recorded at once, by voter.
    recorded: BTreeMap<u32, (LogPosition, Votes)>,
    /// How many new ballots each ticket bought, as voters were told.
    bought: BTreeMap<[u8; 32], u64>,
}

/// What one voter sent.
pub(super) struct Sent {
    /// What was said, first and later.
    pub(super) variants: Vec<Selections>,
    pub(super) id: Option<BallotId>,
    /// Which variants may be in the log, because nobody said that they are not.
    pub(super) possible: Vec<bool>,
    /// Which variants were acknowledged.
    pub(super) acknowledged: Vec<bool>,
    /// Whether the last thing heard was a line that went dead.
    pub(super) hung_up: bool,
}

impl Ledger {
    /// How many ballots there are.
    pub(super) fn len(&self) -> u64 {
        self.voters.len() as u64
    }

    pub(super) fn begin(&mut self, voter: u32, variants: Vec<Selections>, id: Option<BallotId>) {
        let none = vec![false; variants.len()];
        let sent = Sent {
            variants,
            id,
            possible: none.clone(),
            acknowledged: none,
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

    /// Writes down that a ballot was acknowledged; returns how many new ones its ticket bought.
    pub(super) fn acknowledged(
        &mut self,
        voter: u32,
        variant: Variant,
        ticket: &Ticket,
        receipt: &Receipt,
        votes: Votes,
    ) -> u64 {
        let sent = self.voter(voter);
        sent.id = Some(receipt.ballot);
        sent.acknowledged[variant] = true;
        let bought = self.bought.entry(*ticket.as_bytes()).or_default();
        if !receipt.repeated {
            *bought += 1;
            if let (Some(position), false) = (receipt.position, receipt.stale) {
                self.recorded.entry(voter).or_insert((position, votes));
            }
        }
        *bought
    }

    /// What must be shown at least: what was acknowledged and recorded, as far as the counter has not
    /// forgotten it since. Of who said two things, nothing: only the first in the log counts.
    pub(super) fn least(&self, truth: &Truth) -> Votes {
        let mut least = Votes::new();
        let of_one_mind = |voter: &u32| self.voters[voter].variants.len() == 1;
        let recorded = self.recorded.iter().filter(|(voter, _)| of_one_mind(voter));
        for (position, votes) in recorded.map(|(_, recorded)| recorded) {
            for (candidate, votes) in votes {
                if truth.has_tail(candidate, *position) {
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
