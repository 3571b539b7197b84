//! The comparison of a ledger with what is shown.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug, Display},
    ops::RangeInclusive,
};

use super::{
    answer::Expectation,
    record::{Account, Ballot, Ledger, SentWith},
};

/// A ballot that the system counted, or has in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedBallot<B, C> {
    /// Its name in the ledger.
    pub ballot: B,
    /// Its votes, in the order in which the client sent them.
    pub votes: Vec<(C, u64)>,
}

/// What does not agree with the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding<B, C, T> {
    /// The ballot was acknowledged, and does not count.
    Missing {
        /// The ballot.
        ballot: B,
    },
    /// The ballot counts more than once.
    Doubled {
        /// The ballot.
        ballot: B,
        /// How often it counts.
        times: usize,
    },
    /// Every sending of the ballot was refused, or it was never sent; and it counts.
    RefusedButCounted {
        /// The ballot.
        ballot: B,
    },
    /// The ballot counts, and is not in the ledger.
    NotEntered {
        /// The ballot.
        ballot: B,
    },
    /// The ballot counts with other votes than were sent.
    Altered {
        /// The ballot.
        ballot: B,
    },
    /// A tally shows fewer votes than were acknowledged.
    TallyTooLow {
        /// The candidate.
        candidate: C,
        /// What the tally may be.
        expected: RangeInclusive<u64>,
        /// What it is.
        shown: u64,
    },
    /// A tally shows more votes than can count: a ballot counts twice, or a refused one counts.
    TallyTooHigh {
        /// The candidate.
        candidate: C,
        /// What the tally may be.
        expected: RangeInclusive<u64>,
        /// What it is.
        shown: u64,
    },
    /// A ticket bought more uses than it had.
    LimitExceeded {
        /// The ticket.
        ticket: T,
        /// How many uses it had.
        limit: u64,
        /// How many it bought.
        used: u64,
        /// The ballots that it bought.
        ballots: Vec<B>,
    },
}

impl<B: Debug, C: Debug, T: Debug> Display for Finding<B, C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { ballot } => write!(f, "{ballot:?} was acknowledged, and is missing"),
            Self::Doubled { ballot, times } => write!(f, "{ballot:?} counts {times} times"),
            Self::RefusedButCounted { ballot } => write!(f, "{ballot:?} was refused, and counts"),
            Self::NotEntered { ballot } => write!(f, "{ballot:?} counts, and no client sent it"),
            Self::Altered { ballot } => write!(f, "{ballot:?} counts with other votes than sent"),
            Self::TallyTooLow {
                candidate,
                expected,
                shown,
            }
            | Self::TallyTooHigh {
                candidate,
                expected,
                shown,
            } => write!(
                f,
                "{candidate:?} shows {shown} votes, expected {expected:?}"
            ),
            Self::LimitExceeded {
                ticket,
                limit,
                used,
                ..
            } => write!(f, "{ticket:?} had {limit} uses, and bought {used}"),
        }
    }
}

impl Account {
    const fn expected(&self) -> RangeInclusive<u64> {
        let least = self.baseline + self.counted;
        least..=least + self.open
    }
}

impl<B: Clone, C: Ord + Clone, T: Ord + Clone> Ledger<B, C, T> {
    /// Compares with the tallies that one server shows. A candidate that is not among them has none.
    #[must_use]
    pub fn check_tallies(
        &self,
        shown: impl IntoIterator<Item = (C, u64)>,
    ) -> Vec<Finding<B, C, T>> {
        let mut shown: BTreeMap<C, u64> = shown.into_iter().collect();
        let mut findings = Vec::new();
        let known = self.accounts.iter();
        let mut all: Vec<_> = known
            .map(|(candidate, account)| {
                let shown = shown.remove(candidate).unwrap_or(0);
                (candidate.clone(), account.expected(), shown)
            })
            .collect();
        let unknown = shown.into_iter();
        all.extend(unknown.map(|(candidate, shown)| (candidate, 0..=0, shown)));
        for (candidate, expected, shown) in all {
            if shown < *expected.start() {
                findings.push(Finding::TallyTooLow {
                    candidate,
                    expected,
                    shown,
                });
            } else if shown > *expected.end() {
                findings.push(Finding::TallyTooHigh {
                    candidate,
                    expected,
                    shown,
                });
            }
        }
        findings
    }

    /// Finds the tickets that bought more uses than `limit` says.
    ///
    /// A use was bought for certain by each answer that accepted a ballot, and by each ballot for
    /// which `counts` holds and which was sent with no other ticket.
    #[must_use]
    pub fn check_tickets(
        &self,
        limit: impl Fn(&T) -> u64,
        counts: impl Fn(&B) -> bool,
    ) -> Vec<Finding<B, C, T>> {
        let by = |ballot: &Ballot<B>| match (ballot.accepted_with, ballot.sent_with()) {
            (Some(ticket), _) => Some(ticket),
            (None, SentWith::One(ticket)) if counts(&ballot.name) => Some(ticket),
            _ => None,
        };
        let mut used = self.uses.clone();
        let without_answer = self.ballots.iter().filter(|it| it.accepted_with.is_none());
        for ticket in without_answer.filter_map(by) {
            used[ticket as usize] += 1;
        }
        let tickets = self.tickets.iter();
        let findings = tickets.filter_map(|(ticket, index)| {
            let (limit, used) = (limit(ticket), used[*index as usize]);
            let bought = self.ballots.iter().filter(|it| by(it) == Some(*index));
            (used > limit).then(|| Finding::LimitExceeded {
                ticket: ticket.clone(),
                limit,
                used,
                ballots: bought.map(|ballot| ballot.name.clone()).collect(),
            })
        });
        findings.collect()
    }
}

impl<B: Ord + Clone, C: Ord + Clone, T: Ord> Ledger<B, C, T> {
    /// Compares with the ballots that the system counted.
    #[must_use]
    pub fn check_ballots(
        &self,
        counted: impl IntoIterator<Item = CountedBallot<B, C>>,
    ) -> Vec<Finding<B, C, T>> {
        let mut by_name: BTreeMap<B, Vec<Vec<(C, u64)>>> = BTreeMap::new();
        for CountedBallot { ballot, votes } in counted {
            by_name.entry(ballot).or_default().push(votes);
        }
        let mut findings = Vec::new();
        for entry in self.entries() {
            let ballot = self.ballot(entry).clone();
            let Some(counted) = by_name.remove(&ballot) else {
                if self.expectation(entry) == Expectation::Counted {
                    findings.push(Finding::Missing { ballot });
                }
                continue;
            };
            if counted.iter().any(|votes| votes != self.votes(entry)) {
                let ballot = ballot.clone();
                findings.push(Finding::Altered { ballot });
            }
            if self.expectation(entry) == Expectation::NotCounted {
                let ballot = ballot.clone();
                findings.push(Finding::RefusedButCounted { ballot });
            }
            if counted.len() > 1 {
                let times = counted.len();
                findings.push(Finding::Doubled { ballot, times });
            }
        }
        let rest = by_name.into_keys();
        findings.extend(rest.map(|ballot| Finding::NotEntered { ballot }));
        findings
    }
}
