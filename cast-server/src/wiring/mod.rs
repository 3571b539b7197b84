//! Which adapter a URL means. No other file of the server names one.
//!
//! Nothing here waits for a server: an adapter connects when it is first used, so processes may be
//! started in any order.
#![cfg_attr(
    not(all(feature = "redis", feature = "kafka", feature = "postgres")),
    expect(unused_variables, reason = "only servers have settings")
)]

mod data;
mod error;

use std::{path::Path, sync::Arc};

pub use cast_adapters::sqlite::{Findings, MoveLedger, backup, inspect, restore};
pub use data::{Data, listed};
pub use error::WiringError;

use cast_adapters::{
    memory::{MemoryBus, MemoryCounter, MemoryStore, MemoryTickets},
    sqlite::{self, DataDir},
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    Destination, Ports, Settings,
    domain::{Clock, Entropy, Partitions},
    ports::{EventBus, PortError, TicketSource, VoteCounter, VoteStore},
};
use data::Access;
use futures_util::future::BoxFuture;

use crate::{
    config::{ConfigError, MigrateConfig, PortUrl, Urls},
    protocol::ServerPlaces,
};

/// The system's clock and randomness.
pub fn system() -> (Arc<dyn Clock>, Arc<dyn Entropy>) {
    (Arc::new(SystemClock), Arc::new(SystemEntropy))
}

/// The hosts that the URLs name, by the names of the checks of them.
pub fn places(urls: &Urls) -> ServerPlaces {
    let servers = [
        ("tickets", &urls.tickets.tickets_url),
        ("counter", &urls.votes.counter.counter_url),
        ("log", &urls.votes.bus.bus_url),
        ("store", &urls.votes.store.store_url),
    ];
    ServerPlaces::new(servers.map(|(name, url)| (name, url.place())))
}

/// The ports that the URLs mean, and the folder that they may be in.
pub struct Wired {
    /// The ports.
    pub ports: Ports,
    /// The folder that this process locks.
    pub data: Option<Data>,
}

/// A folder whose votes are moved, and where to.
pub struct Moving {
    /// The folder, which this process locks.
    pub data: DataDir,
    /// The folder's ports.
    pub origin: Ports,
    /// The deployment's.
    pub target: Ports,
    /// The deployment's store.
    pub destination: Arc<dyn Destination>,
}

/// Locks a folder, to move its votes to the servers of the URLs.
pub fn moving(folder: &Path, target: &Urls, settings: &Settings) -> Result<Moving, WiringError> {
    let destination = destination(&target.votes.store.store_url)?;
    let target = wire(target, settings)?.ports;
    let data = data::moving(folder)?;
    Ok(Moving {
        origin: sqlite::ports(&data),
        data,
        target,
        destination,
    })
}

fn destination(url: &PortUrl) -> Result<Arc<dyn Destination>, ConfigError> {
    match url.scheme() {
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            let options = postgres(url)?;
            Ok(Arc::new(cast_adapters::postgres::PostgresStore::new(
                options,
            )))
        }
        other => Err(unknown("--to-store", other, POSTGRES)),
    }
}

/// What the URLs mean. To be called on the runtime that will use it.
pub fn wire(urls: &Urls, settings: &Settings) -> Result<Wired, WiringError> {
    wired(urls, settings, Access::Lock)
}

/// The ports of a deployment, or of a folder beside its server, to be read alone.
pub fn inspected(urls: &Urls, settings: &Settings) -> Result<Ports, WiringError> {
    Ok(wired(urls, settings, Access::Inspect)?.ports)
}

fn wired(urls: &Urls, settings: &Settings, access: Access) -> Result<Wired, WiringError> {
    let (clock, entropy) = system();
    let (tickets, counter) = tickets_and_counter(urls, &clock, settings)?;
    let data = data::folder(urls, &clock, access)?;
    let ports = Ports {
        tickets,
        counter,
        bus: bus(&urls.votes.bus.bus_url, data.as_ref(), settings)?,
        store: store(&urls.votes.store.store_url, data.as_ref(), settings)?,
        clock,
        entropy,
    };
    #[cfg(feature = "failpoints")]
    let ports = crate::failpoints::around(ports)?;
    Ok(Wired {
        ports,
        data: data.map(Data::of),
    })
}

/// A deadline of the caller's, less a little: the adapter then gives up first, and its own error
/// says more than a deadline that passed.
#[cfg(any(feature = "kafka", feature = "postgres"))]
fn shorter(deadline: std::time::Duration) -> std::time::Duration {
    deadline * 5 / 6
}

type TicketsAndCounter = (Arc<dyn TicketSource>, Arc<dyn VoteCounter>);

/// Where both are in one server, they share the connections to it.
fn tickets_and_counter(
    urls: &Urls,
    clock: &Arc<dyn Clock>,
    settings: &Settings,
) -> Result<TicketsAndCounter, ConfigError> {
    #[cfg(feature = "redis")]
    let mut opened = Vec::new();
    let (setting, url) = ("--tickets-url", &urls.tickets.tickets_url);
    let tickets: Arc<dyn TicketSource> = match url.scheme() {
        Some("memory") => Arc::new(MemoryTickets::new(Arc::clone(clock))),
        #[cfg(feature = "redis")]
        Some("redis" | "rediss") => Arc::new(redis(&mut opened, setting, url, settings)?.tickets()),
        other => return Err(unknown(setting, other, REDIS)),
    };
    let (setting, url) = ("--counter-url", &urls.votes.counter.counter_url);
    let counter: Arc<dyn VoteCounter> = match url.scheme() {
        Some("memory") => Arc::new(MemoryCounter::new(Arc::clone(clock))),
        #[cfg(feature = "redis")]
        Some("redis" | "rediss") => Arc::new(redis(&mut opened, setting, url, settings)?.counter()),
        other => return Err(unknown(setting, other, REDIS)),
    };
    Ok((tickets, counter))
}

/// The Redis server of a setting; one that was opened before is the same.
#[cfg(feature = "redis")]
fn redis(
    opened: &mut Vec<(String, cast_adapters::redis::Redis)>,
    setting: &str,
    url: &PortUrl,
    settings: &Settings,
) -> Result<cast_adapters::redis::Redis, ConfigError> {
    let mut same = opened.iter().filter(|(other, _)| other == url.as_str());
    if let Some((_, redis)) = same.next() {
        return Ok(redis.clone());
    }
    let deadlines = [
        settings.ingest.redeem_deadline,
        settings.ingest.record_deadline,
        settings.tallies.read_deadline,
        settings.fold.reconcile_deadline,
    ];
    let step = deadlines.into_iter().min().unwrap_or_default();
    let mut options = cast_adapters::redis::RedisOptions::at(url.as_str());
    // To connect and to answer, one after the other, within the shortest step.
    options.connect_timeout = step * 2 / 5;
    options.response_timeout = step / 2;
    let redis = cast_adapters::redis::Redis::open(options).map_err(|e| port(setting, &e))?;
    opened.push((url.as_str().into(), redis.clone()));
    Ok(redis)
}

fn bus(
    url: &PortUrl,
    data: Option<&DataDir>,
    settings: &Settings,
) -> Result<Arc<dyn EventBus>, ConfigError> {
    if let (Some(_), Some(data)) = (url.folder(), data) {
        return Ok(Arc::new(data.bus()));
    }
    match url.scheme() {
        // One partition: a process in memory folds it faster than it takes votes.
        Some("memory") => Ok(Arc::new(MemoryBus::new(Partitions::ONE))),
        #[cfg(feature = "kafka")]
        Some("kafka" | "kafkas") => {
            let mut options = kafka(url)?;
            options.delivery_timeout = shorter(settings.ingest.publish_deadline);
            Ok(Arc::new(cast_adapters::kafka::KafkaBus::open(options)))
        }
        other => Err(unknown("--bus-url", other, KAFKA)),
    }
}

fn store(
    url: &PortUrl,
    data: Option<&DataDir>,
    settings: &Settings,
) -> Result<Arc<dyn VoteStore>, ConfigError> {
    if let (Some(_), Some(data)) = (url.folder(), data) {
        return Ok(Arc::new(data.store()));
    }
    match url.scheme() {
        Some("memory") => Ok(Arc::new(MemoryStore::new())),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            let mut options = postgres(url)?;
            options.transaction_timeout = shorter(settings.fold.apply_deadline);
            options.statement_timeout = options.statement_timeout.min(options.transaction_timeout);
            Ok(Arc::new(cast_adapters::postgres::PostgresStore::new(
                options,
            )))
        }
        other => Err(unknown("--store-url", other, POSTGRES)),
    }
}

/// Creates tables or a topic.
pub struct Migration {
    /// The flag and the host of the server.
    pub place: String,
    /// Creates what is missing, and says what it did. Safe to repeat.
    pub run: Box<dyn Fn() -> BoxFuture<'static, Result<String, PortError>>>,
}

/// What there is to create: tables and a topic. `memory:` needs neither.
pub fn migrations(config: &MigrateConfig) -> Result<Vec<Migration>, ConfigError> {
    let store = tables(&config.store_url.store_url)?;
    let log = topic(config)?;
    let migrations: Vec<_> = store.into_iter().chain(log).collect();
    if migrations.is_empty() {
        let what = "there is nothing to migrate: give --store-url, --bus-url, or both";
        return Err(ConfigError(what.into()));
    }
    Ok(migrations)
}

fn tables(url: &PortUrl) -> Result<Option<Migration>, ConfigError> {
    match url.scheme() {
        Some("memory") => Ok(None),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            let options = postgres(url)?;
            let migrate = move || -> BoxFuture<'static, Result<String, PortError>> {
                let options = options.clone();
                Box::pin(async move {
                    let run = cast_adapters::postgres::migrate(&options).await?;
                    Ok(if run.is_empty() {
                        "the tables are up to date: nothing to do".into()
                    } else {
                        format!("the tables are up to date now: ran {}", run.join(", "))
                    })
                })
            };
            Ok(Some(Migration {
                place: format!("--store-url {}", url.place()),
                run: Box::new(migrate),
            }))
        }
        other => Err(unknown("--store-url", other, POSTGRES)),
    }
}

fn topic(config: &MigrateConfig) -> Result<Option<Migration>, ConfigError> {
    let url = &config.bus_url.bus_url;
    match url.scheme() {
        Some("memory") => Ok(None),
        #[cfg(feature = "kafka")]
        Some("kafka" | "kafkas") => {
            let options = kafka(url)?;
            let topic = topic_options(config, &options);
            let create = move || -> BoxFuture<'static, Result<String, PortError>> {
                let (options, topic) = (options.clone(), topic);
                Box::pin(async move {
                    let is_new = cast_adapters::kafka::create_topic(&options, &topic).await?;
                    let (name, count) = (&options.topic, topic.partitions.count());
                    Ok(if is_new {
                        format!("created the topic {name} with {count} partitions")
                    } else {
                        format!("the topic {name} exists and was not changed")
                    })
                })
            };
            Ok(Some(Migration {
                place: format!("--bus-url {}", url.place()),
                run: Box::new(create),
            }))
        }
        other => Err(unknown("--bus-url", other, KAFKA)),
    }
}

#[cfg(feature = "kafka")]
fn topic_options(
    config: &MigrateConfig,
    options: &cast_adapters::kafka::KafkaOptions,
) -> cast_adapters::kafka::TopicOptions {
    let partitions = Partitions::new(config.topic.topic_partitions).unwrap_or(Partitions::ONE);
    let replicas = config.topic.topic_replicas;
    cast_adapters::kafka::TopicOptions {
        partitions: options.partitions.unwrap_or(partitions),
        replication_factor: replicas,
        // More than half of them.
        min_insync_replicas: replicas / 2 + 1,
        retention: config.topic.topic_retention,
    }
}

#[cfg(feature = "kafka")]
fn kafka(url: &PortUrl) -> Result<cast_adapters::kafka::KafkaOptions, ConfigError> {
    let options = url.as_str().parse();
    options.map_err(|error| ConfigError(format!("--bus-url: {error}")))
}

#[cfg(feature = "postgres")]
fn postgres(url: &PortUrl) -> Result<cast_adapters::postgres::PostgresOptions, ConfigError> {
    let options = url.as_str().parse();
    options.map_err(|error| port("--store-url", &error))
}

/// An adapter's error about its URL, which it does not repeat.
#[cfg(any(feature = "redis", feature = "postgres"))]
fn port(setting: &str, error: &cast_core::ports::PortError) -> ConfigError {
    ConfigError(format!("{setting}: {}", error.chain()))
}

/// The schemes of an adapter's URLs; the first is the name of its feature too.
type Schemes = [&'static str; 2];

const REDIS: Schemes = ["redis", "rediss"];
const KAFKA: Schemes = ["kafka", "kafkas"];
const POSTGRES: Schemes = ["postgres", "postgresql"];

/// An error that shows the scheme alone: the rest of the URL may hold a password.
fn unknown(setting: &str, scheme: Option<&str>, schemes: Schemes) -> ConfigError {
    let [expected, _] = schemes;
    ConfigError(match scheme {
        Some(scheme) if schemes.contains(&scheme) => format!(
            "{setting}: this program was built without the adapter for `{scheme}:`; `cargo build \
             --release -p cast-server`, with the default features, builds one that has it"
        ),
        Some(scheme) => format!(
            "{setting}: there is no adapter for `{scheme}:`; there are `memory:` and `{expected}:`"
        ),
        None => format!(
            "{setting} must be a URL that begins with its scheme: `memory:` or `{expected}://…`"
        ),
    })
}
