//! Runs one history.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cast_core::domain::Partitions;
use tokio::task::JoinHandle;

use super::{
    Adapters, Deployment, Mishap, Opening,
    check::check,
    coverage::RareState,
    history::{Choice, History, Vote, What},
    look,
    process::Processes,
    voter,
    world::{Promise, Ran, World},
};

/// How long things may take to end well, once all is calm.
const LONGEST_END: Duration = Duration::from_secs(120);

/// How long a ballot may be under way to the log whose voter has gone: it waits, is redeemed, and is
/// published.
const LONGEST_FLUSH: Duration = Duration::from_secs(5);

/// How often it is looked whether they have.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The numbers of those who vote when all is over.
const LAST_VOTERS: u32 = 1_000;

/// Runs a history on a runtime of its own, whose time is virtual.
pub(super) fn run(adapters: &dyn Adapters, history: &History, is_traced: bool) -> Ran {
    let world = Arc::new(World::new(history.seed, history.setup.clone(), is_traced));
    let (idle, clock) = (Arc::clone(&world), Arc::clone(&world.clock));
    let runtime = tokio::runtime::Builder::new_current_thread()
        // Nobody can go on: so time does. Where nobody waits for time either, all is stuck.
        .on_thread_park(move || {
            if !clock.wake_next() {
                idle.stuck.notify_one();
            }
        })
        .build()
        .expect("a runtime without I/O asks the system for nothing");
    let ran = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = drive(adapters, &world, history) => {}
                () = world.stuck.notified() => {
                    world.breaks(Promise::ThingsGoOn, || "nobody can go on".into());
                }
            }
        });
    }));
    if ran.is_err() {
        world.breaks(Promise::ThingsGoOn, || "something panicked".into());
    }
    drop(runtime);
    world.outcome()
}

async fn drive(adapters: &dyn Adapters, world: &Arc<World>, history: &History) {
    let deployment = adapters.open(&Opening {
        clock: Arc::clone(&world.clock) as _,
        entropy: Arc::new(world.seed.part(5).entropy()),
        partitions: Partitions::new(world.setup.partitions).expect("at least one"),
    });
    let processes = Processes::new(world, &deployment);
    processes.start_all();
    let mut voters = Vec::new();
    for event in &history.events {
        world.clock.until(event.at).await;
        if world.is_broken() {
            break;
        }
        voters.extend(happen(world, &processes, &*deployment, &event.what));
    }
    if !world.is_broken() {
        end(world, &processes, voters).await;
    }
    processes.close();
}

/// Has an event happen. Returns the task of a voter.
fn happen(
    world: &Arc<World>,
    processes: &Arc<Processes>,
    deployment: &dyn Deployment,
    what: &What,
) -> Option<JoinHandle<()>> {
    match what {
        What::Vote(plan) => {
            let (world, processes, plan) = (world.clone(), processes.clone(), plan.clone());
            return Some(tokio::spawn(async move {
                voter::vote(&world, &processes, &plan).await;
            }));
        }
        What::Look { door, leaders } => {
            let (world, body, leaders) = (world.clone(), processes.door(*door)?, *leaders);
            tokio::spawn(async move { look::look(&world, &body, leaders).await });
        }
        What::LookUp { door, voter } => {
            let (world, body, voter) = (world.clone(), processes.door(*door)?, *voter);
            tokio::spawn(async move { look::look_up(&world, &body, voter).await });
        }
        What::Fail { operation, fault } => world.fail_next(*operation, *fault),
        What::Weather(weather) => world.begin(*weather),
        What::Crash {
            process,
            restart_after,
        } => processes.die(&processes.body(*process)?, *restart_after),
        What::Freeze { process, lasts } => processes.freeze(&processes.body(*process)?, *lasts),
        What::Trap { process, trap } => processes.body(*process)?.life.set_trap(*trap),
        What::Drain { process } => processes.drain(*process),
        what => suffer(world, deployment, what),
    }
    None
}

/// Has the servers lose something.
fn suffer(world: &World, deployment: &dyn Deployment, what: &What) {
    world.note(0, || format!("{what:?}"));
    let (mishap, state) = match what {
        What::ForgetCounter => (Mishap::ForgetCounter, RareState::CounterForgot),
        What::ForgetCandidate(number) => {
            let candidate = world.candidates[*number].clone();
            let mishap = Mishap::ForgetCandidate { candidate };
            (mishap, RareState::CandidateForgotten)
        }
        What::ForgetTickets { ids: false } => (Mishap::ForgetTickets, RareState::TicketsForgotten),
        What::ForgetTickets { ids: true } => (Mishap::ForgetTicketsAndIds, RareState::IdsForgotten),
        What::BackUp => (Mishap::BackUp, RareState::BackedUp),
        What::PutBack { which } => (Mishap::PutBack { which: *which }, RareState::PutBack),
        What::Unreadable { partition } => {
            let partition = cast_core::domain::Partition::new(*partition);
            let mishap = Mishap::AppendUnreadable { partition };
            (mishap, RareState::ReadUnreadable)
        }
        What::NoPosition => {
            world.without_position.fetch_add(1, Ordering::Relaxed);
            return;
        }
        _ => return,
    };
    if !deployment.suffer(&mishap) {
        return;
    }
    world.reached(state);
    let mut truth = world.truth();
    match mishap {
        Mishap::ForgetCounter => world.candidates.iter().for_each(|who| truth.forgot(who)),
        Mishap::ForgetCandidate { candidate } => truth.forgot(&candidate),
        Mishap::ForgetTicketsAndIds => truth.ids_lost = true,
        _ => {}
    }
}

/// Lets all come to rest, and checks what came of it.
async fn end(world: &Arc<World>, processes: &Arc<Processes>, voters: Vec<JoinHandle<()>>) {
    world.note(0, || "all is calm".into());
    world.calm();
    processes.calm();
    let deadline = world.clock.elapsed() + LONGEST_END;
    let everybody = async {
        for voter in voters {
            if voter.await.is_err() {
                world.breaks(Promise::ThingsGoOn, || "a voter's task panicked".into());
            }
        }
    };
    if in_time(world, deadline, everybody).await.is_none() {
        return world.breaks(Promise::ThingsGoOn, || "a voter waits for ever".into());
    }
    // Traps may have been set, and processes frozen, for the voters' last attempts.
    processes.calm();
    let rest = async {
        while !(processes.all_run() && world.held.load(Ordering::Relaxed) == 0) {
            world.clock.pause(LOOK_AGAIN).await;
        }
    };
    if in_time(world, deadline, rest).await.is_none() {
        return world.breaks(Promise::ThingsGoOn, || {
            "a process does not start again".into()
        });
    }
    // What voters who hung up have sent may be under way.
    world.clock.pause(LONGEST_FLUSH).await;
    let votes = last_votes(world, processes);
    if in_time(world, deadline, votes).await.is_none() {
        return world.breaks(Promise::ThingsGoOn, || "no door takes votes again".into());
    }
    if in_time(world, deadline, drained(processes, world))
        .await
        .is_none()
    {
        return world.breaks(Promise::ThingsGoOn, || "the log is not folded".into());
    }
    check(world, processes).await;
    for body in processes.bodies() {
        if let Some(cast) = body.cast()
            && let Some(died) = in_time(world, world.clock.elapsed(), cast.failed()).await
        {
            world.breaks(Promise::ThingsGoOn, || format!("of {body}, {died}"));
        }
    }
}

/// Each door takes a vote, at the latest with the ticket after the next.
async fn last_votes(world: &World, processes: &Processes) {
    for door in 0..world.setup.doors() {
        let voter = LAST_VOTERS + u32::try_from(door).expect("a few doors");
        let plan = Vote {
            voter,
            door,
            roams: false,
            own_id: true,
            picks: vec![(0, 1)],
            ticket: Choice::Current,
            patience: LONGEST_END,
            retries: 100,
            pause: LOOK_AGAIN,
            alters: false,
            again: false,
        };
        voter::vote(world, processes, &plan).await;
        if !world.ledger().voter(voter).acknowledged[0] {
            world.breaks(Promise::ThingsGoOn, || {
                format!("door {door} takes no votes again")
            });
        }
    }
}

/// Waits until the store has folded all of the log.
async fn drained(processes: &Processes, world: &World) {
    let ports = processes.raw_ports();
    let group = &processes.settings().fold.group;
    loop {
        let mut is_drained = true;
        for lag in ports.bus.lag(group).await.unwrap_or_default() {
            let progress = ports.store.progress(lag.partition).await;
            is_drained &= progress.is_ok_and(|progress| progress.next == lag.end);
        }
        if is_drained {
            return;
        }
        world.clock.pause(LOOK_AGAIN).await;
    }
}

async fn in_time<T>(
    world: &World,
    deadline: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = world.clock.until(deadline) => None,
    }
}
