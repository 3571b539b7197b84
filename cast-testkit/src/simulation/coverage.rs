//! How often each fault and each rare state was reached.

use std::{collections::BTreeMap, fmt};

use crate::faults::{Fault, Operation};

macro_rules! states {
    ($($variant:ident => $name:literal,)*) => {
        /// A state that few histories reach, and that something in CAST is there for.
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
    ToldAccepted => "voter: told that it is accepted",
    ToldRepeated => "voter: told that it was taken before",
    ToldInvalid => "voter: told that the ticket is invalid",
    ToldExpired => "voter: told that the ticket is expired",
    ToldExhausted => "voter: told that the ticket is exhausted",
    ToldAltered => "voter: told that the id was used with other contents",
    ToldUnknown => "voter: told that the outcome is unknown",
    ToldUnavailable => "voter: told that it did not count",
    ToldOverloaded => "voter: told that the door is overloaded",
    ToldNoTicket => "voter: told that there is no ticket",
    ToldStale => "voter: shown tallies that may lag behind",
    HungUp => "voter: hung up",
    HungUpAndLogged => "voter: hung up, and the ballot is in the log",
    HungUpAndWithdrawn => "voter: hung up, and the ballot is not in the log",
    ConnectionLost => "voter: lost the connection with the door",
    SentElsewhere => "voter: sent the same ballot to another door",
    SentAgainAnyway => "voter: sent an accepted ballot again",
    SentAltered => "voter: sent other contents under the same id",
    ManyInAFlush => "door: several ballots in a flush",
    SeveralRecords => "door: several records in a flush",
    NoPosition => "door: acknowledged without a position",
    ClockAhead => "door: a wall clock that is ahead",
    ClockBehind => "door: a wall clock that is behind",
    TicketUnknown => "tickets: redeemed one that is not there",
    TicketExpired => "tickets: redeemed one that is expired",
    TicketExhausted => "tickets: redeemed one that is used up",
    TicketAdopted => "tickets: a generator adopted another's",
    LoggedTwice => "log: has a ballot twice",
    GrantedTwice => "tickets: granted a ballot twice, its id forgotten",
    FencedBehind => "store: fenced a step that was applied",
    FencedInside => "store: fenced a step that was applied in part",
    FencedAhead => "store: fenced a step that is too early",
    Deduplicated => "store: counted a ballot of a step before",
    RecordAgain => "counter: recorded a position again",
    RecordLate => "counter: recorded what was reconciled",
    ReconcileLate => "counter: reconciled what was reconciled further",
    ReadMiss => "counter: read a candidate that it had forgotten",
    ReadOld => "counter: read a tally that is to be healed",
    ShownTwice => "counter: shows a ballot twice, overtaken by its retry, until it reconciles",
    LookedUpLogged => "door: told that a ballot is logged",
    LookedUpCounted => "door: told that a ballot is counted",
    Evicted => "consumer: lost its partitions while it was frozen",
    ReadUnreadable => "consumer: read a record that is none",
    ZombieApplied => "consumer: applied as a zombie",
    ZombieReconciled => "consumer: reconciled as a zombie",
    DiedAnywhere => "crash: of a process, anywhere",
    DoorDiedBeforeRedeem => "crash: of a door before it redeemed",
    DoorDiedAfterRedeem => "crash: of a door between redeem and publish",
    DoorDiedAfterPublish => "crash: of a door between publish and record",
    DoorDiedAfterRecord => "crash: of a door between record and reply",
    ConsumerDiedBeforeApply => "crash: of a consumer before it applied",
    ConsumerDiedAfterApply => "crash: of a consumer between apply and reconcile",
    ConsumerDiedAfterReconcile => "crash: of a consumer between reconcile and commit",
    ConsumerDiedAfterCommit => "crash: of a consumer after it committed",
    GeneratorDied => "crash: of a generator while it published",
    Froze => "process: stood still and went on",
    Drained => "process: drained and restarted",
    CounterForgot => "counter: forgot everything",
    CandidateForgotten => "counter: forgot a candidate",
    TicketsForgotten => "tickets: forgot the tickets",
    IdsForgotten => "tickets: forgot tickets and ids",
    BackedUp => "store: was backed up",
    PutBack => "store: was put back to a backup",
    SlowLog => "log: is slow",
}

/// How often each fault and each rare state was reached, and how much was run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub(super) faults: BTreeMap<(Operation, &'static str), u64>,
    pub(super) states: BTreeMap<RareState, u64>,
    pub(super) ballots: u64,
    pub(super) calls: u64,
}

/// The faults that a history injects, each of which must fire.
pub(super) const FAULTS: &[Fault] = &[
    Fault::DoneButUntold,
    Fault::DoneInSilence,
    Fault::Refused,
    Fault::Lost,
    Fault::LostInSilence,
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

/// Whether an operation can fail so: whoever waits for the next batch has no deadline, so silence
/// would last for ever; and a subscription is one reader's, so nothing happens twice or late.
pub(super) fn is_possible(operation: Operation, fault: Fault) -> bool {
    let is_of_a_subscription = matches!(
        operation,
        Operation::Next | Operation::Seek | Operation::Commit
    );
    match fault {
        Fault::DoneInSilence | Fault::LostInSilence => operation != Operation::Next,
        Fault::Twice | Fault::HeldBack => !is_of_a_subscription,
        _ => true,
    }
}

impl Coverage {
    /// How many ballots voters sent; a retry is the same ballot.
    pub const fn ballots(&self) -> u64 {
        self.ballots
    }

    /// How many calls of ports there were.
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// How many faults there were.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// How often a rare state was reached.
    pub fn reached(&self, state: RareState) -> u64 {
        self.states.get(&state).copied().unwrap_or(0)
    }

    /// How often a fault of this [name](Fault::name) fired at an operation.
    pub fn fired(&self, operation: Operation, fault: &'static str) -> u64 {
        self.faults.get(&(operation, fault)).copied().unwrap_or(0)
    }

    /// The faults and rare states that were never reached, by name.
    pub fn missing(&self) -> Vec<String> {
        let faults = OPERATIONS.iter().flat_map(|operation| {
            let possible = FAULTS
                .iter()
                .filter(|fault| is_possible(*operation, **fault));
            let never = possible.filter(|fault| self.fired(*operation, fault.name()) == 0);
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

/// A table of what was reached.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16}", "faults fired")?;
        for fault in FAULTS {
            write!(f, " {:>16}", fault.name())?;
        }
        writeln!(f)?;
        for operation in OPERATIONS {
            write!(f, "{operation:<16}")?;
            for fault in FAULTS {
                let cell = if is_possible(*operation, *fault) {
                    self.fired(*operation, fault.name()).to_string()
                } else {
                    "-".into()
                };
                write!(f, " {cell:>16}")?;
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
