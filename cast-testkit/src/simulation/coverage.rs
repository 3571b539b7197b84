//! How often each fault and each rare state was reached.

use std::{collections::BTreeMap, fmt};

use cast_core::ports::Operation;

use crate::faults::Fault;

macro_rules! states {
    ($($variant:ident => $name:literal,)*) => {
        /// A state that few histories reach, and that some code in CAST handles.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each has its name beside it")]
        pub enum RareState {
            $($variant,)*
        }

        impl RareState {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

states! {
    Accepted => "voter: accepted",
    Duplicate => "voter: accepted as a duplicate",
    TicketInvalid => "voter: refused, ticket invalid",
    VoterTicketExpired => "voter: refused, ticket expired",
    VoterTicketExhausted => "voter: refused, ticket exhausted",
    AlteredRefused => "voter: refused, id used with other contents",
    OutcomeUnknown => "voter: error, outcome unknown",
    Unavailable => "voter: error, unavailable",
    Overloaded => "voter: error, overloaded",
    NoTicket => "voter: error, no ticket",
    StaleTallies => "voter: accepted with stale tallies",
    HungUp => "voter: hung up",
    HungUpAndLogged => "voter: hung up, and the ballot is in the log",
    HungUpAndWithdrawn => "voter: hung up, and the ballot is not in the log",
    ConnectionLost => "voter: lost the connection",
    SentElsewhere => "voter: sent the same ballot to another process",
    SentAgainAnyway => "voter: sent an accepted ballot again",
    SentAltered => "voter: sent other contents under the same id",
    ManyInAFlush => "API process: several ballots in a flush",
    SeveralRecords => "API process: several records in a flush",
    NoPosition => "API process: acknowledged without a position",
    ClockAhead => "API process: a wall clock that is ahead",
    ClockBehind => "API process: a wall clock that is behind",
    TicketUnknown => "tickets: redeemed an unknown one",
    TicketExpired => "tickets: redeemed an expired one",
    TicketExhausted => "tickets: redeemed an exhausted one",
    TicketAdopted => "tickets: a generator adopted another's",
    LoggedTwice => "log: has a ballot twice",
    GrantedTwice => "tickets: granted a ballot twice, its id lost",
    FencedBehind => "store: fenced a step that was applied",
    FencedInside => "store: fenced a step that was applied in part",
    FencedAhead => "store: fenced a step that is too early",
    Deduplicated => "store: counted a ballot of a step before",
    RecordAgain => "counter: recorded a position again",
    RecordLate => "counter: recorded votes that were reconciled",
    ReconcileLate => "counter: reconciled with an older total",
    ReadMiss => "counter: read a candidate that it had lost",
    ReadOld => "counter: read a tally that is to be refreshed",
    ShownTwice => "counter: shows a ballot twice, overtaken by its retry, until it reconciles",
    LookedUpLogged => "API process: fate of a ballot: logged",
    LookedUpCounted => "API process: fate of a ballot: counted",
    Evicted => "consumer: evicted while it was frozen",
    ReadUnreadable => "consumer: read an undecodable record",
    ZombieApplied => "consumer: applied as a zombie",
    ZombieReconciled => "consumer: reconciled as a zombie",
    DiedAnywhere => "crash: of a process, anywhere",
    ApiDiedBeforeRedeem => "crash: of an API process before redeem",
    ApiDiedAfterRedeem => "crash: of an API process after redeem",
    ApiDiedAfterPublish => "crash: of an API process after publish",
    ApiDiedAfterRecord => "crash: of an API process after record",
    ConsumerDiedBeforeApply => "crash: of a consumer before apply",
    ConsumerDiedAfterApply => "crash: of a consumer after apply",
    ConsumerDiedAfterReconcile => "crash: of a consumer after reconcile",
    ConsumerDiedAfterCommit => "crash: of a consumer after commit",
    GeneratorDied => "crash: of a generator at publish",
    Froze => "process: frozen and resumed",
    Drained => "process: shut down and restarted",
    CounterLost => "counter: lost all data",
    CandidateLost => "counter: lost a candidate",
    TicketsLost => "tickets: lost the tickets",
    IdsLost => "tickets: lost tickets and ids",
    BackedUp => "store: was backed up",
    Restored => "store: restored from a backup",
    SlowLog => "log: is slow",
}

/// How often each fault and each rare state was reached, and how much was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub(super) faults: BTreeMap<(Operation, &'static str), u64>,
    pub(super) states: BTreeMap<RareState, u64>,
    /// How many ballots voters sent; a retry is the same ballot.
    pub ballots: u64,
    /// How many calls of ports there were.
    pub calls: u64,
}

/// The faults that histories inject, each of which must occur.
pub(super) const FAULTS: &[Fault] = &[
    Fault::DoneOutcomeUnknown,
    Fault::DoneNoReply,
    Fault::Refused,
    Fault::Lost,
    Fault::LostNoReply,
    Fault::Delayed(std::time::Duration::from_millis(400)),
    Fault::Twice,
    Fault::HeldBack,
];

/// The operations that fail in a history: those of the paths of ballots, tallies and tickets.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation::Now,
    Operation::PublishTicket,
    Operation::CurrentTicket,
    Operation::Redeem,
    Operation::Partitions,
    Operation::Publish,
    Operation::Subscribe,
    Operation::Next,
    Operation::Seek,
    Operation::Commit,
    Operation::Record,
    Operation::Reconcile,
    Operation::Read,
    Operation::Progress,
    Operation::Apply,
    Operation::Tallies,
    Operation::Leaders,
    Operation::Ballot,
];

/// Whether an operation can fail so: the wait for the next batch has no deadline, so it must get a reply;
/// and the calls of a subscription cannot happen twice or overtake each other.
pub(super) fn is_possible(operation: Operation, fault: Fault) -> bool {
    let is_of_a_subscription = matches!(
        operation,
        Operation::Next | Operation::Seek | Operation::Commit
    );
    match fault {
        Fault::DoneNoReply | Fault::LostNoReply => operation != Operation::Next,
        Fault::Twice | Fault::HeldBack => !is_of_a_subscription,
        _ => true,
    }
}

impl Coverage {
    /// How many faults there were.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// How often a rare state was reached.
    pub fn reached(&self, state: RareState) -> u64 {
        self.states.get(&state).copied().unwrap_or(0)
    }

    /// How often a fault of this [name](Fault::name) was injected into an operation.
    pub fn injected(&self, operation: Operation, fault: &'static str) -> u64 {
        self.faults.get(&(operation, fault)).copied().unwrap_or(0)
    }

    /// The faults and rare states that were never reached, by name.
    pub fn missing(&self) -> Vec<String> {
        let faults = OPERATIONS.iter().flat_map(|operation| {
            let possible = FAULTS
                .iter()
                .filter(|fault| is_possible(*operation, **fault));
            let never = possible.filter(|fault| self.injected(*operation, fault.name()) == 0);
            never.map(move |fault| format!("fault: {} at {operation}", fault.name()))
        });
        let states = RareState::ALL.iter();
        let never = states.filter(|state| self.reached(**state) == 0);
        faults
            .chain(never.map(|state| state.name().to_owned()))
            .collect()
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (key, count) in &other.faults {
            *self.faults.entry(*key).or_default() += count;
        }
        for (key, count) in &other.states {
            *self.states.entry(*key).or_default() += count;
        }
        self.ballots += other.ballots;
        self.calls += other.calls;
    }
}

/// A table of the faults and states reached.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<18}", "faults injected")?;
        for fault in FAULTS {
            write!(f, " {:>22}", fault.name())?;
        }
        writeln!(f)?;
        for operation in OPERATIONS {
            write!(f, "{operation:<18}")?;
            for fault in FAULTS {
                let cell = if is_possible(*operation, *fault) {
                    self.injected(*operation, fault.name()).to_string()
                } else {
                    "-".into()
                };
                write!(f, " {cell:>22}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "\nrare states reached")?;
        for state in RareState::ALL {
            writeln!(f, "{:<56} {:>12}", state.name(), self.reached(*state))?;
        }
        Ok(())
    }
}
