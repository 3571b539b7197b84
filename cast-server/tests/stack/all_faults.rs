//! All faults there are, in random order, under load; then acknowledged equals stored, exactly.
//!
//! A run takes a deck of all faults, shuffled by its seed. `CAST_TEST_FAULTS_FOR=120` goes on, deck
//! after deck, for as many seconds.
#![expect(
    clippy::print_stderr,
    reason = "whoever runs it for long wants to see how it goes"
)]

use std::time::Duration;

use cast_adapters::system::SystemClock;
use cast_core::ports::Clock as _;
use cast_testkit::{Seed, SeededEntropy, pause, servers::Backup};

use crate::{
    check::check,
    ledger::Told,
    program::Process,
    stack::{Deployment, Own, Role, Stack, drain, kill, until},
    voters::{Book, Crowd},
};

/// Longer than any deadline that the processes have for a server of theirs.
const BEYOND_DEADLINES: Duration = Duration::from_millis(3_500);

/// What can break. Kinds of faults, each of which is in a deck once.
#[derive(Clone, Copy, Debug)]
enum Fault {
    RedisEmptied,
    RedisKeysDeleted,
    RedisRestartedEmpty,
    RedisFrozen,
    KafkaRestarted,
    KafkaFrozen,
    PostgresRestarted,
    PostgresConnectionsCut,
    PostgresDeadlock,
    PostgresPutBack,
    ConsumerKilled,
    ConsumerFrozenAndThawed,
    ConsumersRebalanced,
    ApiKilled,
    GeneratorKilled,
}

const DECK: [Fault; 15] = [
    Fault::RedisEmptied,
    Fault::RedisKeysDeleted,
    Fault::RedisRestartedEmpty,
    Fault::RedisFrozen,
    Fault::KafkaRestarted,
    Fault::KafkaFrozen,
    Fault::PostgresRestarted,
    Fault::PostgresConnectionsCut,
    Fault::PostgresDeadlock,
    Fault::PostgresPutBack,
    Fault::ConsumerKilled,
    Fault::ConsumerFrozenAndThawed,
    Fault::ConsumersRebalanced,
    Fault::ApiKilled,
    Fault::GeneratorKilled,
];

/// Two of each role, and what breaks them.
struct Broken {
    stack: Stack,
    book: Book,
    generators: Vec<Process>,
    consumers: Vec<Process>,
    apis: Vec<Process>,
    /// Taken earlier: the database is put back to it.
    backup: Backup,
    random: SeededEntropy,
}

#[tokio::test]
async fn every_fault_there_is_in_random_order_under_load() {
    let own = Own {
        kafka: true,
        postgres: true,
        ..Own::default()
    };
    let Some(stack) = Stack::start_on(own).await else {
        return;
    };
    let seed = Seed::from_env_or_random();
    eprintln!("seed {seed}");
    let mut broken = Broken::start(stack, seed).await;
    let mut crowd = Crowd::gather(seed.part(1), &broken.book, 16);
    crowd.until_acknowledged(50).await;
    let end = SystemClock.monotonic() + time_to_run();
    let mut faults = 0;
    loop {
        for fault in broken.deck() {
            eprintln!("{}: {fault:?}", broken.book.ledger().acknowledged());
            tokio::select! {
                () = broken.suffer(fault) => {}
                () = crowd.watch() => unreachable!("it ends only by a panic"),
            }
            // Whatever broke, votes are taken again.
            crowd.until_acknowledged(20).await;
            faults += 1;
        }
        if SystemClock.monotonic() >= end {
            break;
        }
    }
    crowd.stop().await;
    let doors: Vec<_> = broken.apis.iter().map(Process::client).collect();
    check(&broken.stack, &broken.book, &doors).await;
    let ledger = broken.book.ledger();
    eprintln!(
        "seed {seed}: {faults} faults, {} ballots acknowledged, {} sendings refused or not taken, {} of unknown outcome",
        ledger.acknowledged(),
        ledger.told(|told| matches!(told, Told::Refused(_) | Told::NotTaken(_))),
        ledger.told(|told| matches!(told, Told::Unknown(_)))
    );
}

fn time_to_run() -> Duration {
    let seconds = std::env::var("CAST_TEST_FAULTS_FOR");
    let seconds = seconds.map_or(0, |text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

impl Broken {
    async fn start(stack: Stack, seed: Seed) -> Self {
        let (deployment, generator, consumer) = tokio::join!(
            Deployment::start(&stack, 2),
            stack.run(Role::Generator),
            stack.run(Role::Consumer)
        );
        let backup = stack.database.backup().await;
        let Deployment {
            generator: first,
            consumer: one,
            apis,
        } = deployment;
        Self {
            book: Book::new(apis.iter().map(Process::client).collect()),
            generators: vec![first, generator],
            consumers: vec![one, consumer],
            apis,
            backup,
            random: seed.entropy(),
            stack,
        }
    }

    fn deck(&self) -> [Fault; DECK.len()] {
        let mut deck = DECK;
        self.random.shuffle(&mut deck);
        deck
    }

    async fn suffer(&mut self, fault: Fault) {
        // For a moment of any length, so that faults meet different work.
        pause(Duration::from_millis(self.random.below(500))).await;
        match fault {
            Fault::RedisEmptied => self.stack.redis.empty().await,
            Fault::RedisKeysDeleted => self.delete_keys().await,
            Fault::RedisRestartedEmpty => self.stack.redis.restart_empty().await,
            Fault::RedisFrozen => {
                self.stack.redis.freeze().await;
                pause(BEYOND_DEADLINES).await;
                self.stack.redis.thaw().await;
            }
            Fault::KafkaRestarted => self.stack.kafka.own().restart().await,
            Fault::KafkaFrozen => {
                self.stack.kafka.own().freeze().await;
                pause(BEYOND_DEADLINES).await;
                self.stack.kafka.own().thaw().await;
            }
            Fault::PostgresRestarted => self.stack.postgres.own().restart().await,
            Fault::PostgresConnectionsCut => self.cut_connections().await,
            Fault::PostgresDeadlock => self.deadlock().await,
            Fault::PostgresPutBack => self.put_back().await,
            Fault::ConsumerKilled => {
                kill(self.consumers.remove(0)).await;
                self.consumers.push(self.stack.run(Role::Consumer).await);
            }
            Fault::ConsumerFrozenAndThawed => self.make_a_zombie().await,
            Fault::ConsumersRebalanced => {
                self.consumers.push(self.stack.run(Role::Consumer).await);
                drain(self.consumers.remove(0)).await;
            }
            Fault::ApiKilled => self.kill_an_api().await,
            Fault::GeneratorKilled => {
                kill(self.generators.remove(0)).await;
                self.generators.push(self.stack.run(Role::Generator).await);
            }
        }
    }

    /// Half of what Redis has, key by key.
    async fn delete_keys(&self) {
        let keys = self.stack.redis.cli(["KEYS", "*"]).await;
        for key in keys.lines().filter(|_| self.random.below(2) == 0) {
            self.stack.redis.cli(["DEL", key]).await;
        }
    }

    async fn cut_connections(&self) {
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE pid <> pg_backend_pid() AND datname = current_database()";
        self.stack.database.sql(cut).await;
    }

    /// A consumer's transaction becomes the victim: it waits for the ballots with its progress in
    /// hand, for which this one waits with the ballots in hand, and more patiently.
    async fn deadlock(&self) {
        let deadlock = "DO $$ BEGIN \
                            SET LOCAL deadlock_timeout = '30s'; \
                            LOCK TABLE ballots IN EXCLUSIVE MODE; \
                            PERFORM pg_sleep(0.3); \
                            UPDATE progress SET updated_at = now(); \
                        EXCEPTION WHEN deadlock_detected THEN NULL; \
                        END $$";
        self.stack.database.sql(deadlock).await;
    }

    /// The database goes back to what it was some faults ago.
    async fn put_back(&mut self) {
        self.stack.database.restore(&self.backup).await;
        self.backup = self.stack.database.backup().await;
    }

    /// A consumer stands still until the group has given its partitions to another, and goes on.
    async fn make_a_zombie(&mut self) {
        let came = "partitions came to this consumer";
        let count = |process: &Process| process.said().matches(came).count();
        let before = count(&self.consumers[1]);
        self.consumers[0].signal("STOP").await;
        until("the group to move on", async || {
            (count(&self.consumers[1]) > before).then_some(())
        })
        .await;
        self.consumers[0].signal("CONT").await;
        // The next one to be frozen is the other.
        self.consumers.rotate_left(1);
    }

    async fn kill_an_api(&mut self) {
        let doomed = self.apis.remove(0);
        kill(doomed).await;
        self.apis.push(self.stack.run(Role::Api).await);
        let doors = self.apis.iter().map(Process::client).collect();
        self.book.set_doors(doors);
    }
}
