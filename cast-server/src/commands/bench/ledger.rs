//! The ledger: what was sent, what was told of it, and what the tallies must show for it.
//!
//! It does no I/O and asks no clock. A ballot is here before it is sent, so that whatever cuts the
//! run short leaves it open, and never forgotten.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use cast_core::domain::BallotId;

/// How often each code was told.
pub(super) type Codes = BTreeMap<String, u64>;

/// What a server said of a ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It counts; what the tally showed, if that was told.
    Accepted(Option<u64>),
    /// It had been accepted before, and counts once.
    Duplicate,
    /// It does not count, by a rule: the code.
    Refused(String),
    /// It does not count, for something went wrong: the code.
    Fault(String),
    /// It may count or not: the code, or what happened to the request.
    Unknown(String),
}

/// What is known of one ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It may count: nothing was told yet, or nothing certain.
    Open,
    /// It counts, once.
    Counts,
    /// It does not count.
    DoesNot,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: Option<BallotId>,
    candidate: u32,
    fate: Fate,
}

/// One candidate's side of the ledger.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// The votes before the run.
    baseline: u64,
    /// Ballots that a server said it had accepted, and had not seen before.
    acknowledged: u64,
    /// Ballots that count, whoever said so and when.
    counts: u64,
    /// Ballots that may count.
    open: u64,
}

/// One ticket's side of it.
#[derive(Clone, Copy, Debug)]
struct TicketAccount {
    /// How many uses it had when it was first seen.
    uses: u64,
    /// How many ballots it was told to have bought.
    bought: u64,
    first_seen: Duration,
}

/// A ballot on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Its place in the ledger.
    pub(super) place: usize,
    /// What a tally must show at least, once this ballot was accepted.
    pub(super) shows_at_least: u64,
}

/// A ballot of which it is not known whether it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenBallot {
    pub(super) place: usize,
    /// Without one it cannot be sent again.
    pub(super) id: Option<BallotId>,
    pub(super) candidate: usize,
}

/// How votes that were sent for the first time fared.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) refused: Codes,
    pub(super) faults: Codes,
    pub(super) unknown: Codes,
    /// Unknown ones that were found to count, by sending them again.
    pub(super) resolved: u64,
    /// Answers whose tally was below what had been acknowledged before.
    pub(super) shown_too_low: u64,
}

/// How ballots that were sent again, though they had been accepted, fared.
#[derive(Clone, Debug, Default)]
pub(super) struct Retries {
    pub(super) sent: u64,
    pub(super) duplicate: u64,
    /// Told to be new, though they were not: the tallies show whether they counted again.
    pub(super) accepted_again: u64,
    pub(super) refused: Codes,
    pub(super) faults: Codes,
    pub(super) unknown: Codes,
}

/// What the tickets of a run allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Allowance {
    /// How many tickets there were.
    pub(super) tickets: usize,
    /// The most uses that one had.
    pub(super) uses: u64,
    /// How far they were apart, if there were three or more.
    pub(super) period: Option<Duration>,
}

impl Allowance {
    /// The votes that the tickets allow in a second.
    pub(super) fn votes_per_second(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a rate to be shown")]
        self.period.map(|it| self.uses as f64 / it.as_secs_f64())
    }
}

/// What one server shows.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) url: String,
    /// In the order of the candidates.
    pub(super) votes: Vec<u64>,
}

/// A tally that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) url: String,
    pub(super) candidate: usize,
    pub(super) expected: RangeInclusive<u64>,
    pub(super) shown: u64,
}

/// A ticket that bought more than it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Oversold {
    /// The how many-th of the run, from 0.
    pub(super) ticket: usize,
    pub(super) uses: u64,
    pub(super) bought: u64,
}

/// Whether the tallies are what the ledger says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Tallies that show fewer votes than were accepted.
    pub(super) missing: Vec<Difference>,
    /// Tallies that show more votes than can count: one counted twice, or one that was refused.
    pub(super) doubled: Vec<Difference>,
    /// Ballots of which nobody knows whether they count.
    pub(super) open: u64,
    pub(super) oversold: Vec<Oversold>,
}

impl Verdict {
    /// Whether every tally lies where it must.
    pub(super) fn tallies_match(&self) -> bool {
        self.missing.is_empty() && self.doubled.is_empty()
    }

    /// Whether the servers broke a promise.
    pub(super) fn is_broken(&self) -> bool {
        !self.tallies_match() || !self.oversold.is_empty()
    }

    /// In a word, for programs.
    pub(super) fn word(&self) -> &'static str {
        match (self.missing.is_empty(), self.doubled.is_empty()) {
            (false, false) => "missing_and_doubled",
            (false, true) => "missing",
            (true, false) => "doubled",
            (true, true) if !self.oversold.is_empty() => "oversold",
            // An open ballot that counts would hide an accepted one that does not.
            (true, true) if self.open > 0 => "unproven",
            (true, true) => "exact",
        }
    }
}

/// What was sent, and what was told of it.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    accounts: Vec<Account>,
    tickets: Vec<TicketAccount>,
    retry_fraction: f64,
    /// How much of a retry is due.
    retry_due: f64,
    counts: Counts,
    retries: Retries,
}

impl Ledger {
    /// An empty one, for candidates that have `baseline` votes.
    pub(super) fn new(baseline: &[u64], retry_fraction: f64) -> Self {
        let account = |&baseline: &u64| Account {
            baseline,
            ..Account::default()
        };
        Self {
            entries: Vec::new(),
            accounts: baseline.iter().map(account).collect(),
            tickets: Vec::new(),
            retry_fraction,
            retry_due: 0.0,
            counts: Counts::default(),
            retries: Retries::default(),
        }
    }

    /// Whom the next ballot is for: each in turn.
    pub(super) fn next_candidate(&self) -> usize {
        self.entries.len() % self.accounts.len()
    }

    /// A ballot of one vote is about to be sent.
    pub(super) fn send(&mut self, id: Option<BallotId>, candidate: usize) -> Sent {
        let place = self.entries.len();
        self.entries.push(Entry {
            id,
            candidate: u32::try_from(candidate).expect("there are fewer candidates"),
            fate: Fate::Open,
        });
        self.counts.sent += 1;
        let account = &mut self.accounts[candidate];
        account.open += 1;
        let shows_at_least = account.baseline + account.acknowledged + 1;
        Sent {
            place,
            shows_at_least,
        }
    }

    /// It never left.
    pub(super) fn not_sent(&mut self, sent: Sent) {
        self.counts.sent -= 1;
        self.decide(sent.place, Fate::DoesNot);
    }

    /// What was told of it; whether it is to be sent again, to see that it counts once.
    pub(super) fn told(&mut self, sent: Sent, ticket: usize, told: Told) -> bool {
        match told {
            Told::Accepted(shown) => {
                self.accepted(sent.place, ticket);
                if shown.is_some_and(|shown| shown < sent.shows_at_least) {
                    self.counts.shown_too_low += 1;
                }
                self.counts.accepted += 1;
                return self.is_retry_due();
            }
            // Of an id that is new: strange, but it says that the ballot counts.
            Told::Duplicate => {
                self.counts.accepted += 1;
                self.decide(sent.place, Fate::Counts);
            }
            Told::Refused(code) => {
                count(&mut self.counts.refused, code);
                self.decide(sent.place, Fate::DoesNot);
            }
            Told::Fault(code) => {
                count(&mut self.counts.faults, code);
                self.decide(sent.place, Fate::DoesNot);
            }
            Told::Unknown(code) => count(&mut self.counts.unknown, code),
        }
        false
    }

    /// What was told of a ballot that had been accepted and was sent again.
    pub(super) fn told_of_retry(&mut self, told: Told) {
        let retries = &mut self.retries;
        retries.sent += 1;
        match told {
            Told::Duplicate => retries.duplicate += 1,
            Told::Accepted(_) => retries.accepted_again += 1,
            Told::Refused(code) => count(&mut retries.refused, code),
            Told::Fault(code) => count(&mut retries.faults, code),
            Told::Unknown(code) => count(&mut retries.unknown, code),
        }
    }

    /// What was told of an open ballot that was sent again; whether it is open no more.
    ///
    /// Only a yes is an answer: a no to the second sending says nothing of the first.
    pub(super) fn told_of_open(&mut self, place: usize, ticket: usize, told: &Told) -> bool {
        if self.entries[place].fate != Fate::Open {
            return true;
        }
        match told {
            Told::Accepted(_) => self.accepted(place, ticket),
            Told::Duplicate => self.decide(place, Fate::Counts),
            Told::Refused(_) | Told::Fault(_) | Told::Unknown(_) => return false,
        }
        self.counts.resolved += 1;
        true
    }

    /// A ticket that was not seen before has `uses` left; its number.
    pub(super) fn ticket_seen(&mut self, uses: u64, now: Duration) -> usize {
        self.tickets.push(TicketAccount {
            uses,
            bought: 0,
            first_seen: now,
        });
        self.tickets.len() - 1
    }

    fn accepted(&mut self, place: usize, ticket: usize) {
        self.tickets[ticket].bought += 1;
        self.accounts[self.entries[place].candidate as usize].acknowledged += 1;
        self.decide(place, Fate::Counts);
    }

    fn decide(&mut self, place: usize, fate: Fate) {
        let entry = &mut self.entries[place];
        assert_eq!(entry.fate, Fate::Open, "a fate is decided once");
        entry.fate = fate;
        let account = &mut self.accounts[entry.candidate as usize];
        account.open -= 1;
        if fate == Fate::Counts {
            account.counts += 1;
        }
    }

    fn is_retry_due(&mut self) -> bool {
        self.retry_due += self.retry_fraction;
        let is_due = self.retry_due >= 1.0;
        if is_due {
            self.retry_due -= 1.0;
        }
        is_due
    }

    /// The ballots of which it is not known whether they count.
    pub(super) fn open(&self) -> Vec<OpenBallot> {
        let is_open = |(_, entry): &(usize, &Entry)| entry.fate == Fate::Open;
        let entries = self.entries.iter().enumerate().filter(is_open);
        entries
            .map(|(place, entry)| OpenBallot {
                place,
                id: entry.id,
                candidate: entry.candidate as usize,
            })
            .collect()
    }

    /// The ids of the ballots that count for a candidate.
    pub(super) fn counting(&self, candidate: usize) -> impl Iterator<Item = BallotId> {
        self.entries
            .iter()
            .filter(move |entry| {
                entry.candidate as usize == candidate && entry.fate == Fate::Counts
            })
            .filter_map(|entry| entry.id)
    }

    /// How votes fared.
    pub(super) const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How retries fared.
    pub(super) const fn retries(&self) -> &Retries {
        &self.retries
    }

    /// What the tickets allowed.
    pub(super) fn allowance(&self) -> Allowance {
        // The first was perhaps not seen from its beginning.
        let period = match &self.tickets[..] {
            [_, second, .., last] => {
                let gaps = u32::try_from(self.tickets.len() - 2).unwrap_or(u32::MAX);
                Some(last.first_seen.saturating_sub(second.first_seen) / gaps)
            }
            _ => None,
        };
        Allowance {
            tickets: self.tickets.len(),
            uses: self.tickets.iter().map(|it| it.uses).max().unwrap_or(0),
            period: period.filter(|period| !period.is_zero()),
        }
    }

    /// Compares with what the servers show.
    pub(super) fn verdict(&self, shown: &[Shown]) -> Verdict {
        let open = self.accounts.iter().map(|account| account.open).sum();
        let mut verdict = Verdict {
            open,
            oversold: self.oversold(),
            ..Verdict::default()
        };
        for server in shown {
            assert_eq!(server.votes.len(), self.accounts.len(), "one for each");
            for (candidate, &votes) in server.votes.iter().enumerate() {
                let expected = self.expected(candidate);
                let list = if votes < *expected.start() {
                    &mut verdict.missing
                } else if votes > *expected.end() {
                    &mut verdict.doubled
                } else {
                    continue;
                };
                list.push(Difference {
                    url: server.url.clone(),
                    candidate,
                    expected,
                    shown: votes,
                });
            }
        }
        verdict
    }

    /// What a candidate's tally may be.
    fn expected(&self, candidate: usize) -> RangeInclusive<u64> {
        let account = &self.accounts[candidate];
        let least = account.baseline + account.counts;
        least..=least + account.open
    }

    fn oversold(&self) -> Vec<Oversold> {
        let tickets = self.tickets.iter().enumerate();
        tickets
            .filter(|(_, it)| it.bought > it.uses)
            .map(|(ticket, it)| Oversold {
                ticket,
                uses: it.uses,
                bought: it.bought,
            })
            .collect()
    }
}

fn count(codes: &mut Codes, code: String) {
    *codes.entry(code).or_default() += 1;
}

#[cfg(test)]
mod tests;
