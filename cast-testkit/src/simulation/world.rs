//! What all parts of one history share.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cast_core::{
    domain::{Candidate, Clock as _, Ticket},
    ports::Operation,
};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::{
    coverage::{Coverage, RareState, is_possible},
    generate::CANDIDATES,
    history::{FaultPeriod, Setup},
    instance::ProcessInstance,
    ledger::Ledger,
    truth::Truth,
};
use crate::{clock::ManualClock, entropy::mix, faults::Fault, seed::Seed};

/// The most calls of one history: one with more does not end.
const MOST_CALLS: u64 = 100_000;

/// A promise, or another property that must hold.
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
    /// An applied total is the fold of the log's prefix, and a tally shown is neither above the log nor
    /// below what was acknowledged.
    TalliesAreTrue,
    /// Once the log is folded, the tallies shown are those stored.
    TalliesRefresh,
    /// Every request gets a reply, every logged ballot is folded, and votes are accepted again.
    Liveness,
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
            Self::TalliesAreTrue => "the tallies shown are true",
            Self::TalliesRefresh => "the tallies shown are refreshed",
            Self::Liveness => "liveness",
            Self::AuditIsClean => "an audit finds nothing",
        })
    }
}

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) promise: Promise,
    pub(super) how: String,
}

pub(super) struct World {
    pub(super) seed: Seed,
    pub(super) setup: Setup,
    /// It stands still while any task is ready; the runtime moves it to the next deadline when none is.
    pub(super) clock: Arc<ManualClock>,
    pub(super) candidates: Vec<Candidate>,
    /// Wakes the driver when all tasks wait for ever.
    pub(super) stuck: Notify,
    /// How many calls are held back.
    pub(super) held: AtomicUsize,
    /// How many records are to be acknowledged without their position.
    pub(super) without_position: AtomicUsize,
    calls: AtomicU64,
    truth: Mutex<Truth>,
    ledger: Mutex<Ledger>,
    notes: Mutex<Notes>,
    pending_faults: Mutex<PendingFaults>,
}

#[derive(Default)]
struct Notes {
    hash: u64,
    /// One line each, if the history is traced.
    lines: Option<Vec<String>>,
    coverage: Coverage,
    violation: Option<Violation>,
    /// Tickets that were current, oldest first.
    tickets: Vec<Ticket>,
}

/// The faults to inject.
#[derive(Default)]
struct PendingFaults {
    next: BTreeMap<Operation, VecDeque<Fault>>,
    periods: Vec<(Duration, FaultPeriod)>,
}

impl World {
    pub(super) fn new(seed: Seed, setup: Setup, is_traced: bool) -> Self {
        let names = (0..CANDIDATES).map(|number| format!("candidate {number}"));
        let candidates = names.map(|name| Candidate::new(&name).expect("a name"));
        Self {
            seed,
            setup,
            clock: Arc::new(ManualClock::new()),
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
            pending_faults: Mutex::default(),
        }
    }

    pub(super) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock()
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }

    /// Adds an event to the hash of the history, and its line to the trace.
    pub(super) fn trace(&self, what: u64, line: impl FnOnce() -> String) {
        let now = self.clock.monotonic();
        let mut notes = self.notes.lock();
        let nanos = u64::try_from(now.as_nanos()).expect("a history ends within minutes");
        notes.hash = mix(notes.hash.rotate_left(7) ^ mix(nanos ^ mix(what)));
        if let Some(lines) = &mut notes.lines {
            lines.push(format!("{:>14} {}", format!("{now:.3?}"), line()));
        }
    }

    /// Traces what a process does.
    pub(super) fn note(&self, instance: &ProcessInstance, what: &str) {
        self.trace(instance.number(), || format!("{instance} {what}"));
    }

    /// Counts that a rare state was reached.
    pub(super) fn reached(&self, state: RareState) {
        let mut notes = self.notes.lock();
        *notes.coverage.states.entry(state).or_default() += 1;
    }

    /// Counts a call. Returns false when there are too many.
    pub(super) fn count_call(&self) -> bool {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if calls == MOST_CALLS {
            let how = format!("there were {calls} calls of ports, and no end");
            self.violated(Promise::Liveness, || how);
        }
        calls < MOST_CALLS
    }

    /// Records that a promise is broken; the first one is reported.
    pub(super) fn violated(&self, promise: Promise, how: impl FnOnce() -> String) {
        let how = how();
        self.trace(promise as u64, || format!("BROKEN: {promise}: {how}"));
        self.notes
            .lock()
            .violation
            .get_or_insert(Violation { promise, how });
    }

    pub(super) fn is_violated(&self) -> bool {
        self.notes.lock().violation.is_some()
    }

    /// Records that a ticket was current.
    pub(super) fn saw_ticket(&self, ticket: Ticket) {
        let mut notes = self.notes.lock();
        if notes.tickets.last() != Some(&ticket) {
            notes.tickets.push(ticket);
        }
    }

    /// The first ticket that was ever current.
    pub(super) fn old_ticket(&self) -> Option<Ticket> {
        self.notes.lock().tickets.first().copied()
    }

    /// Injects a fault into the next call of an operation.
    pub(super) fn fail_next(&self, operation: Operation, fault: Fault) {
        let next = &mut self.pending_faults.lock().next;
        next.entry(operation).or_default().push_back(fault);
    }

    pub(super) fn begin(&self, period: FaultPeriod) {
        let until = self.clock.monotonic() + period.lasts;
        self.pending_faults.lock().periods.push((until, period));
    }

    /// Ends all faults.
    pub(super) fn end_faults(&self) {
        *self.pending_faults.lock() = PendingFaults::default();
        self.without_position.store(0, Ordering::Relaxed);
    }

    /// The fault of a call; `random` is a number below 100.
    pub(super) fn fault_of(&self, operation: Operation, random: u64) -> Fault {
        let fault = self.decide(operation, random);
        if fault != Fault::None {
            let mut notes = self.notes.lock();
            let faults = &mut notes.coverage.faults;
            *faults.entry((operation, fault.name())).or_default() += 1;
        }
        fault
    }

    fn decide(&self, operation: Operation, random: u64) -> Fault {
        let mut pending_faults = self.pending_faults.lock();
        let next = pending_faults.next.get_mut(&operation);
        if let Some(fault) = next.and_then(VecDeque::pop_front) {
            return fault;
        }
        let now = self.clock.monotonic();
        pending_faults.periods.retain(|(until, _)| now < *until);
        let hits = |(_, period): &&(Duration, FaultPeriod)| {
            period.port == operation.port()
                && random < period.percent
                && is_possible(operation, period.fault)
        };
        let period = pending_faults.periods.iter().find(hits);
        period.map_or(Fault::None, |(_, period)| period.fault)
    }

    /// The result of the history.
    pub(super) fn outcome(&self) -> Ran {
        let mut notes = self.notes.lock();
        let mut coverage = std::mem::take(&mut notes.coverage);
        coverage.calls = self.calls.load(Ordering::Relaxed);
        coverage.ballots = self.ledger().len();
        Ran {
            hash: notes.hash,
            coverage,
            violation: notes.violation.take(),
            lines: notes.lines.take().unwrap_or_default(),
        }
    }
}

/// The result of a history.
pub(super) struct Ran {
    /// A hash of everything that happened: two runs of one history have the same.
    pub(super) hash: u64,
    pub(super) coverage: Coverage,
    pub(super) violation: Option<Violation>,
    /// Empty unless it was traced.
    pub(super) lines: Vec<String>,
}
