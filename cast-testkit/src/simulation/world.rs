//! What all parts of one history share.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cast_core::domain::{Candidate, Ticket};
use tokio::sync::Notify;

use super::{
    clock::VirtualClock,
    coverage::{Coverage, RareState, is_possible},
    generate::CANDIDATES,
    history::{Port, Setup, Weather},
    ledger::Ledger,
    truth::Truth,
};
use crate::{
    entropy::mix,
    faults::{Fault, Operation},
    seed::Seed,
};

/// No history needs more calls: one that does goes round in circles.
const MOST_CALLS: u64 = 100_000;

/// A promise, or what else must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Acknowledged means logged.
    AcknowledgedIsLogged,
    /// The store is the fold of the log, and counts each ballot once.
    StoreIsExact,
    /// What was refused does not count.
    RefusedIsNotCounted,
    /// A ticket never buys more than its limit.
    TicketLimit,
    /// What is reconciled is the fold of the log's prefix, and tallies that are shown are neither above
    /// the log nor below what was acknowledged.
    ShownIsTrue,
    /// After a drain, what is shown is what is stored.
    TalliesHeal,
    /// Everybody gets an answer, all that is logged is folded, and votes are taken again.
    ThingsGoOn,
    /// An audit finds nothing.
    AuditIsClean,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcknowledgedIsLogged => "acknowledged means logged",
            Self::StoreIsExact => "the store is exact",
            Self::RefusedIsNotCounted => "what was refused does not count",
            Self::TicketLimit => "a ticket never buys more than its limit",
            Self::ShownIsTrue => "a tally that is shown is true",
            Self::TalliesHeal => "the tallies shown heal",
            Self::ThingsGoOn => "things go on",
            Self::AuditIsClean => "an audit finds nothing",
        })
    }
}

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) promise: Promise,
    pub(super) how: String,
}

pub(super) struct World {
    pub(super) seed: Seed,
    pub(super) setup: Setup,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) candidates: Vec<Candidate>,
    /// Wakes the driver when nothing can go on any more.
    pub(super) stuck: Notify,
    /// Calls that are held back and have yet to happen.
    pub(super) held: AtomicUsize,
    /// How many records are to be acknowledged without their position.
    pub(super) without_position: AtomicUsize,
    calls: AtomicU64,
    truth: Mutex<Truth>,
    ledger: Mutex<Ledger>,
    notes: Mutex<Notes>,
    trouble: Mutex<Trouble>,
}

#[derive(Default)]
struct Notes {
    hash: u64,
    /// A line each, if they are wanted.
    lines: Option<Vec<String>>,
    coverage: Coverage,
    broken: Option<Broken>,
    /// Tickets that were current, oldest first.
    tickets: Vec<Ticket>,
}

/// The failures to come.
#[derive(Default)]
struct Trouble {
    next: BTreeMap<Operation, VecDeque<Fault>>,
    weather: Vec<(Duration, Weather)>,
}

impl World {
    pub(super) fn new(seed: Seed, setup: Setup, is_traced: bool) -> Self {
        let names = (0..CANDIDATES).map(|number| format!("candidate {number}"));
        let candidates = names.map(|name| Candidate::new(&name).expect("a name"));
        Self {
            seed,
            setup,
            clock: Arc::default(),
            candidates: candidates.collect(),
            stuck: Notify::new(),
            held: AtomicUsize::new(0),
            without_position: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            truth: Mutex::default(),
            ledger: Mutex::default(),
            notes: Mutex::new(Notes {
                lines: is_traced.then(Vec::new),
                ..Notes::default()
            }),
            trouble: Mutex::default(),
        }
    }

    pub(super) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what happens: a hash of it always, and a line of text for a trace.
    pub(super) fn note(&self, what: u64, line: impl FnOnce() -> String) {
        let now = self.clock.elapsed();
        let mut notes = self.notes();
        let nanos = u64::try_from(now.as_nanos()).expect("a history ends within minutes");
        notes.hash = mix(notes.hash.rotate_left(7) ^ mix(nanos ^ mix(what)));
        if let Some(lines) = &mut notes.lines {
            lines.push(format!("{:>14} {}", format!("{now:.3?}"), line()));
        }
    }

    /// Counts that a rare state was reached.
    pub(super) fn reached(&self, state: RareState) {
        let mut notes = self.notes();
        *notes.coverage.states.entry(state).or_default() += 1;
    }

    /// Counts a call. Returns false when there are too many.
    pub(super) fn count_call(&self) -> bool {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if calls == MOST_CALLS {
            let how = format!("there were {calls} calls of ports, and no end");
            self.breaks(Promise::ThingsGoOn, || how);
        }
        calls < MOST_CALLS
    }

    /// Notes that a promise is broken; the first one is what is told.
    pub(super) fn breaks(&self, promise: Promise, how: impl FnOnce() -> String) {
        let how = how();
        self.note(promise as u64, || format!("BROKEN: {promise}: {how}"));
        self.notes().broken.get_or_insert(Broken { promise, how });
    }

    pub(super) fn is_broken(&self) -> bool {
        self.notes().broken.is_some()
    }

    /// Remembers that a ticket was current.
    pub(super) fn saw_ticket(&self, ticket: Ticket) {
        let mut notes = self.notes();
        if notes.tickets.last() != Some(&ticket) {
            notes.tickets.push(ticket);
        }
    }

    /// The first ticket that was ever current.
    pub(super) fn old_ticket(&self) -> Option<Ticket> {
        self.notes().tickets.first().copied()
    }

    /// Has the next call of an operation fail.
    pub(super) fn fail_next(&self, operation: Operation, fault: Fault) {
        let mut trouble = self.trouble();
        trouble.next.entry(operation).or_default().push_back(fault);
    }

    pub(super) fn begin(&self, weather: Weather) {
        let until = self.clock.elapsed() + weather.lasts;
        self.trouble().weather.push((until, weather));
    }

    /// Ends all trouble.
    pub(super) fn calm(&self) {
        *self.trouble() = Trouble::default();
        self.without_position.store(0, Ordering::Relaxed);
    }

    /// What becomes of a call; `dice` is a number below a hundred.
    pub(super) fn fault_of(&self, operation: Operation, dice: u64) -> Fault {
        let fault = self.decide(operation, dice);
        if fault != Fault::None {
            let mut notes = self.notes();
            let faults = &mut notes.coverage.faults;
            *faults.entry((operation, fault.name())).or_default() += 1;
        }
        fault
    }

    fn decide(&self, operation: Operation, dice: u64) -> Fault {
        let mut trouble = self.trouble();
        let next = trouble.next.get_mut(&operation);
        if let Some(fault) = next.and_then(VecDeque::pop_front) {
            return fault;
        }
        let now = self.clock.elapsed();
        trouble.weather.retain(|(until, _)| now < *until);
        let hits = |(_, weather): &&(Duration, Weather)| {
            weather.port == Port::of(operation)
                && dice < weather.percent
                && is_possible(operation, weather.fault)
        };
        let weather = trouble.weather.iter().find(hits);
        weather.map_or(Fault::None, |(_, weather)| weather.fault)
    }

    /// What came of the history.
    pub(super) fn outcome(&self) -> Ran {
        let mut notes = self.notes();
        let mut coverage = std::mem::take(&mut notes.coverage);
        coverage.calls = self.calls.load(Ordering::Relaxed);
        coverage.ballots = self.ledger().len();
        Ran {
            hash: notes.hash,
            coverage,
            broken: notes.broken.take(),
            lines: notes.lines.take().unwrap_or_default(),
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of a history.
pub(super) struct Ran {
    /// Of everything that happened: two runs of one history have the same.
    pub(super) hash: u64,
    pub(super) coverage: Coverage,
    pub(super) broken: Option<Broken>,
    /// Empty unless it was traced.
    pub(super) lines: Vec<String>,
}
