//! What a CAST stands on.

use clap::Args;

use super::values::{PortUrl, count};

/// What a CAST stands on: a URL for each port.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Where things are kept")]
pub struct Urls {
    /// Where tickets are kept and used: `memory:`
    #[arg(
        long,
        value_name = "URL",
        default_value = "memory:",
        hide_env_values = true
    )]
    pub tickets_url: PortUrl,

    /// Where the tallies that are shown are kept: `memory:`
    #[arg(
        long,
        value_name = "URL",
        default_value = "memory:",
        hide_env_values = true
    )]
    pub counter_url: PortUrl,

    /// The log of ballots: `memory:`
    #[arg(
        long,
        value_name = "URL",
        default_value = "memory:",
        hide_env_values = true
    )]
    pub bus_url: PortUrl,

    /// Where votes are kept for good: `memory:`
    #[arg(
        long,
        value_name = "URL",
        default_value = "memory:",
        hide_env_values = true
    )]
    pub store_url: PortUrl,

    /// How many partitions a log in memory has
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = count())]
    pub memory_partitions: usize,
}
