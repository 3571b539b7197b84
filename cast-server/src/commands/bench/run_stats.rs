//! What is recorded of a run: the ledger of answers, counts by code, latencies, tickets.
//!
//! It does no I/O and asks no clock. A ballot is entered before it is sent, so that one whose request
//! is cut short stays open, and is never forgotten.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use cast_core::{
    domain::BallotId,
    ledger::{Entry, Expectation, Ledger},
};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    allowance::TicketLimits,
    response::VoteResponse,
    verdict::{Candidate, Shown, Verdict},
};

/// Latencies from a microsecond to an hour, to three digits.
const LATENCIES_US: (u64, u64, u8) = (1, 3_600_000_000, 3);

/// How often each code was answered.
pub(super) type Codes = BTreeMap<String, u64>;

/// A ballot on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentBallot {
    pub(super) entry: Entry,
    pub(super) ticket: usize,
    /// What a tally must show at least, once this ballot is accepted.
    pub(super) shows_at_least: u64,
}

/// A ballot of which it is not known whether it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenBallot {
    pub(super) entry: Entry,
    /// Without one it cannot be sent again.
    pub(super) id: Option<BallotId>,
    pub(super) candidate: usize,
}

/// The answers to votes that were sent for the first time.
#[derive(Debug, Default)]
pub(super) struct VoteCounts {
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

/// The answers to ballots that were sent again though they had been accepted.
#[derive(Debug, Default, Serialize)]
pub(super) struct RetryCounts {
    pub(super) sent: u64,
    pub(super) duplicate: u64,
    /// Accepted as new, though they were not: the tallies show whether they counted again.
    pub(super) accepted_again: u64,
    pub(super) refused: Codes,
    pub(super) faults: Codes,
    pub(super) unknown: Codes,
}

/// What is recorded of a run.
#[derive(Debug)]
pub(super) struct RunStats {
    ledger: Ledger<Option<BallotId>, Candidate, usize>,
    candidates: usize,
    /// Of the tickets that were seen.
    pub(super) limits: TicketLimits,
    retry_fraction: f64,
    /// How much of a retry is due.
    retry_due: f64,
    pub(super) votes: VoteCounts,
    pub(super) retries: RetryCounts,
    /// Of accepted votes, in microseconds.
    pub(super) latencies: Histogram<u64>,
    /// Votes that had not begun when their time had come and gone, by `--rate`.
    pub(super) not_begun: u64,
}

impl RunStats {
    /// Those of a run that has yet to begin, for candidates that have `baseline` votes.
    pub(super) fn new(baseline: &[u64], retry_fraction: f64) -> Self {
        let mut ledger = Ledger::new();
        for (candidate, votes) in (0..).zip(baseline) {
            ledger.set_baseline(candidate, *votes);
        }
        let (low, high, digits) = LATENCIES_US;
        Self {
            ledger,
            candidates: baseline.len(),
            limits: TicketLimits::default(),
            retry_fraction,
            retry_due: 0.0,
            votes: VoteCounts::default(),
            retries: RetryCounts::default(),
            latencies: Histogram::new_with_bounds(low, high, digits).expect("sound bounds"),
            not_begun: 0,
        }
    }

    /// The candidate of the next ballot: each in turn.
    pub(super) fn next_candidate(&self) -> usize {
        self.ledger.len() % self.candidates
    }

    /// A ballot of one vote is about to be sent.
    pub(super) fn send(
        &mut self,
        id: Option<BallotId>,
        candidate: usize,
        ticket: usize,
    ) -> SentBallot {
        let candidate = Candidate::try_from(candidate).expect("there are fewer candidates");
        let entry = self.ledger.enter(id, [(candidate, 1)]);
        self.ledger.send(entry, ticket);
        self.votes.sent += 1;
        SentBallot {
            entry,
            ticket,
            shows_at_least: self.ledger.least_shown(&candidate) + 1,
        }
    }

    /// It never left.
    pub(super) fn withdraw(&mut self, sent: SentBallot) {
        self.votes.sent -= 1;
        self.ledger.withdraw(sent.entry);
    }

    /// Records the answer to a ballot; returns whether the ballot is to be sent again, to see that it
    /// counts once.
    pub(super) fn answer(&mut self, sent: SentBallot, response: VoteResponse) -> bool {
        self.ledger
            .answer(sent.entry, sent.ticket, response.answer());
        let votes = &mut self.votes;
        match response {
            VoteResponse::Accepted(shown) => {
                votes.accepted += 1;
                if shown.is_some_and(|shown| shown < sent.shows_at_least) {
                    votes.shown_too_low += 1;
                }
                return self.is_retry_due();
            }
            // Strange for an id that is new, but it says that the ballot counts.
            VoteResponse::Duplicate => votes.accepted += 1,
            VoteResponse::Refused(code) => count(&mut votes.refused, code),
            VoteResponse::Fault(code) => count(&mut votes.faults, code),
            VoteResponse::Unknown(code) => count(&mut votes.unknown, code),
        }
        false
    }

    /// Records the answer to a ballot that had been accepted and was sent again.
    pub(super) fn answer_retry(&mut self, sent: SentBallot, response: VoteResponse) {
        self.answer_again(sent.entry, sent.ticket, &response);
        let retries = &mut self.retries;
        retries.sent += 1;
        match response {
            VoteResponse::Duplicate => retries.duplicate += 1,
            VoteResponse::Accepted(_) => retries.accepted_again += 1,
            VoteResponse::Refused(code) => count(&mut retries.refused, code),
            VoteResponse::Fault(code) => count(&mut retries.faults, code),
            VoteResponse::Unknown(code) => count(&mut retries.unknown, code),
        }
    }

    /// Records the answer to an open ballot that was sent again; returns whether it is open no more.
    ///
    /// Only an acknowledgement decides: a refusal of the second sending says nothing of the first.
    pub(super) fn answer_open(
        &mut self,
        entry: Entry,
        ticket: usize,
        response: &VoteResponse,
    ) -> bool {
        let was_open = self.is_open(entry);
        self.answer_again(entry, ticket, response);
        let is_open = self.is_open(entry);
        self.votes.resolved += u64::from(was_open && !is_open);
        !is_open
    }

    fn answer_again(&mut self, entry: Entry, ticket: usize, response: &VoteResponse) {
        self.ledger.send(entry, ticket);
        self.ledger.answer(entry, ticket, response.answer());
    }

    fn is_open(&self, entry: Entry) -> bool {
        self.ledger.expectation(entry) == Expectation::Open
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
        let open = self.ledger.open().map(|entry| OpenBallot {
            entry,
            id: *self.ledger.ballot(entry),
            candidate: self.candidate(entry),
        });
        open.collect()
    }

    /// The ids of the ballots that count for a candidate.
    pub(super) fn counting(&self, candidate: usize) -> impl Iterator<Item = BallotId> {
        let entries = self.ledger.entries();
        let counts = move |entry: &Entry| {
            self.candidate(*entry) == candidate
                && self.ledger.expectation(*entry) == Expectation::Counted
        };
        entries
            .filter(counts)
            .filter_map(|entry| *self.ledger.ballot(entry))
    }

    fn candidate(&self, entry: Entry) -> usize {
        let [(candidate, _)] = self.ledger.votes(entry) else {
            unreachable!("each ballot has one vote");
        };
        *candidate as usize
    }

    /// Compares with what the servers show.
    pub(super) fn verdict(&self, shown: &[Shown]) -> Verdict {
        let open = self.ledger.open().count();
        let tickets = self
            .ledger
            .check_tickets(|it| self.limits.uses(*it), |_| false);
        let mut verdict = Verdict::new(open as u64, tickets);
        for Shown { url, votes } in shown {
            assert_eq!(votes.len(), self.candidates, "one for each");
            let tallies = (0..).zip(votes.iter().copied());
            verdict.add(url, self.ledger.check_tallies(tallies));
        }
        verdict
    }
}

fn count(codes: &mut Codes, code: String) {
    *codes.entry(code).or_default() += 1;
}

/// In whole microseconds.
pub(super) fn as_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
