//! The sides that are compared.

use std::{io::Write as _, sync::Arc, time::Duration};

use async_graphql::{EmptySubscription, Object, Schema, SimpleObject, ValidationMode};
use async_graphql_poem::GraphQL;
use cast_adapters::{
    memory,
    sqlite::{self, DataDir, DataDirOptions},
    system::SystemClock,
};
use cast_core::{Cast, Ports, Roles, Settings, domain::KeyRing};
use cast_server::{
    app::{App, http},
    schema::{self, Backend, CastSchema, DocumentLimits, Engine},
    telemetry::{self, metrics::Metrics},
    transport::HttpSettings,
};
use poem::{EndpointExt as _, Route, listener::TcpListener as PoemListener, post};
use tokio::net::TcpListener;

use super::ports;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Votes,
    Folder,
    Nothing,
    Defaults,
    Redis,
    Kafka,
    Postgres,
}

impl Side {
    /// Those without servers of their own.
    pub(crate) const ALONE: [Self; 4] = [Self::Votes, Self::Folder, Self::Nothing, Self::Defaults];
    /// Those over real servers, and the baseline.
    pub(crate) const STACK: [Self; 4] = [Self::Nothing, Self::Redis, Self::Kafka, Self::Postgres];

    const ALL: [Self; 7] = [
        Self::Votes,
        Self::Folder,
        Self::Nothing,
        Self::Defaults,
        Self::Redis,
        Self::Kafka,
        Self::Postgres,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Folder => "folder",
            Self::Nothing => "nothing",
            Self::Defaults => "defaults",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
            Self::Postgres => "postgres",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Votes => "votes, memory adapters (mimalloc)",
            Self::Folder => "votes, kept in a folder (mimalloc)",
            Self::Nothing => "our endpoint doing nothing (mimalloc)",
            Self::Defaults => "crates' endpoint doing nothing (system's)",
            Self::Redis => "votes, Redis, log in memory",
            Self::Kafka => "votes, Redis and Kafka, not folded",
            Self::Postgres => "votes, Redis and Kafka, folded to Postgres",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|side| side.name() == name)
            .expect("a side")
    }
}

/// Serves until the process that started this one is gone.
pub(crate) fn serve(side: Side) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match side {
            Side::Votes => votes(app(memory::ports(), 1)).await,
            Side::Folder => folder().await,
            Side::Nothing => nothing().await,
            Side::Defaults => defaults().await,
            Side::Redis | Side::Postgres => votes(app(ports::ports(), 1)).await,
            Side::Kafka => votes(app(ports::ports(), 0)).await,
        }
    });
}

/// Votes that are kept in a new folder, which is deleted at the end.
async fn folder() {
    let folder = tempfile::TempDir::new().unwrap();
    let options = DataDirOptions::default();
    let data = DataDir::open(folder.path(), &options, Arc::new(SystemClock)).unwrap();
    votes(app(sqlite::ports(&data), 1)).await;
}

fn announce(address: impl std::fmt::Display, ticket: &str) {
    println!("{address}\n{ticket}");
    std::io::stdout().flush().unwrap();
}

/// Waits for the end of the parent, which closes standard input.
async fn until_alone() {
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    let _ = ended.await;
}

/// An app over these ports.
fn app(ports: Ports, consumers: usize) -> App {
    let mut settings = Settings::default();
    // One ticket for the whole run: what is measured is the vote, not the fetching of tickets.
    settings.tickets.period = Duration::from_secs(3_600);
    settings.tickets.ttl = Duration::from_secs(7_200);
    settings.tickets.uses = u32::MAX;
    let roles = Roles {
        consumers,
        ..Roles::ALL
    };
    let keys = KeyRing::generate(&*ports.entropy);
    App::new(ports, keys, settings, roles)
}

/// An engine over memory adapters, and a ticket to vote with.
pub(crate) async fn voting_engine() -> (Engine<CastSchema>, String) {
    let App {
        ports,
        keys,
        settings,
        roles,
        documents,
        ..
    } = app(memory::ports(), 1);
    let max_votes = settings.ingest.max_votes;
    let metrics = Metrics::new(&ports.clock);
    let ports = telemetry::measured(&ports, &metrics);
    let cast = Cast::builder(ports, keys).settings(settings);
    let cast = cast.roles(roles).start().await.expect("started");
    let ticket = cast.current_ticket().await.expect("a ticket").id.to_hex();
    let backend = Backend {
        cast,
        max_votes,
        metrics,
    };
    (schema::engine(&backend, documents), ticket)
}

async fn votes(app: App) {
    let running = app.start("127.0.0.1:0").await.expect("started");
    let ticket = running.cast().current_ticket().await.expect("a ticket");
    announce(running.address(), &ticket.id.to_hex());
    until_alone().await;
}

/// An engine whose `vote` does nothing.
pub(crate) fn idle_engine() -> Engine<Schema<NoQuery, NoVote, EmptySubscription>> {
    let schema = |mode| {
        Schema::build(NoQuery, NoVote, EmptySubscription)
            .validation_mode(mode)
            .finish()
    };
    let (strict, fast) = (schema(ValidationMode::Strict), schema(ValidationMode::Fast));
    Engine::new(strict, fast, DocumentLimits::default())
}

async fn nothing() {
    let engine = idle_engine();
    let ports = memory::ports();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clock = Arc::clone(&ports.clock);
    let settings = HttpSettings::default();
    let metrics = Metrics::new(&clock);
    let http = http::serve(listener, true, clock, ports.entropy, &settings, metrics);
    let (service, server) = http.unwrap();
    service.open(Some(engine), None);
    announce(server.address(), &"0".repeat(64));
    until_alone().await;
}

async fn defaults() {
    let schema = Schema::new(NoQuery, NoVote, EmptySubscription);
    let routes = Route::new()
        .at("/graphql", post(GraphQL::new(schema)))
        .boxed();
    // The crate does not report the port that its listener took.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = poem::Server::new(PoemListener::bind(free.to_string())).run(routes);
    let server = tokio::spawn(server);
    while tokio::net::TcpStream::connect(free).await.is_err() {
        tokio::task::yield_now().await;
    }
    announce(free, &"0".repeat(64));
    until_alone().await;
    server.abort();
}

pub(crate) struct NoQuery;

#[Object]
impl NoQuery {
    async fn query(&self, username: String) -> i32 {
        i32::try_from(username.len()).unwrap_or(0)
    }
}

pub(crate) struct NoVote;

/// The contract's answer, without a vote.
#[Object]
impl NoVote {
    async fn vote(
        &self,
        usernames: Vec<String>,
        vote_count: Vec<i32>,
        ticket: String,
        voter_username: Option<String>,
    ) -> NoResult {
        NoResult {
            success: !ticket.is_empty() && voter_username.is_none(),
            message: "Votes recorded successfully".into(),
            usernames,
            votes: vote_count,
        }
    }
}

#[derive(SimpleObject)]
struct NoResult {
    success: bool,
    message: String,
    usernames: Vec<String>,
    votes: Vec<i32>,
}
