//! How logged votes are applied to the database.

use std::time::Duration;

use cast_core::{FoldSettings, ports::GroupName};
use clap::Args;

use super::values::{count, duration};

/// How logged votes are applied to the database.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Applying logged votes to the database")]
pub struct FoldConfig {
    /// How many consumers this process runs; they share the partitions of the log with those of
    /// other processes
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = count())]
    pub consumers: usize,

    /// The consumer group
    #[arg(long, value_name = "NAME", default_value = "cast-vote-consumers")]
    fold_group: String,

    /// The most ballots of one transaction
    #[arg(long, value_name = "COUNT", default_value = "2000", value_parser = count())]
    fold_limit: usize,

    /// How long the database may take for a transaction
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    apply_deadline: Duration,
}

impl FoldConfig {
    pub(super) fn settings(&self) -> FoldSettings {
        FoldSettings {
            group: GroupName::new(self.fold_group.as_str()),
            max_ballots: self.fold_limit,
            apply_deadline: self.apply_deadline,
            // Constants: joining a group takes as long as Kafka's session time-outs; reconciling
            // is repeated anyhow; looking at the progress costs one row a partition; and the
            // back-off reaches its longest pause after seven failures, whatever it began with.
            ..FoldSettings::default()
        }
    }
}
