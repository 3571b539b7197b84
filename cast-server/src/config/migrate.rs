//! How tables and topic are made.

use std::time::Duration;

use clap::Args;

use super::{
    Log,
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
    pub topic: Topic,
    /// How long to wait for servers that are not there yet
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    pub wait: Duration,
    #[command(flatten)]
    pub log: Log,
}

/// How the topic of the log is made. One that is there is left as it is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Making the topic of the log")]
pub struct Topic {
    /// How many partitions it has, for good, unless the URL says so: as many as there may ever be
    /// consumers
    #[arg(long, value_name = "COUNT", default_value = "12", value_parser = clap::value_parser!(u32).range(1..))]
    pub topic_partitions: u32,

    /// On how many brokers each record is; more than half of them must have it before a vote is
    /// acknowledged. With 1, what a single broker acknowledged is gone when it loses power
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = clap::value_parser!(u16).range(1..))]
    pub topic_replicas: u16,

    /// How long records are kept: as long, a backup of the store can be put back
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = duration)]
    pub topic_retention: Duration,
}
