//! The siege, round by round.

use std::{collections::BTreeSet, panic::AssertUnwindSafe, process::ExitCode, time::Duration};

use cast_adapters::system::SystemClock;
use cast_core::ports::Clock as _;
use cast_testkit::{Seed, SeededEntropy, servers::Backup};
use futures_util::{FutureExt as _, future::join_all};

use crate::{
    calm::calm,
    check::{Findings, examine},
    folder::Folder,
    keeper::Keeper,
    options::Options,
    program::Client,
    rage::{Counts, Rage},
    servers::{break_kafka, break_postgres, break_redis},
    stack::{Own, Role, Stack},
    tables::Stored,
    voters::{Book, Crowd},
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
    book: Book,
    keepers: Vec<Keeper>,
    /// Taken earlier: the database is put back to it.
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
    let folder = Folder::begin(seed);
    eprintln!("siege: --seed {seed}, logs in {}", folder.path().display());
    let mut siege = Siege::begin(stack, seed, options.voters).await;
    let start = SystemClock.monotonic();
    let rounds = AssertUnwindSafe(siege.rounds(start + options.duration)).catch_unwind();
    let is_held = match rounds.await {
        Ok(None) => true,
        Ok(Some(found)) => {
            folder.show(&found, &siege.book);
            false
        }
        // What it says was printed as it happened.
        Err(_) => false,
    };
    let lasted = SystemClock.monotonic().saturating_sub(start);
    let lasted = Duration::from_secs(lasted.as_secs());
    let lasted = humantime::format_duration(lasted);
    folder.summary(&siege.counts, &siege.book);
    if is_held {
        join_all(siege.keepers.into_iter().map(Keeper::drain)).await;
        folder.discard();
        eprintln!("siege: seed {seed} held for {lasted}: nothing lost, nothing doubled");
        ExitCode::SUCCESS
    } else {
        folder.keep(&mut siege.stack);
        let path = folder.path().display();
        eprintln!("siege: seed {seed} FAILED after {lasted}; all logs are in {path}");
        ExitCode::FAILURE
    }
}

impl Siege {
    async fn begin(mut stack: Stack, seed: Seed, voters: usize) -> Self {
        stack.set("CAST_TICKET_USES", TICKET_USES);
        // So that a fault names the request and the ballot that it met.
        stack.set("CAST_LOG", "info,poem=warn,cast_server::schema=debug");
        let mut book = Book::new(Vec::new());
        book.rest = REST;
        let roles = [Role::Generator, Role::Consumer, Role::Api];
        let places = roles.into_iter().chain(roles).zip(0..);
        let keepers = places.map(|(role, number)| {
            Keeper::start(role, &stack.settings, seed.part(number).entropy(), &book)
        });
        Self {
            keepers: join_all(keepers).await,
            backup: stack.database.backup().await,
            stack,
            book,
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
        let doors = self.doors();
        let crowd = (seed.part(0), self.voters);
        if let Some(breach) = calm(&self.book, &doors, &before, crowd).await {
            return Some(Findings {
                text: breach.to_string(),
                breaches: vec![breach],
            });
        }
        let mut crowd = Crowd::gather(seed.part(1), &self.book, self.voters);
        tokio::select! {
            () = self.rage(seed) => {}
            () = crowd.watch() => unreachable!("it ends only by a panic"),
        }
        // Whatever broke, votes are taken again.
        crowd.until_acknowledged(SERVED).await;
        crowd.stop().await;
        let doors = self.doors();
        let found = examine(&self.stack, &self.book, &doors, &mut self.asked).await;
        self.counts.add("rounds");
        let (acknowledged, sent) = self
            .book
            .read(|ledger| (ledger.acknowledged(), ledger.ballots.len()));
        eprintln!("siege: {acknowledged} of {sent} ballots acknowledged, and checked");
        (!found.breaches.is_empty()).then_some(found)
    }

    fn doors(&self) -> Vec<Client> {
        let doors = self.keepers.iter().filter(|keeper| keeper.is_door());
        doors.map(Keeper::client).collect()
    }

    /// Everything breaks until each thing broke at least once.
    async fn rage(&mut self, seed: Seed) {
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
        let rage = Rage::of(servers + self.keepers.len(), &self.counts);
        let processes = self.keepers.iter_mut().map(|keeper| keeper.rage(&rage));
        tokio::join!(
            break_redis(redis, &for_redis, &rage, history),
            break_kafka(kafka.own(), &for_kafka, &rage),
            break_postgres(
                (postgres.own(), database),
                &mut self.backup,
                &for_postgres,
                &rage,
                history
            ),
            join_all(processes)
        );
    }
}
