//! Whether the tallies are what the answers promise.

use std::ops::RangeInclusive;

use cast_core::{domain::BallotId, ledger};

/// A candidate's place in the list of names.
pub(super) type Candidate = u32;

type Finding = ledger::Finding<Option<BallotId>, Candidate, usize>;

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

/// A ticket that bought more than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Oversold {
    /// Its number in the run, from 0.
    pub(super) ticket: usize,
    pub(super) uses: u64,
    pub(super) bought: u64,
}

/// Whether the tallies are what the answers promise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Tallies that show fewer votes than were accepted.
    pub(super) missing: Vec<Difference>,
    /// Tallies that show more votes than can count: one counted twice, or a refused one counted.
    pub(super) doubled: Vec<Difference>,
    /// Ballots of which it is not known whether they count.
    pub(super) open: u64,
    pub(super) oversold: Vec<Oversold>,
}

impl Verdict {
    /// One before tallies are added.
    pub(super) fn new(open: u64, tickets: Vec<Finding>) -> Self {
        let mut verdict = Self {
            open,
            ..Self::default()
        };
        verdict.add("", tickets);
        verdict
    }

    /// Adds what was found at a server.
    pub(super) fn add(&mut self, url: &str, findings: Vec<Finding>) {
        let difference = |candidate: Candidate, expected, shown| Difference {
            url: url.into(),
            candidate: candidate as usize,
            expected,
            shown,
        };
        for finding in findings {
            match finding {
                Finding::TallyTooLow {
                    candidate,
                    expected,
                    shown,
                } => self.missing.push(difference(candidate, expected, shown)),
                Finding::TallyTooHigh {
                    candidate,
                    expected,
                    shown,
                } => self.doubled.push(difference(candidate, expected, shown)),
                Finding::LimitExceeded {
                    ticket,
                    limit: uses,
                    used: bought,
                    ..
                } => self.oversold.push(Oversold {
                    ticket,
                    uses,
                    bought,
                }),
                other => unreachable!("ballots are not compared one by one: {other}"),
            }
        }
    }

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
