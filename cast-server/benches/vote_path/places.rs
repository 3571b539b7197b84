//! The servers of the sides that need some: as careful as in production, and on this machine.

use cast_adapters::postgres;
use cast_core::{Ports, Settings};
use cast_server::{
    config::{MemoryLog, PortUrl, Urls},
    wiring,
};
use cast_testkit::servers::{Database, Kafka, Mode, Postgres, Private, Redis, Topic};

use super::sides::Side;

/// How many partitions a log has.
const PARTITIONS: u16 = 4;

const TICKETS: &str = "CAST_TICKETS_URL";
const COUNTER: &str = "CAST_COUNTER_URL";
const BUS: &str = "CAST_BUS_URL";
const STORE: &str = "CAST_STORE_URL";

/// Redis, which each side has a database of; Kafka, where each has a topic; and PostgreSQL.
pub(crate) struct Places {
    redis: Private<Redis>,
    not_folded: Topic,
    folded: Topic,
    database: Database,
    _kafka: Private<Kafka>,
    _postgres: Private<Postgres>,
}

impl Places {
    /// Starts them; `None`, having said so, where one is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let (redis, kafka, postgres) = tokio::join!(
            Redis::start_as(Mode::Durable),
            Kafka::start_as(Mode::Durable),
            Postgres::start_as(Mode::Durable)
        );
        let (redis, kafka, postgres) = (redis?, kafka?, postgres?);
        let database = postgres.create_database().await;
        let options = database.url().parse().expect("a URL of PostgreSQL");
        postgres::migrate(&options).await.expect("tables");
        Some(Self {
            not_folded: kafka.create_topic(PARTITIONS).await,
            folded: kafka.create_topic(PARTITIONS).await,
            redis,
            database,
            _kafka: kafka,
            _postgres: postgres,
        })
    }

    /// What a side is told.
    pub(crate) fn settings(&self, side: Side) -> Vec<(&'static str, String)> {
        let redis = |number: usize| {
            let (server, _) = self.redis.url().rsplit_once('/').expect("a database");
            let url = format!("{server}/{number}");
            [(TICKETS, url.clone()), (COUNTER, url)]
        };
        let mut settings = Vec::new();
        match side {
            Side::Redis => settings.extend(redis(0)),
            Side::Kafka => {
                settings.extend(redis(1));
                settings.push((BUS, self.not_folded.url()));
            }
            Side::Postgres => {
                settings.extend(redis(2));
                settings.push((BUS, self.folded.url()));
                settings.push((STORE, self.database.url().to_owned()));
            }
            Side::Votes | Side::Nothing | Side::Defaults => {}
        }
        settings
    }
}

/// The ports of a side, in its own process.
pub(crate) fn ports() -> Ports {
    let mut urls = Urls::default();
    for (variable, url) in [
        (TICKETS, &mut urls.tickets.tickets_url),
        (COUNTER, &mut urls.counter.counter_url),
        (BUS, &mut urls.bus.bus_url),
        (STORE, &mut urls.store.store_url),
    ] {
        if let Ok(text) = std::env::var(variable) {
            *url = text.parse::<PortUrl>().expect("a URL");
        }
    }
    wiring::ports(&urls, &MemoryLog::default(), &Settings::default()).expect("adapters")
}
