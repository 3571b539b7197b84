//! A deployment of one test: servers, a database, a topic, and settings that all processes share.

use std::{
    ops::Deref,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use cast_testkit::{
    eventually, pause,
    servers::{self, Database, Kafka, Mode, Postgres, Private, Redis, Server, Topic, random_name},
    within,
};
use tokio::process::Command;

use crate::{
    history::History,
    program::{Client, Process, SOON, program, run},
};

/// How many partitions a log has, unless a test says so: more than one, fewer than consumers like.
pub(crate) const PARTITIONS: u16 = 3;

/// For what waits for a rebalance, a restart of a server, or for all of a backlog.
pub(crate) const LATER: Duration = Duration::from_secs(90);

/// A server: that of all tests, or one of the test's own, which it may break.
pub(crate) enum Place<S: Server> {
    Shared(&'static S),
    Own(Private<S>),
}

impl<S: Server> Place<S> {
    /// The server, to break it.
    pub(crate) fn own(&mut self) -> &mut Private<S> {
        match self {
            Self::Own(private) => private,
            Self::Shared(_) => panic!("a server that all share must not be broken"),
        }
    }
}

impl<S: Server> Deref for Place<S> {
    type Target = S;

    fn deref(&self) -> &S {
        match self {
            Self::Shared(server) => server,
            Self::Own(private) => private,
        }
    }
}

/// What a stack stands on; by default Redis of its own, and a corner in what all tests share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own {
    /// What Redis keeps when it is killed.
    pub(crate) redis: Mode,
    pub(crate) kafka: bool,
    pub(crate) postgres: bool,
}

/// Servers, and the settings of the processes on them. Nothing of it is left when it is dropped.
pub(crate) struct Stack {
    pub(crate) database: Database,
    /// Deleted with this.
    topic: Topic,
    pub(crate) redis: Private<Redis>,
    pub(crate) kafka: Place<Kafka>,
    pub(crate) postgres: Place<Postgres>,
    /// Variables that all processes get; a test may change them before it starts one.
    pub(crate) settings: Vec<(String, String)>,
    /// What was done to the servers, as far as a verdict depends on it.
    pub(crate) history: Arc<Mutex<History>>,
}

/// The roles that run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    Api,
    Generator,
    Consumer,
}

impl Role {
    pub(crate) const fn command(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Generator => "ticket-generator",
            Self::Consumer => "vote-consumer",
        }
    }
}

impl Stack {
    /// One with its tables, on shared Kafka and Postgres; `None` where servers are missing.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_on(Own::default()).await
    }

    /// One with its tables.
    pub(crate) async fn start_on(own: Own) -> Option<Self> {
        let (redis, kafka, postgres) = tokio::join!(
            Redis::start_as(own.redis),
            async {
                if own.kafka {
                    Kafka::start().await.map(Place::Own)
                } else {
                    servers::kafka().await.map(Place::Shared)
                }
            },
            async {
                if own.postgres {
                    Postgres::start().await.map(Place::Own)
                } else {
                    servers::postgres().await.map(Place::Shared)
                }
            }
        );
        let (redis, kafka, postgres) = (redis?, kafka?, postgres?);
        let database = postgres.create_database().await;
        let topic = kafka.create_topic(PARTITIONS).await;
        let settings = settings(redis.url(), &topic.url(), database.url());
        let stack = Self {
            database,
            topic,
            redis,
            kafka,
            postgres,
            settings,
            history: Arc::default(),
        };
        stack.migrate().await;
        Some(stack)
    }

    /// Changes a setting of the processes that start from now on.
    pub(crate) fn set(&mut self, variable: &str, value: &str) {
        self.settings.retain(|(known, _)| known != variable);
        self.settings.push((variable.into(), value.into()));
    }

    /// Makes the tables.
    pub(crate) async fn migrate(&self) {
        let (code, _, stderr) = run(self.command("migrate", &[])).await;
        assert_eq!(code, Some(0), "{stderr}");
    }

    /// The log's topic.
    pub(crate) fn topic(&self) -> &str {
        self.topic.name()
    }

    /// A setting of the processes that start from now on.
    pub(crate) fn setting(&self, variable: &str) -> String {
        let mut settings = self.settings.iter();
        let found = settings.find(|(known, _)| known == variable);
        found.expect("it is set").1.clone()
    }

    /// Gives the log's topic more partitions.
    pub(crate) async fn grow(&self, partitions: u16) {
        self.topic.grow(partitions).await;
    }

    /// The program, with the settings of all and some of its own.
    pub(crate) fn command(&self, command: &str, more: &[(&str, &str)]) -> Command {
        command_with(&self.settings, command, more)
    }

    /// Starts a process, and waits until it can do its job.
    pub(crate) async fn run(&self, role: Role) -> Process {
        self.run_with(role, &[]).await
    }

    /// Starts a process with settings of its own, and waits until it can do its job.
    pub(crate) async fn run_with(&self, role: Role, more: &[(&str, &str)]) -> Process {
        Process::start(self.command(role.command(), more)).await
    }

    /// Starts a process that stops at a point of its path: see `src/failpoints.rs`.
    pub(crate) async fn run_until(&self, role: Role, failpoint: &str) -> Process {
        self.run_with(role, &[("CAST_TEST_FAILPOINT", failpoint)])
            .await
    }

    /// Starts to make the tables, also where there is no database yet.
    pub(crate) fn launch_migration(&self) -> tokio::process::Child {
        let mut command = self.command("migrate", &[]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Starts a process that need not come far.
    pub(crate) fn launch(&self, role: Role, more: &[(&str, &str)]) -> Process {
        Process::launch(self.command(role.command(), more))
    }
}

/// The program, with these settings and some more.
pub(crate) fn command_with(
    settings: &[(String, String)],
    command: &str,
    more: &[(&str, &str)],
) -> Command {
    let mut command = program(&[command]);
    command.envs(settings.iter().cloned());
    command.envs(more.iter().copied());
    command
}

fn settings(redis: &str, topic: &str, database: &str) -> Vec<(String, String)> {
    // All tests' consumers would meet in a group of the usual name.
    let (group, secret) = (random_name(), "5ec2e7".repeat(11));
    let settings = [
        ("TICKETS_URL", redis),
        ("COUNTER_URL", redis),
        ("BUS_URL", topic),
        ("STORE_URL", database),
        ("TICKET_SECRET", &format!("7:{}", &secret[..64])),
        ("TICKET_PERIOD", "1s"),
        ("TICKET_TTL", "1s"),
        ("FOLD_GROUP", &group),
        ("REFRESH_AFTER", "1s"),
        ("LISTEN", "127.0.0.1:0"),
        ("TOPIC_REPLICAS", "1"),
    ];
    let named = |(name, value): (&str, &str)| (format!("CAST_{name}"), value.to_owned());
    settings.map(named).into()
}

/// What each deployment has.
pub(crate) struct Deployment {
    pub(crate) generator: Process,
    pub(crate) consumer: Process,
    pub(crate) apis: Vec<Process>,
}

impl Deployment {
    /// Starts a generator, a consumer and so many API servers.
    pub(crate) async fn start(stack: &Stack, apis: usize) -> Self {
        let (generator, consumer, apis) = tokio::join!(
            stack.run(Role::Generator),
            stack.run(Role::Consumer),
            futures_util::future::join_all((0..apis).map(|_| stack.run(Role::Api)))
        );
        Self {
            generator,
            consumer,
            apis,
        }
    }

    /// Clients of its API servers.
    pub(crate) fn clients(&self) -> Vec<Client> {
        self.apis.iter().map(Process::client).collect()
    }

    /// Ends all of it in good order.
    pub(crate) async fn drain(self) {
        let all = self.apis.into_iter().chain([self.generator, self.consumer]);
        futures_util::future::join_all(all.map(drain)).await;
    }
}

/// Ends a process in good order.
pub(crate) async fn drain(process: Process) {
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// Kills a process: nothing is flushed or answered.
pub(crate) async fn kill(process: Process) {
    process.signal("KILL").await;
    process.ended().await;
}

/// Waits until a process says something.
pub(crate) async fn until_logged(process: &Process, what: &str) {
    let waiting = eventually(LATER, format!("{what:?} from a process"), || async {
        pause(Duration::from_millis(10)).await;
        process.said().contains(what).then_some(())
    });
    waiting.await;
}

/// Waits until a process stands still at its failpoint.
pub(crate) async fn until_failpoint(process: &Process) {
    until_logged(process, "failpoint ").await;
}

/// Waits for `condition`, and looks as often as is good for what is asked.
pub(crate) async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(held) = condition().await {
                return held;
            }
            pause(Duration::from_millis(50)).await;
        }
    };
    within(LATER, what, looking).await
}

/// Waits until a server's readiness is that.
pub(crate) async fn until_ready(api: &Client, status: u16) -> String {
    let waiting = eventually(SOON * 2, format!("readiness {status}"), || async {
        pause(Duration::from_millis(20)).await;
        let reply = api.get("/readyz").await;
        let text = reply.body.as_str().unwrap_or_default().to_owned();
        (reply.status == status).then_some(text)
    });
    waiting.await
}
