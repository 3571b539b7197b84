//! Generates a history from a seed.

use std::time::Duration;

use cast_core::ports::Operation;

use super::{
    coverage::{FAULTS, OPERATIONS, is_possible},
    history::{Choice, Event, FaultPeriod, History, Process, Role, Setup, Vote, What},
    process_state::{FaultPoint, ProcessFault},
};
use crate::{
    entropy::SeededEntropy,
    faults::{Fault, Moment},
    seed::Seed,
};

/// How long events happen; then all faults end, and the promises are checked.
const HORIZON_MS: u64 = 7_000;

/// How many candidates there are.
pub(super) const CANDIDATES: usize = 4;

/// The operations at which a process crashes or freezes, and the role that calls them.
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

/// An operation of each port.
const ONE_OF_EACH_PORT: &[Operation] = &[
    Operation::Redeem,
    Operation::Publish,
    Operation::Record,
    Operation::Apply,
];

struct Random(SeededEntropy);

impl Random {
    fn ms(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.number(from, to))
    }

    fn number(&self, from: u64, to: u64) -> u64 {
        from + self.0.below(to - from + 1)
    }

    fn some<T: Copy>(&self, of: &[T]) -> T {
        of[self.0.index(of.len())]
    }

    fn below_hundred(&self) -> u64 {
        self.0.below(100)
    }

    fn percent(&self, of_a_hundred: u64) -> bool {
        self.below_hundred() < of_a_hundred
    }

    /// An index that is below `end`, or 0.
    fn index(&self, end: usize) -> usize {
        self.0.index(end.max(1))
    }
}

/// The history of a seed.
pub(super) fn generate(seed: Seed) -> History {
    let random = Random(seed.part(0).entropy());
    let setup = setup(&random);
    let mut events = Vec::new();
    votes(&random, &setup, &mut events);
    let voters = u32::try_from(events.len()).expect("a small number");
    samples(&random, &setup, voters, &mut events);
    for _ in 0..random.number(0, 6) {
        failures(&random, &mut events);
    }
    for _ in 0..random.number(0, 3) {
        let period = period(&random);
        events.push(at(random.number(0, HORIZON_MS), What::FaultPeriod(period)));
    }
    for _ in 0..random.number(0, 5) {
        let what = process_fault(&random, &setup);
        events.push(at(random.number(0, HORIZON_MS), what));
    }
    losses(&random, &setup, &mut events);
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

fn setup(random: &Random) -> Setup {
    let skew = || {
        if random.percent(70) {
            return 0;
        }
        i64::try_from(random.number(0, 4_000)).expect("a few seconds") - 2_000
    };
    let process = |role| Process {
        role,
        skew_ms: skew(),
    };
    let mut processes = Vec::new();
    if random.percent(20) {
        processes.extend((0..random.number(1, 2)).map(|_| process(Role::All)));
    } else {
        processes.extend((0..random.number(1, 3)).map(|_| process(Role::Api)));
        processes.extend((0..random.number(1, 3)).map(|_| process(Role::Consumer)));
        processes.extend((0..random.number(1, 2)).map(|_| process(Role::Generator)));
    }
    Setup {
        partitions: random.some(&[1, 1, 2, 3]),
        processes,
        jitter_us: random.some(&[0, 50, 1_000, 10_000, 60_000]),
        ticket_ttl_ms: random.some(&[2_000, 2_000, 3_000]),
        ticket_uses: random.some(&[2, 5, 12, 100]),
        intake_capacity: random.some(&[2, 4, 64, 4_096]),
        flush_limit: random.some(&[1, 3, 512, 512]),
        flushes_in_flight: random.some(&[1, 2, 4]),
        fold_limit: random.some(&[1, 4, 2_000]),
        refresh_after_ms: random.some(&[200, 1_000, 5_000]),
    }
}

fn votes(random: &Random, setup: &Setup, events: &mut Vec<Event>) {
    let voters = random.number(1, 28);
    let (mut when, mut api) = (0, 0);
    for voter in 0..voters {
        // Many votes come in bursts.
        if !random.percent(55) {
            when = random.number(0, HORIZON_MS);
            api = random.index(setup.apis());
        }
        let picks = (0..random.some(&[1, 1, 2, 3]))
            .map(|_| (random.index(CANDIDATES), random.some(&[1, 1, 2, 5])))
            .collect();
        let own_id = random.percent(65);
        let vote = Vote {
            voter: u32::try_from(voter).expect("a small number"),
            api,
            roams: random.percent(60),
            own_id,
            picks,
            ticket: match random.below_hundred() {
                0..=2 => Choice::Forged,
                3..=9 => Choice::Old,
                _ => Choice::Current,
            },
            patience: match random.below_hundred() {
                0..=9 => Duration::ZERO,
                10..=29 => random.ms(1, 1_500),
                _ => Duration::from_secs(60),
            },
            retries: u32::try_from(random.number(0, 4)).expect("a small number"),
            pause: random.ms(0, random.some(&[20, 500, 2_500])),
            alters: own_id && random.percent(10),
            again: random.percent(15),
        };
        events.push(at(when, What::Vote(vote)));
    }
}

fn samples(random: &Random, setup: &Setup, voters: u32, events: &mut Vec<Event>) {
    for _ in 0..random.number(0, 6) {
        let what = What::SampleTallies {
            api: random.index(setup.apis()),
            leaders: random.percent(30),
        };
        events.push(at(random.number(0, HORIZON_MS), what));
    }
    for _ in 0..random.number(0, 2) {
        let what = What::SampleBallot {
            api: random.index(setup.apis()),
            voter: u32::try_from(random.number(0, u64::from(voters))).expect("a voter"),
        };
        events.push(at(random.number(0, HORIZON_MS), what));
    }
}

/// One failure, or a few of the same operation at the same moment.
fn failures(random: &Random, events: &mut Vec<Event>) {
    let when = random.number(0, HORIZON_MS);
    let operation = random.some(OPERATIONS);
    for _ in 0..random.some(&[1, 1, 1, 2, 4]) {
        let fault = loop {
            let fault = random.some(FAULTS);
            if is_possible(operation, fault) {
                break fault;
            }
        };
        let fault = with_random_delay(random, fault);
        events.push(at(when, What::Fail { operation, fault }));
    }
}

fn with_random_delay(random: &Random, fault: Fault) -> Fault {
    match fault {
        Fault::Delayed(_) => Fault::Delayed(random.ms(1, random.some(&[30, 700, 4_000]))),
        fault => fault,
    }
}

fn period(random: &Random) -> FaultPeriod {
    FaultPeriod {
        port: random.some(ONE_OF_EACH_PORT).port(),
        fault: with_random_delay(random, random.some(FAULTS)),
        percent: random.some(&[30, 100]),
        lasts: random.ms(50, 2_500),
    }
}

fn process_fault(random: &Random, setup: &Setup) -> What {
    let process = random.index(setup.processes.len());
    let restart_after = random.ms(0, random.some(&[100, 3_000]));
    let lasts = random.ms(10, random.some(&[300, 4_000]));
    match random.below_hundred() {
        0..=11 => What::Crash {
            process,
            restart_after,
        },
        12..=19 => What::Freeze { process, lasts },
        20..=26 => What::Restart { process },
        27..=64 => fault_point(random, setup, ProcessFault::Crash { restart_after }),
        _ => fault_point(random, setup, ProcessFault::Freeze { lasts }),
    }
}

/// A fault point of a process that calls the operation.
fn fault_point(random: &Random, setup: &Setup, fault: ProcessFault) -> What {
    let (role, operation) = random.some(POINTS);
    let processes = setup.processes.iter().enumerate();
    let fitting = processes.filter(|(_, p)| p.role == role || p.role == Role::All);
    let fitting: Vec<_> = fitting.map(|(process, _)| process).collect();
    let moment = random.some(&[Moment::Before, Moment::After]);
    What::FaultAt {
        process: fitting[random.index(fitting.len())],
        point: FaultPoint {
            operation,
            moment,
            fault,
        },
    }
}

/// Losses of the servers, backups, and undecodable records.
fn losses(random: &Random, setup: &Setup, events: &mut Vec<Event>) {
    for _ in 0..random.some(&[0, 0, 1, 2]) {
        let what = match random.below_hundred() {
            0..=39 => What::LoseCounter,
            40..=79 => What::LoseCandidate(random.index(CANDIDATES)),
            80..=89 => What::LoseTickets { ids: false },
            _ => What::LoseTickets { ids: true },
        };
        events.push(at(random.number(0, HORIZON_MS), what));
    }
    if random.percent(35) {
        let backed_up = random.number(0, HORIZON_MS - 1);
        events.push(at(backed_up, What::BackUp));
        for _ in 0..random.number(1, 2) {
            let what = What::Restore {
                which: random.index(2),
            };
            events.push(at(random.number(backed_up + 1, HORIZON_MS), what));
        }
    }
    if random.percent(8) {
        let partition = u32::try_from(random.number(0, u64::from(setup.partitions) - 1));
        let partition = partition.expect("a partition");
        events.push(at(
            random.number(0, HORIZON_MS),
            What::Unreadable { partition },
        ));
    }
    if random.percent(12) {
        events.push(at(random.number(0, HORIZON_MS), What::NoPosition));
    }
}
