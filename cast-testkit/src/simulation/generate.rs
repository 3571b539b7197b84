//! Makes a history of a seed.

use std::time::Duration;

use super::{
    coverage::{FAULTS, OPERATIONS, is_possible},
    history::{Choice, Event, History, Port, Process, Role, Setup, Vote, Weather, What},
    life::{Then, Trap},
};
use crate::{
    entropy::SeededEntropy,
    faults::{Fault, Moment, Operation},
    seed::Seed,
};

/// How long things happen; afterwards all is calm, and the promises are checked.
const HORIZON_MS: u64 = 7_000;

/// How many candidates there are.
pub(super) const CANDIDATES: usize = 4;

/// The points at which a process dies or freezes, and whose they are.
const POINTS: &[(Role, Operation)] = &[
    (Role::Api, Operation::Redeem),
    (Role::Api, Operation::Publish),
    (Role::Api, Operation::Record),
    (Role::Consumer, Operation::Apply),
    (Role::Consumer, Operation::Reconcile),
    (Role::Consumer, Operation::Commit),
    (Role::Consumer, Operation::Next),
    (Role::Generator, Operation::PublishTicket),
];

struct Dice(SeededEntropy);

impl Dice {
    fn ms(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.number(from, to))
    }

    fn number(&self, from: u64, to: u64) -> u64 {
        from + self.0.below(to - from + 1)
    }

    fn some<T: Copy>(&self, of: &[T]) -> T {
        of[self.0.index(of.len())]
    }

    fn percent(&self, of_a_hundred: u64) -> bool {
        self.0.below(100) < of_a_hundred
    }

    /// An index that is below `end`, or 0.
    fn index(&self, end: usize) -> usize {
        self.0.index(end.max(1))
    }
}

/// The history of a seed.
pub(super) fn generate(seed: Seed) -> History {
    let dice = Dice(seed.part(0).entropy());
    let setup = setup(&dice);
    let mut events = Vec::new();
    votes(&dice, &setup, &mut events);
    let voters = u32::try_from(events.len()).expect("a small number");
    looks(&dice, &setup, voters, &mut events);
    for _ in 0..dice.number(0, 6) {
        failures(&dice, &mut events);
    }
    for _ in 0..dice.number(0, 3) {
        let weather = weather(&dice);
        events.push(at(dice.number(0, HORIZON_MS), What::Weather(weather)));
    }
    for _ in 0..dice.number(0, 5) {
        let what = mishap_of_a_process(&dice, &setup);
        events.push(at(dice.number(0, HORIZON_MS), what));
    }
    losses(&dice, &setup, &mut events);
    events.sort_by_key(|event| event.at);
    History {
        seed,
        setup,
        events,
    }
}

fn at(ms: u64, what: What) -> Event {
    let at = Duration::from_millis(ms);
    Event { at, what }
}

fn setup(dice: &Dice) -> Setup {
    let skew = || {
        if dice.percent(70) {
            return 0;
        }
        i64::try_from(dice.number(0, 4_000)).expect("a few seconds") - 2_000
    };
    let process = |role| Process {
        role,
        skew_ms: skew(),
    };
    let mut processes = Vec::new();
    if dice.percent(20) {
        processes.extend((0..dice.number(1, 2)).map(|_| process(Role::All)));
    } else {
        processes.extend((0..dice.number(1, 3)).map(|_| process(Role::Api)));
        processes.extend((0..dice.number(1, 3)).map(|_| process(Role::Consumer)));
        processes.extend((0..dice.number(1, 2)).map(|_| process(Role::Generator)));
    }
    Setup {
        partitions: dice.some(&[1, 1, 2, 3]),
        processes,
        jitter_us: dice.some(&[0, 50, 1_000, 10_000, 60_000]),
        ticket_ttl_ms: dice.some(&[2_000, 2_000, 3_000]),
        ticket_uses: dice.some(&[2, 5, 12, 100]),
        intake_capacity: dice.some(&[2, 4, 64, 4_096]),
        flush_limit: dice.some(&[1, 3, 512, 512]),
        flushes_in_flight: dice.some(&[1, 2, 4]),
        fold_limit: dice.some(&[1, 4, 2_000]),
        refresh_after_ms: dice.some(&[200, 1_000, 5_000]),
    }
}

fn votes(dice: &Dice, setup: &Setup, events: &mut Vec<Event>) {
    let voters = dice.number(1, 28);
    let (mut when, mut door) = (0, 0);
    for voter in 0..voters {
        // Many come in bursts.
        if !dice.percent(55) {
            when = dice.number(0, HORIZON_MS);
            door = dice.index(setup.doors());
        }
        let picks = (0..dice.some(&[1, 1, 2, 3]))
            .map(|_| (dice.index(CANDIDATES), dice.some(&[1, 1, 2, 5])))
            .collect();
        let own_id = dice.percent(65);
        let vote = Vote {
            voter: u32::try_from(voter).expect("a small number"),
            door,
            roams: dice.percent(60),
            own_id,
            picks,
            ticket: match dice.below_hundred() {
                0..=2 => Choice::Forged,
                3..=9 => Choice::Old,
                _ => Choice::Current,
            },
            patience: match dice.below_hundred() {
                0..=9 => Duration::ZERO,
                10..=29 => dice.ms(1, 1_500),
                _ => Duration::from_secs(60),
            },
            retries: u32::try_from(dice.number(0, 4)).expect("a small number"),
            pause: dice.ms(0, dice.some(&[20, 500, 2_500])),
            alters: own_id && dice.percent(10),
            again: dice.percent(15),
        };
        events.push(at(when, What::Vote(vote)));
    }
}

impl Dice {
    fn below_hundred(&self) -> u64 {
        self.0.below(100)
    }
}

fn looks(dice: &Dice, setup: &Setup, voters: u32, events: &mut Vec<Event>) {
    for _ in 0..dice.number(0, 6) {
        let what = What::Look {
            door: dice.index(setup.doors()),
            leaders: dice.percent(30),
        };
        events.push(at(dice.number(0, HORIZON_MS), what));
    }
    for _ in 0..dice.number(0, 2) {
        let what = What::LookUp {
            door: dice.index(setup.doors()),
            voter: u32::try_from(dice.number(0, u64::from(voters))).expect("a voter"),
        };
        events.push(at(dice.number(0, HORIZON_MS), what));
    }
}

/// One failure, or a few of the same operation at the same moment.
fn failures(dice: &Dice, events: &mut Vec<Event>) {
    let when = dice.number(0, HORIZON_MS);
    let operation = dice.some(OPERATIONS);
    for _ in 0..dice.some(&[1, 1, 1, 2, 4]) {
        let fault = loop {
            let fault = dice.some(FAULTS);
            if is_possible(operation, fault) {
                break fault;
            }
        };
        let fault = delayed_by_dice(dice, fault);
        events.push(at(when, What::Fail { operation, fault }));
    }
}

fn delayed_by_dice(dice: &Dice, fault: Fault) -> Fault {
    match fault {
        Fault::Delayed(_) => Fault::Delayed(dice.ms(1, dice.some(&[30, 700, 4_000]))),
        fault => fault,
    }
}

fn weather(dice: &Dice) -> Weather {
    Weather {
        port: dice.some(&Port::ALL),
        fault: delayed_by_dice(dice, dice.some(FAULTS)),
        percent: dice.some(&[30, 100]),
        lasts: dice.ms(50, 2_500),
    }
}

fn mishap_of_a_process(dice: &Dice, setup: &Setup) -> What {
    let process = dice.index(setup.processes.len());
    let restart_after = dice.ms(0, dice.some(&[100, 3_000]));
    let lasts = dice.ms(10, dice.some(&[300, 4_000]));
    match dice.below_hundred() {
        0..=11 => What::Crash {
            process,
            restart_after,
        },
        12..=19 => What::Freeze { process, lasts },
        20..=26 => What::Drain { process },
        27..=64 => trap(dice, setup, Then::Die { restart_after }),
        _ => trap(dice, setup, Then::Freeze { lasts }),
    }
}

/// A trap for a process that comes by the point where it is set.
fn trap(dice: &Dice, setup: &Setup, then: Then) -> What {
    let (role, operation) = dice.some(POINTS);
    let processes = setup.processes.iter().enumerate();
    let fitting = processes.filter(|(_, p)| p.role == role || p.role == Role::All);
    let fitting: Vec<_> = fitting.map(|(process, _)| process).collect();
    let moment = dice.some(&[Moment::Before, Moment::After]);
    What::Trap {
        process: fitting[dice.index(fitting.len())],
        trap: Trap {
            operation,
            moment,
            then,
        },
    }
}

/// What the servers lose.
fn losses(dice: &Dice, setup: &Setup, events: &mut Vec<Event>) {
    for _ in 0..dice.some(&[0, 0, 1, 2]) {
        let what = match dice.below_hundred() {
            0..=39 => What::ForgetCounter,
            40..=79 => What::ForgetCandidate(dice.index(CANDIDATES)),
            80..=89 => What::ForgetTickets { ids: false },
            _ => What::ForgetTickets { ids: true },
        };
        events.push(at(dice.number(0, HORIZON_MS), what));
    }
    if dice.percent(35) {
        let backed_up = dice.number(0, HORIZON_MS - 1);
        events.push(at(backed_up, What::BackUp));
        for _ in 0..dice.number(1, 2) {
            let what = What::PutBack {
                which: dice.index(2),
            };
            events.push(at(dice.number(backed_up + 1, HORIZON_MS), what));
        }
    }
    if dice.percent(8) {
        let partition = u32::try_from(dice.number(0, u64::from(setup.partitions) - 1));
        let partition = partition.expect("a partition");
        events.push(at(
            dice.number(0, HORIZON_MS),
            What::Unreadable { partition },
        ));
    }
    if dice.percent(12) {
        events.push(at(dice.number(0, HORIZON_MS), What::NoPosition));
    }
}
