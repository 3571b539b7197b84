//! Which promise broke, for which ballots: what voters were told, beside what is in the log, beside
//! what is in the tables. It knows nothing of how one became the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use uuid::Uuid;

use crate::{
    ledger::{Due, Entry, Ledger, Told},
    logged::{Logged, LoggedBallot},
    tables::{Stored, StoredBallot},
};

/// What must hold, whatever breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    AcknowledgedMeansLogged,
    StoreIsExact,
    TicketsHaveALimit,
    CounterMayForget,
    StoreMayBePutBack,
    TalliesShown,
    AnswersAreTrue,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcknowledgedMeansLogged => "promise 1, acknowledged means logged",
            Self::StoreIsExact => "promise 2, the store is exact",
            Self::TicketsHaveALimit => "promise 3, a ticket never buys more than its limit",
            Self::CounterMayForget => "promise 4, Redis may vanish, and what is shown heals",
            Self::StoreMayBePutBack => "promise 5, the store may be put back to a backup",
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

/// What was done to the servers, as far as the verdict depends on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// How often Redis lost something.
    pub(crate) forgotten: usize,
    pub(crate) put_back: Vec<PutBack>,
}

/// The store was put back to a backup: its progress by partition, before and after.
#[derive(Clone, Debug)]
pub(crate) struct PutBack {
    pub(crate) from: BTreeMap<u32, u64>,
    pub(crate) to: BTreeMap<u32, u64>,
}

impl PutBack {
    /// Whether this undid what was made of the record there.
    fn undid(&self, partition: u32, offset: u64) -> bool {
        let progress = |of: &BTreeMap<u32, u64>| of.get(&partition).copied().unwrap_or(0);
        (progress(&self.to)..progress(&self.from)).contains(&offset)
    }
}

/// All that is looked at. The store is read before the log, so that nothing is in the store that is
/// not in the log yet.
pub(crate) struct Evidence<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) stored: &'a Stored,
    pub(crate) logged: &'a Logged,
    /// How often a ticket votes.
    pub(crate) uses: usize,
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

fn acknowledged_is_logged(evidence: &Evidence<'_>, found: &mut Found) {
    let promise = Promise::AcknowledgedMeansLogged;
    let mut logged: BTreeMap<&str, &LoggedBallot> = BTreeMap::new();
    for ballot in &evidence.logged.ballots {
        logged.entry(&ballot.voter).or_insert(ballot);
    }
    for (name, entry) in &evidence.ledger.ballots {
        match logged.get(name.as_str()) {
            None if entry.due() == Due::Stored => {
                found.ballot(promise, "acknowledged, and not in the log", name);
            }
            Some(ballot) if ballot.selections != entry.selections => {
                found.ballot(promise, "the log has another ballot than was sent", name);
            }
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
                let due = evidence.ledger.ballots.get(&ballot.voter).map(Entry::due);
                if due == Some(Due::Stored) {
                    let what = "logged and acknowledged, and never folded";
                    found.ballot(promise, what, &ballot.voter);
                }
            }
            None => {
                let mut put_back = evidence.history.put_back.iter();
                if put_back.any(|one| one.undid(ballot.partition, ballot.offset)) {
                    let what = "undone as the store was put back, and not folded again";
                    found.ballot(Promise::StoreMayBePutBack, what, &ballot.voter);
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

fn stored_once(evidence: &Evidence<'_>, found: &mut Found) {
    for (name, rows) in evidence.stored.by_name() {
        if rows.len() > 1 {
            found.ballot(Promise::StoreIsExact, "counted twice", name);
        }
        if !evidence.ledger.ballots.contains_key(name) {
            found.ballot(Promise::StoreIsExact, "nobody sent it", name);
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
    for (name, entry) in &evidence.ledger.ballots {
        let rows = stored.get(name.as_str());
        if rows.is_some() && entry.due() == Due::Absent {
            let what = "counted, and its voter was told that it does not count";
            found.ballot(promise, what, name);
        }
        let row = rows.and_then(|rows| rows.first());
        if row.is_some_and(|row| entry.id.is_some_and(|id| id != row.id)) {
            found.ballot(promise, "its voter was told another id", name);
        }
        if entry.sendings.iter().any(|sent| sent.told == Told::Late) {
            found.ballot(promise, "no answer by the deadline", name);
        }
    }
}

/// How many ballots each ticket bought for certain: those that were accepted with it, and those that
/// were stored and sent with no other.
fn limits_are_kept(evidence: &Evidence<'_>, found: &mut Found) {
    let stored = evidence.stored.by_name();
    let mut bought: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, entry) in &evidence.ledger.ballots {
        let mut accepted = entry.sendings.iter();
        let accepted = accepted.find(|sending| sending.told == Told::Accepted);
        let only = || match &entry.sendings[..] {
            [first, rest @ ..] => {
                let is_only = rest.iter().all(|next| next.ticket == first.ticket);
                (is_only && stored.contains_key(name.as_str())).then_some(first)
            }
            [] => None,
        };
        if let Some(sending) = accepted.or_else(only) {
            bought.entry(&sending.ticket).or_default().push(name);
        }
    }
    for (ticket, names) in bought {
        if names.len() > evidence.uses {
            let what = format!("a ticket bought {} ballots: {ticket}", names.len());
            for name in names {
                found.ballot(Promise::TicketsHaveALimit, &what, name);
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

/// Everything that is known of a ballot, a line each.
pub(crate) fn dossier(name: &str, evidence: &Evidence<'_>) -> String {
    let mut lines = Vec::new();
    match evidence.ledger.ballots.get(name) {
        None => lines.push(format!("  ballot {name:?}, which nobody sent")),
        Some(entry) => {
            let id = entry.id.map_or("none".into(), |id| id.to_string());
            lines.push(format!(
                "  ballot {name:?}, id {id}, for {:?}",
                entry.selections
            ));
            lines.extend(entry.sendings.iter().map(|sending| {
                format!(
                    "    {} at {}: {:?}{}; request {:?}, ticket {}",
                    sending.at_unix_ms,
                    sending.door,
                    sending.told,
                    if sending.stale { ", stale" } else { "" },
                    sending.request,
                    sending.ticket
                )
            }));
        }
    }
    let logged = evidence.logged.ballots.iter();
    for ballot in logged.filter(|ballot| ballot.voter == name) {
        lines.push(format!(
            "    in the log: partition {}, offset {}, id {}, for {:?}",
            ballot.partition, ballot.offset, ballot.id, ballot.selections
        ));
    }
    let stored = evidence.stored.ballots.iter();
    for row in stored.filter(|row| row.voter == name) {
        lines.push(format!("    in the store: {row:?}"));
    }
    lines.push(format!(
        "    the store's progress: {:?}",
        evidence.stored.progress
    ));
    lines.join("\n")
}

/// What to look for in the logs of the processes: a ballot's id, and the requests that brought it.
pub(crate) fn traces(name: &str, ledger: &Ledger) -> Vec<String> {
    let entry = ledger.ballots.get(name);
    let requests = entry.iter().flat_map(|entry| &entry.sendings);
    let requests = requests.map(|sending| sending.request.clone());
    let id = entry.and_then(|entry| entry.id).map(|id| id.to_string());
    let known = requests.chain(id).filter(|trace| !trace.is_empty());
    known.collect()
}
