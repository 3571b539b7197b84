//! The servers of the sides that need some: as durable as in production, and on this machine.

use cast_adapters::postgres;
use cast_testkit::servers::{Database, Kafka, Mode, Postgres, Private, Redis, Topic};

use super::{
    ports::{BUS, COUNTER, STORE, TICKETS},
    sides::Side,
};

/// The partitions of a log.
const PARTITIONS: u16 = 4;

/// Redis, which each side has a database of; Kafka, where each has a topic; and PostgreSQL.
pub(crate) struct Servers {
    redis: Private<Redis>,
    not_folded: Topic,
    folded: Topic,
    database: Database,
    _kafka: Private<Kafka>,
    _postgres: Private<Postgres>,
}

impl Servers {
    /// Starts them; `None`, with a message, where one is not installed.
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

    /// The environment of a side.
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
            Side::Votes | Side::Folder | Side::Nothing | Side::Defaults => {}
        }
        settings
    }
}
