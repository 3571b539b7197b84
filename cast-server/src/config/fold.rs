//! How the log is folded into the store.

use std::time::Duration;

use cast_core::{FoldSettings, ports::GroupName};
use clap::Args;

use super::values::{count, duration};

/// How the log is folded into the store.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Folding the log into the store")]
pub struct Folding {
    /// How many consumers this process runs
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = count())]
    consumers: usize,

    /// The group in which consumers share the work
    #[arg(long, value_name = "NAME", default_value = "cast-vote-consumers")]
    fold_group: String,

    /// How long the log may take to let a consumer join the group
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    join_deadline: Duration,

    /// How many ballots one transaction takes
    #[arg(long, value_name = "COUNT", default_value = "2000", value_parser = count())]
    fold_limit: usize,

    /// How long the store may take for a transaction
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    apply_deadline: Duration,

    /// How long the counter and the log may take to be told of it
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    reconcile_deadline: Duration,

    /// How often a consumer looks whether the store was put back to a backup, and makes up for
    /// tallies that it could not reconcile
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    progress_interval: Duration,

    /// The first pause after a failure; it doubles with each failure in a row
    #[arg(long, value_name = "DURATION", default_value = "50ms", value_parser = duration)]
    fold_min_backoff: Duration,

    /// The longest pause after failures
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    fold_max_backoff: Duration,
}

impl Folding {
    /// How many consumers this process runs.
    pub const fn consumers(&self) -> usize {
        self.consumers
    }

    pub(super) fn settings(&self) -> FoldSettings {
        FoldSettings {
            group: GroupName::new(self.fold_group.as_str()),
            join_deadline: self.join_deadline,
            max_ballots: self.fold_limit,
            apply_deadline: self.apply_deadline,
            reconcile_deadline: self.reconcile_deadline,
            progress_interval: self.progress_interval,
            min_backoff: self.fold_min_backoff,
            max_backoff: self.fold_max_backoff,
        }
    }
}
