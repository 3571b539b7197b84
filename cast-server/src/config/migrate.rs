//! The settings of `migrate`.

use std::time::Duration;

use clap::Args;

use super::{
    log::LogConfig,
    urls::{BusUrl, StoreUrl},
    values::duration,
};

/// The settings of `migrate`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct MigrateConfig {
    #[command(flatten)]
    pub bus_url: BusUrl,
    #[command(flatten)]
    pub store_url: StoreUrl,
    #[command(flatten)]
    pub topic: TopicConfig,
    /// How long to wait for servers that do not answer yet
    #[arg(
        long,
        help_heading = "Migration",
        value_name = "DURATION",
        default_value = "1m",
        value_parser = duration
    )]
    pub wait: Duration,
    #[command(flatten)]
    pub log: LogConfig,
}

/// How the topic of the log is created. An existing topic is not changed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Creating the topic of the log")]
pub struct TopicConfig {
    /// The number of partitions, which cannot be changed later, unless `--bus-url` names one: the
    /// most consumers that can ever share the work
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "12",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub topic_partitions: u32,

    /// The replication factor. More than half of the replicas must have a record before a vote is
    /// acknowledged; with 1, a broker that loses power may lose acknowledged votes
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "3",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub topic_replicas: u16,

    /// How long records are kept: the greatest age of a backup from which the database can be
    /// restored
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = duration)]
    pub topic_retention: Duration,
}
