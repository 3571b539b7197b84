//! Which promise broke, for which ballots: what voters were answered, beside what is in the log, beside
//! what is in the tables.
//!
//! Whether the answers agree with what was counted is checked by [`cast_core::ledger`]; here is the fold
//! of the log by itself. Neither shares code with the path of a vote.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use cast_core::ledger::{CountedBallot, Expectation, Finding};
use uuid::Uuid;

use crate::{
    history::History,
    ledger::{Ledger, VoteResponse},
    logged::{Logged, LoggedBallot},
    tables::{Stored, StoredBallot},
};

/// What must hold, whatever breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    AcknowledgedMeansLogged,
    StoreIsExact,
    TicketsHaveALimit,
    CounterMayLoseData,
    StoreMayBeRestored,
    TalliesShown,
    AnswersAreTrue,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcknowledgedMeansLogged => "promise 1, acknowledged means logged",
            Self::StoreIsExact => "promise 2, the store is exact",
            Self::TicketsHaveALimit => "promise 3, a ticket never buys more than its limit",
            Self::CounterMayLoseData => "promise 4, Redis may vanish, and what is shown recovers",
            Self::StoreMayBeRestored => "promise 5, the store may be restored from a backup",
            Self::TalliesShown => "the tallies: not above the log, not below the acknowledged",
            Self::AnswersAreTrue => "every voter gets a true answer by the deadline",
        })
    }
}

/// A promise that was broken in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) promise: Promise,
    pub(crate) what: String,
    /// The names of the ballots concerned, where it is about ballots.
    pub(crate) ballots: Vec<String>,
}

impl Breach {
    pub(crate) fn new(promise: Promise, what: impl Into<String>) -> Self {
        let (what, ballots) = (what.into(), Vec::new());
        Self {
            promise,
            what,
            ballots,
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BROKEN {}: {}", self.promise, self.what)?;
        match self.ballots.len() {
            0 => Ok(()),
            ballots => write!(f, " ({ballots} ballots)"),
        }
    }
}

/// All that is looked at. The store is read before the log, so that nothing is in the store that is
/// not in the log yet.
pub(crate) struct Evidence<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) stored: &'a Stored,
    pub(crate) logged: &'a Logged,
    /// How often a ticket votes.
    pub(crate) uses: u64,
    pub(crate) history: &'a History,
}

/// All that is broken.
pub(crate) fn breaches(evidence: &Evidence<'_>) -> Vec<Breach> {
    let mut found = Found::default();
    acknowledged_is_logged(evidence, &mut found);
    log_is_stored(evidence, &mut found);
    stored_once(evidence, &mut found);
    answers_are_true(evidence, &mut found);
    limits_are_kept(evidence, &mut found);
    sums_are_right(evidence.stored, &mut found);
    found.breaches()
}

/// Breaches of one kind are one breach of many ballots.
#[derive(Default)]
struct Found(BTreeMap<(Promise, String), BTreeSet<String>>);

impl Found {
    fn ballot(&mut self, promise: Promise, what: &str, name: &str) {
        let ballots = self.0.entry((promise, what.to_owned())).or_default();
        ballots.insert(name.to_owned());
    }

    fn fact(&mut self, promise: Promise, what: String) {
        self.0.entry((promise, what)).or_default();
    }

    fn breaches(self) -> Vec<Breach> {
        let breach = |((promise, what), ballots): ((_, _), BTreeSet<_>)| Breach {
            promise,
            what,
            ballots: ballots.into_iter().collect(),
        };
        self.0.into_iter().map(breach).collect()
    }
}

/// The log has what was acknowledged, as it was sent.
fn acknowledged_is_logged(evidence: &Evidence<'_>, found: &mut Found) {
    let promise = Promise::AcknowledgedMeansLogged;
    // A retry may be in the log, too: it is folded once.
    let mut logged: BTreeMap<&str, &LoggedBallot> = BTreeMap::new();
    for ballot in &evidence.logged.ballots {
        logged.entry(&ballot.voter).or_insert(ballot);
    }
    let logged = logged.into_values().map(|ballot| CountedBallot {
        ballot: ballot.voter.clone(),
        votes: ballot.selections.clone(),
    });
    for finding in evidence.ledger.answers.check_ballots(logged) {
        match finding {
            Finding::Missing { ballot } => {
                found.ballot(promise, "acknowledged, and not in the log", &ballot);
            }
            Finding::Altered { ballot } => {
                found.ballot(promise, "the log has another ballot than was sent", &ballot);
            }
            // What is in the log and must not be is in the store, too, or the store is wrong.
            _ => {}
        }
    }
}

/// The fold of the log's prefix up to the store's own progress: each id once.
fn log_is_stored(evidence: &Evidence<'_>, found: &mut Found) {
    let Evidence { stored, logged, .. } = evidence;
    let promise = Promise::StoreIsExact;
    let stored_by_id: BTreeMap<Uuid, &StoredBallot> =
        stored.ballots.iter().map(|row| (row.id, row)).collect();
    let mut first: BTreeMap<Uuid, &LoggedBallot> = BTreeMap::new();
    for ballot in &logged.ballots {
        let known = first.entry(ballot.id).or_insert(ballot);
        if known.partition != ballot.partition {
            let what = "the log has it in two partitions";
            found.ballot(promise, what, &ballot.voter);
        }
    }
    for (id, ballot) in &first {
        let progress = stored.progress.get(&ballot.partition).copied().unwrap_or(0);
        match stored_by_id.get(id) {
            None if ballot.offset >= progress => {
                let expectation = evidence.ledger.expectation(&ballot.voter);
                if expectation == Some(Expectation::Counted) {
                    let what = "logged and acknowledged, and never folded";
                    found.ballot(promise, what, &ballot.voter);
                }
            }
            None => {
                let mut restores = evidence.history.restores.iter();
                if restores.any(|restore| restore.undid(ballot.partition, ballot.offset)) {
                    let what = "undone as the store was restored, and not folded again";
                    found.ballot(Promise::StoreMayBeRestored, what, &ballot.voter);
                } else {
                    let what = "in the log before the store's progress, and not in the store";
                    found.ballot(promise, what, &ballot.voter);
                }
            }
            Some(_) if ballot.offset >= progress => {
                let what = "in the store, and in the log only behind the store's progress";
                found.ballot(promise, what, &ballot.voter);
            }
            Some(row) if row.selections() != ballot.selections || row.voter != ballot.voter => {
                let what = "the store has another ballot than the log";
                found.ballot(promise, what, &ballot.voter);
            }
            Some(_) => {}
        }
    }
    for row in stored
        .ballots
        .iter()
        .filter(|row| !first.contains_key(&row.id))
    {
        let what = "in the store, and not in the log";
        found.ballot(promise, what, &row.voter);
    }
}

/// The store has each ballot once, and none that was refused or never sent.
fn stored_once(evidence: &Evidence<'_>, found: &mut Found) {
    let rows = evidence.stored.ballots.iter().map(|row| CountedBallot {
        ballot: row.voter.clone(),
        votes: row.selections(),
    });
    for finding in evidence.ledger.answers.check_ballots(rows) {
        match finding {
            Finding::Doubled { ballot, .. } => {
                found.ballot(Promise::StoreIsExact, "counted twice", &ballot);
            }
            Finding::NotEntered { ballot } => {
                found.ballot(Promise::StoreIsExact, "counted, and never sent", &ballot);
            }
            Finding::RefusedButCounted { ballot } => {
                let what = "counted, and its voter was answered that it does not count";
                found.ballot(Promise::AnswersAreTrue, what, &ballot);
            }
            // Compared with the log, which the store may lag behind.
            _ => {}
        }
    }
    let Stored { rejected, .. } = evidence.stored;
    if *rejected > evidence.logged.unreadable as u64 {
        let what = format!("{rejected} rejected, of records that can be read");
        found.fact(Promise::StoreIsExact, what);
    }
}

fn answers_are_true(evidence: &Evidence<'_>, found: &mut Found) {
    let promise = Promise::AnswersAreTrue;
    let stored = evidence.stored.by_name();
    for (name, ballot) in &evidence.ledger.ballots {
        let row = stored.get(name.as_str()).and_then(|rows| rows.first());
        if row.is_some_and(|row| ballot.id.is_some_and(|id| id != row.id)) {
            found.ballot(promise, "the answer has another id", name);
        }
        let mut sendings = ballot.sendings.iter();
        if sendings.any(|sending| sending.response == VoteResponse::TimedOut) {
            found.ballot(promise, "no answer by the deadline", name);
        }
    }
}

fn limits_are_kept(evidence: &Evidence<'_>, found: &mut Found) {
    let stored = evidence.stored.by_name();
    let answers = &evidence.ledger.answers;
    let is_stored = |name: &String| stored.contains_key(name.as_str());
    for finding in answers.check_tickets(|_| evidence.uses, is_stored) {
        let what = finding.to_string();
        if let Finding::LimitExceeded { ballots, .. } = finding {
            for name in ballots {
                found.ballot(Promise::TicketsHaveALimit, &what, &name);
            }
        }
    }
}

fn sums_are_right(stored: &Stored, found: &mut Found) {
    let recount = stored.recount();
    for (table, sums) in [("votes", &stored.votes), ("totals", &stored.totals)] {
        if *sums != recount {
            let what = format!("{table} are {sums:?}, the ballots add up to {recount:?}");
            found.fact(Promise::StoreIsExact, what);
        }
    }
}
