//! The siege, round by round.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, process::ExitCode, time::Duration};

use cast_adapters::system::SystemClock;
use cast_core::domain::Clock as _;
use cast_testkit::{Seed, SeededEntropy, servers::Backup};
use futures_util::{FutureExt as _, future::join_all};

use crate::{
    artifacts::Artifacts,
    check::{Findings, examine},
    fault_phase::{Counts, FaultPhase},
    options::Options,
    program::Client,
    server_faults::{break_kafka, break_postgres, break_redis},
    stack::{Own, Role, Stack},
    steady_state::steady_state,
    supervisor::Supervisor,
    tables::Stored,
    voters::Voters,
    workload::Workload,
};

/// Few enough that tickets run out.
const TICKET_USES: &str = "60";

/// How long a voter rests now and then, at most.
const REST: Duration = Duration::from_secs(1);

/// How many ballots must be acknowledged when all is in order again.
const SERVED: usize = 20;

/// Two of each role, and what breaks them.
struct Siege {
    stack: Stack,
    workload: Workload,
    supervisors: Vec<Supervisor>,
    /// Taken earlier: the database is restored to it.
    backup: Backup,
    seed: Seed,
    voters: usize,
    counts: Counts,
    /// Ballots whose fate was asked for.
    asked: BTreeSet<String>,
}

/// Runs a siege as the options say.
pub(crate) async fn run(options: &Options) -> ExitCode {
    let own = Own {
        kafka: true,
        postgres: true,
        ..Own::default()
    };
    let Some(stack) = Stack::start_on(own).await else {
        return ExitCode::SUCCESS;
    };
    let seed = options.seed.unwrap_or_else(Seed::from_env_or_random);
    let artifacts = Artifacts::begin(seed);
    eprintln!(
        "siege: --seed {seed}, logs in {}",
        artifacts.path().display()
    );
    let mut siege = Siege::begin(stack, seed, options.voters).await;
    let start = SystemClock.monotonic();
    let rounds = AssertUnwindSafe(siege.rounds(start + options.duration)).catch_unwind();
    let is_held = match rounds.await {
        Ok(None) => true,
        Ok(Some(found)) => {
            artifacts.show(&found, &siege.workload);
            false
        }
        // What it says was printed as it happened.
        Err(_) => false,
    };
    let lasted = SystemClock.monotonic().saturating_sub(start);
    let lasted = Duration::from_secs(lasted.as_secs());
    let lasted = humantime::format_duration(lasted);
    artifacts.summary(&siege.counts, &siege.workload);
    if is_held {
        join_all(siege.supervisors.into_iter().map(Supervisor::drain)).await;
        artifacts.discard();
        eprintln!("siege: seed {seed} held for {lasted}: nothing lost, nothing doubled");
        ExitCode::SUCCESS
    } else {
        artifacts.keep(&mut siege.stack);
        let path = artifacts.path().display();
        eprintln!("siege: seed {seed} FAILED after {lasted}; all logs are in {path}");
        ExitCode::FAILURE
    }
}

impl Siege {
    async fn begin(mut stack: Stack, seed: Seed, voters: usize) -> Self {
        stack.set("CAST_TICKET_USES", TICKET_USES);
        // So that a fault names the request and the ballot that it met.
        stack.set("CAST_LOG", "info,poem=warn,cast_server::schema=debug");
        let mut workload = Workload::new(Vec::new());
        workload.rest = REST;
        let roles = [Role::Generator, Role::Consumer, Role::Api];
        let places = roles.into_iter().chain(roles).zip(0..);
        let supervisors = places.map(|(role, number)| {
            Supervisor::start(
                role,
                &stack.settings,
                seed.part(number).entropy(),
                &workload,
            )
        });
        Self {
            supervisors: join_all(supervisors).await,
            backup: stack.database.backup().await,
            stack,
            workload,
            seed,
            voters,
            counts: Counts::default(),
            asked: BTreeSet::new(),
        }
    }

    /// Rounds until the time is up, or something is found.
    async fn rounds(&mut self, end: Duration) -> Option<Findings> {
        for round in 0.. {
            if let Some(found) = self.round(self.seed.part(100).part(round)).await {
                return Some(found);
            }
            if SystemClock.monotonic() >= end {
                break;
            }
        }
        None
    }

    async fn round(&mut self, seed: Seed) -> Option<Findings> {
        let before = Stored::read(&self.stack).await;
        let apis = self.clients();
        let voters = (seed.part(0), self.voters);
        if let Some(breach) = steady_state(&self.workload, &apis, &before, voters).await {
            return Some(Findings {
                text: breach.to_string(),
                breaches: vec![breach],
            });
        }
        let mut voters = Voters::start(seed.part(1), &self.workload, self.voters);
        tokio::select! {
            () = self.inject_faults(seed) => {}
            () = voters.watch() => unreachable!("it ends only by a panic"),
        }
        // Whatever broke, votes are taken again.
        voters.until_acknowledged(SERVED).await;
        voters.stop().await;
        let apis = self.clients();
        let found = examine(&self.stack, &self.workload, &apis, &mut self.asked).await;
        self.counts.add("rounds");
        let (acknowledged, sent) = self
            .workload
            .read(|ledger| (ledger.acknowledged(), ledger.ballots.len()));
        eprintln!("siege: {acknowledged} of {sent} ballots acknowledged, and checked");
        (!found.breaches.is_empty()).then_some(found)
    }

    fn clients(&self) -> Vec<Client> {
        let apis = self
            .supervisors
            .iter()
            .filter(|supervisor| supervisor.is_api());
        apis.map(Supervisor::client).collect()
    }

    /// Everything breaks until each thing broke at least once.
    async fn inject_faults(&mut self, seed: Seed) {
        let Stack {
            redis,
            kafka,
            postgres,
            database,
            history,
            ..
        } = &mut self.stack;
        let random = |part| -> SeededEntropy { seed.part(part).entropy() };
        let (for_redis, for_kafka, for_postgres) = (random(2), random(3), random(4));
        let servers = 3;
        let phase = FaultPhase::of(servers + self.supervisors.len(), &self.counts);
        let processes = self
            .supervisors
            .iter_mut()
            .map(|supervisor| supervisor.inject_faults(&phase));
        tokio::join!(
            break_redis(redis, &for_redis, &phase, history),
            break_kafka(kafka.own(), &for_kafka, &phase),
            break_postgres(
                (postgres.own(), database),
                &mut self.backup,
                &for_postgres,
                &phase,
                history
            ),
            join_all(processes)
        );
    }
}
