//! Runs one history.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use cast_core::domain::{Clock as _, Partitions};
use tokio::task::JoinHandle;

use super::{
    check::check,
    coverage::RareState,
    deployment::{Deployment, OpenAdapters, Opening, ServerFault},
    history::{Choice, History, Vote, What},
    processes::Processes,
    sampler, voter,
    world::{Promise, Ran, World},
};

/// How long the end of a history may take, once all faults have ended.
const LONGEST_END: Duration = Duration::from_secs(120);

/// How long a ballot may take to the log after its voter hung up: it waits, is redeemed, and is
/// published.
const LONGEST_FLUSH: Duration = Duration::from_secs(5);

/// How often a condition is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The number of the first voter after all faults have ended.
const LAST_VOTERS: u32 = 1_000;

/// Runs a history on a runtime of its own, whose time is virtual.
pub(super) fn run(adapters: &OpenAdapters, history: &History, is_traced: bool) -> Ran {
    let world = Arc::new(World::new(history.seed, history.setup.clone(), is_traced));
    let (idle, clock) = (Arc::clone(&world), Arc::clone(&world.clock));
    let runtime = tokio::runtime::Builder::new_current_thread()
        // No task is ready: so time passes. If none waits for time either, the history is stuck.
        .on_thread_park(move || {
            if clock.advance_to_next_sleeper(Duration::MAX).is_none() {
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
                    world.violated(Promise::Liveness, || "all tasks wait for ever".into());
                }
            }
        });
    }));
    if ran.is_err() {
        world.violated(Promise::Liveness, || "something panicked".into());
    }
    drop(runtime);
    world.outcome()
}

async fn drive(adapters: &OpenAdapters, world: &Arc<World>, history: &History) {
    let deployment = adapters(&Opening {
        clock: Arc::clone(&world.clock) as _,
        entropy: Arc::new(world.seed.part(5).entropy()),
        partitions: Partitions::new(world.setup.partitions).expect("at least one"),
    });
    let processes = Processes::new(world, &deployment);
    processes.start_all();
    let mut voters = Vec::new();
    for event in &history.events {
        until(world, event.at).await;
        if world.is_violated() {
            break;
        }
        voters.extend(carry_out(world, &processes, &*deployment, &event.what));
    }
    if !world.is_violated() {
        end(world, &processes, voters).await;
    }
    processes.close();
}

/// Carries out an event. Returns the task of a voter.
fn carry_out(
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
        What::SampleTallies { api, leaders } => {
            let (world, instance, leaders) = (world.clone(), processes.api(*api)?, *leaders);
            tokio::spawn(async move { sampler::sample_tallies(&world, &instance, leaders).await });
        }
        What::SampleBallot { api, voter } => {
            let (world, instance, voter) = (world.clone(), processes.api(*api)?, *voter);
            tokio::spawn(async move { sampler::sample_ballot(&world, &instance, voter).await });
        }
        What::Fail { operation, fault } => world.fail_next(*operation, *fault),
        What::FaultPeriod(period) => world.begin(*period),
        What::Crash {
            process,
            restart_after,
        } => processes.crash(&processes.instance(*process)?, *restart_after),
        What::Freeze { process, lasts } => processes.freeze(&processes.instance(*process)?, *lasts),
        What::FaultAt { process, point } => {
            processes.instance(*process)?.state.add_fault_point(*point);
        }
        What::Restart { process } => processes.restart(*process),
        what => inject(world, deployment, what),
    }
    None
}

/// Injects a fault into the servers.
fn inject(world: &World, deployment: &dyn Deployment, what: &What) {
    world.trace(0, || format!("{what:?}"));
    let (fault, state) = match what {
        What::LoseCounter => (ServerFault::LoseCounter, RareState::CounterLost),
        What::LoseCandidate(number) => {
            let candidate = world.candidates[*number].clone();
            let fault = ServerFault::LoseCandidate { candidate };
            (fault, RareState::CandidateLost)
        }
        What::LoseTickets { ids: false } => (ServerFault::LoseTickets, RareState::TicketsLost),
        What::LoseTickets { ids: true } => (ServerFault::LoseTicketsAndIds, RareState::IdsLost),
        What::BackUp => (ServerFault::BackUp, RareState::BackedUp),
        What::Restore { which } => (ServerFault::Restore { which: *which }, RareState::Restored),
        What::Unreadable { partition } => {
            let partition = cast_core::domain::Partition::new(*partition);
            let fault = ServerFault::AppendUnreadable { partition };
            (fault, RareState::ReadUnreadable)
        }
        What::NoPosition => {
            world.without_position.fetch_add(1, Ordering::Relaxed);
            return;
        }
        _ => return,
    };
    if !deployment.inject(&fault) {
        return;
    }
    world.reached(state);
    let mut truth = world.truth();
    match fault {
        ServerFault::LoseCounter => world.candidates.iter().for_each(|who| truth.lost(who)),
        ServerFault::LoseCandidate { candidate } => truth.lost(&candidate),
        ServerFault::LoseTicketsAndIds => truth.ids_lost = true,
        _ => {}
    }
}

/// Waits until everything is processed, and checks the outcome.
async fn end(world: &Arc<World>, processes: &Arc<Processes>, voters: Vec<JoinHandle<()>>) {
    world.trace(0, || "all faults have ended".into());
    world.end_faults();
    processes.end_faults();
    let deadline = world.clock.monotonic() + LONGEST_END;
    let all_voters = async {
        for voter in voters {
            if voter.await.is_err() {
                world.violated(Promise::Liveness, || "a voter's task panicked".into());
            }
        }
    };
    if in_time(world, deadline, all_voters).await.is_none() {
        return world.violated(Promise::Liveness, || "a voter waits for ever".into());
    }
    // There may be new fault points and frozen processes, of the voters' last attempts.
    processes.end_faults();
    let at_rest = async {
        while !(processes.all_run() && world.held.load(Ordering::Relaxed) == 0) {
            world.clock.sleep(POLL_INTERVAL).await;
        }
    };
    if in_time(world, deadline, at_rest).await.is_none() {
        return world.violated(Promise::Liveness, || "a process does not restart".into());
    }
    // Ballots of voters who hung up may still be processed.
    world.clock.sleep(LONGEST_FLUSH).await;
    let votes = last_votes(world, processes);
    if in_time(world, deadline, votes).await.is_none() {
        return world.violated(Promise::Liveness, || {
            "no API process accepts votes again".into()
        });
    }
    if in_time(world, deadline, drained(processes, world))
        .await
        .is_none()
    {
        return world.violated(Promise::Liveness, || "the log is not folded".into());
    }
    check(world, processes).await;
    for instance in processes.instances() {
        if let Some(cast) = instance.cast()
            && let Some(died) = in_time(world, world.clock.monotonic(), cast.failed()).await
        {
            world.violated(Promise::Liveness, || format!("of {instance}, {died}"));
        }
    }
}

/// Each API process accepts a vote, at the latest with the ticket after the next.
async fn last_votes(world: &World, processes: &Processes) {
    for api in 0..world.setup.apis() {
        let voter = LAST_VOTERS + u32::try_from(api).expect("a few API processes");
        let plan = Vote {
            voter,
            api,
            roams: false,
            own_id: true,
            picks: vec![(0, 1)],
            ticket: Choice::Current,
            patience: LONGEST_END,
            retries: 100,
            pause: POLL_INTERVAL,
            alters: false,
            again: false,
        };
        voter::vote(world, processes, &plan).await;
        if !world.ledger().is_acknowledged((voter, 0)) {
            world.violated(Promise::Liveness, || {
                format!("API process {api} accepts no votes again")
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
        world.clock.sleep(POLL_INTERVAL).await;
    }
}

/// Sleeps until so long after the beginning.
async fn until(world: &World, deadline: Duration) {
    let left = deadline.saturating_sub(world.clock.monotonic());
    world.clock.sleep(left).await;
}

async fn in_time<T>(
    world: &World,
    deadline: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = until(world, deadline) => None,
    }
}
