//! What is written down: ballots, their sendings and the answers to them.

use std::collections::BTreeMap;

use super::answer::{Answer, Expectation};

/// A ballot's place in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry(usize);

/// The ballots of a run, with what their clients were answered.
///
/// `B` names a ballot, `C` a candidate, `T` a ticket. A ballot takes some 60 bytes here, and an
/// answer no allocation: a load generator writes down millions.
#[derive(Clone, Debug)]
pub struct Ledger<B, C, T> {
    pub(super) ballots: Vec<Ballot<B>>,
    /// The votes of all ballots, in the order of the ballots.
    votes: Vec<(C, u64)>,
    pub(super) accounts: BTreeMap<C, Account>,
    /// Each ticket's place in `uses`.
    pub(super) tickets: BTreeMap<T, TicketIndex>,
    /// How many [`Answer::Accepted`] each ticket bought.
    pub(super) uses: Vec<u64>,
}

pub(super) type TicketIndex = u32;

#[derive(Clone, Debug)]
pub(super) struct Ballot<B> {
    pub(super) name: B,
    /// Where its votes begin; they end where those of the next ballot begin.
    first_vote: u32,
    in_flight: u16,
    is_acknowledged: bool,
    was_unknown: bool,
    /// The tickets of the sendings that were answered.
    answered_with: SentWith,
    /// The tickets of the sendings in flight.
    in_flight_with: SentWith,
    pub(super) accepted_with: Option<TicketIndex>,
}

/// The tickets of some sendings of a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentWith {
    Nothing,
    One(TicketIndex),
    Several,
}

impl SentWith {
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, it) | (it, Self::Nothing) => it,
            (Self::One(a), Self::One(b)) if a == b => Self::One(a),
            _ => Self::Several,
        }
    }
}

/// The votes of one candidate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    pub(super) baseline: u64,
    accepted: u64,
    pub(super) counted: u64,
    pub(super) open: u64,
}

impl<B> Ballot<B> {
    const fn expectation(&self) -> Expectation {
        if self.is_acknowledged {
            Expectation::Counted
        } else if self.was_unknown || self.in_flight > 0 {
            Expectation::Open
        } else {
            Expectation::NotCounted
        }
    }

    /// The tickets that the ballot was sent with.
    pub(super) const fn sent_with(&self) -> SentWith {
        self.answered_with.and(self.in_flight_with)
    }

    /// A sending is not in flight any more.
    const fn land(&mut self) {
        self.in_flight -= 1;
        if self.in_flight == 0 {
            self.in_flight_with = SentWith::Nothing;
        }
    }
}

impl<B, C, T> Default for Ledger<B, C, T> {
    fn default() -> Self {
        Self {
            ballots: Vec::new(),
            votes: Vec::new(),
            accounts: BTreeMap::new(),
            tickets: BTreeMap::new(),
            uses: Vec::new(),
        }
    }
}

impl<B, C: Ord + Clone, T: Ord> Ledger<B, C, T> {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the votes that a candidate had before the run.
    pub fn set_baseline(&mut self, candidate: C, votes: u64) {
        self.accounts.entry(candidate).or_default().baseline = votes;
    }

    /// Enters a ballot with its votes. It has not been sent yet.
    ///
    /// # Panics
    ///
    /// Beyond 2^32 votes.
    pub fn enter(&mut self, ballot: B, votes: impl IntoIterator<Item = (C, u64)>) -> Entry {
        let first_vote = u32::try_from(self.votes.len()).expect("fewer votes than 2^32");
        self.votes.extend(votes);
        for (candidate, _) in &self.votes[first_vote as usize..] {
            if !self.accounts.contains_key(candidate) {
                self.accounts.insert(candidate.clone(), Account::default());
            }
        }
        self.ballots.push(Ballot {
            name: ballot,
            first_vote,
            in_flight: 0,
            is_acknowledged: false,
            was_unknown: false,
            answered_with: SentWith::Nothing,
            in_flight_with: SentWith::Nothing,
            accepted_with: None,
        });
        Entry(self.ballots.len() - 1)
    }

    /// A sending of the ballot is about to begin: until it is answered, the ballot may count.
    pub fn send(&mut self, entry: Entry, ticket: T) {
        let ticket = self.ticket(ticket);
        self.change(entry, |ballot| {
            ballot.in_flight += 1;
            ballot.in_flight_with = ballot.in_flight_with.and(SentWith::One(ticket));
        });
    }

    /// A sending that [`Ledger::send`] announced never left: its ticket bought nothing.
    pub fn withdraw(&mut self, entry: Entry) {
        self.change(entry, Ballot::land);
    }

    /// What a client was answered to a sending that [`Ledger::send`] announced.
    pub fn answer(&mut self, entry: Entry, ticket: T, answer: Answer) {
        let ticket = self.ticket(ticket);
        let is_first = !self.ballots[entry.0].is_acknowledged;
        self.change(entry, |ballot| {
            ballot.land();
            ballot.answered_with = ballot.answered_with.and(SentWith::One(ticket));
            ballot.is_acknowledged |= answer.is_acknowledgement();
            ballot.was_unknown |= answer == Answer::Unknown;
            if answer == Answer::Accepted {
                ballot.accepted_with.get_or_insert(ticket);
            }
        });
        if answer == Answer::Accepted {
            self.uses[ticket as usize] += 1;
            if is_first {
                self.update_accounts(entry, |account, votes| account.accepted += votes);
            }
        }
    }

    /// What the answers so far promise.
    #[must_use]
    pub fn expectation(&self, entry: Entry) -> Expectation {
        self.ballots[entry.0].expectation()
    }

    /// Whether an answer ever left open whether the ballot counts, however it was resolved.
    #[must_use]
    pub fn was_unknown(&self, entry: Entry) -> bool {
        self.ballots[entry.0].was_unknown
    }

    /// The name of a ballot.
    #[must_use]
    pub fn ballot(&self, entry: Entry) -> &B {
        &self.ballots[entry.0].name
    }

    /// The votes of a ballot, as it was entered.
    #[must_use]
    pub fn votes(&self, entry: Entry) -> &[(C, u64)] {
        let end = self.ballots.get(entry.0 + 1);
        let end = end.map_or(self.votes.len(), |next| next.first_vote as usize);
        &self.votes[self.ballots[entry.0].first_vote as usize..end]
    }

    /// How many ballots were entered.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ballots.len()
    }

    /// Whether no ballot was entered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ballots.is_empty()
    }

    /// All ballots, in the order in which they were entered.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + use<B, C, T> {
        (0..self.ballots.len()).map(Entry)
    }

    /// The ballots of which the answers do not say whether they count.
    pub fn open(&self) -> impl Iterator<Item = Entry> {
        self.entries()
            .filter(|entry| self.expectation(*entry) == Expectation::Open)
    }

    /// The votes that a tally must show at least: those from before the run, and those that were
    /// accepted as new.
    #[must_use]
    pub fn least_shown(&self, candidate: &C) -> u64 {
        let account = self.accounts.get(candidate);
        account.map_or(0, |account| account.baseline + account.accepted)
    }

    /// How many uses a ticket bought, by the answers.
    #[must_use]
    pub fn uses(&self, ticket: &T) -> u64 {
        let index = self.tickets.get(ticket);
        index.map_or(0, |index| self.uses[*index as usize])
    }

    fn ticket(&mut self, ticket: T) -> TicketIndex {
        let next = TicketIndex::try_from(self.uses.len()).expect("fewer tickets than 2^32");
        let index = *self.tickets.entry(ticket).or_insert(next);
        if index == next {
            self.uses.push(0);
        }
        index
    }

    /// Changes a ballot, and the accounts with it.
    fn change(&mut self, entry: Entry, change: impl FnOnce(&mut Ballot<B>)) {
        let ballot = &mut self.ballots[entry.0];
        let before = ballot.expectation();
        change(ballot);
        let after = ballot.expectation();
        if before == after {
            return;
        }
        self.update_accounts(entry, |account, votes| {
            match before {
                Expectation::Counted => account.counted -= votes,
                Expectation::Open => account.open -= votes,
                Expectation::NotCounted => {}
            }
            match after {
                Expectation::Counted => account.counted += votes,
                Expectation::Open => account.open += votes,
                Expectation::NotCounted => {}
            }
        });
    }

    fn update_accounts(&mut self, entry: Entry, mut update: impl FnMut(&mut Account, u64)) {
        let end = self.ballots.get(entry.0 + 1);
        let end = end.map_or(self.votes.len(), |next| next.first_vote as usize);
        let first = self.ballots[entry.0].first_vote as usize;
        for (candidate, votes) in &self.votes[first..end] {
            let account = self.accounts.get_mut(candidate);
            update(account.expect("each candidate has an account"), *votes);
        }
    }
}
