//! How ballots are accepted.

use std::time::Duration;

use cast_core::IngestSettings;
use clap::Args;

use super::values::{count, duration, int};

/// How ballots are accepted.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Accepting ballots")]
pub struct IngestConfig {
    /// The most ballots that wait for a flush; one more gets `OVERLOADED`
    #[arg(long, value_name = "COUNT", default_value = "4096", value_parser = count())]
    intake_capacity: usize,

    /// The most ballots of one flush (group commit)
    #[arg(long, value_name = "COUNT", default_value = "512", value_parser = count())]
    flush_limit: usize,

    /// The most flushes at a time
    #[arg(long, value_name = "COUNT", default_value = "4", value_parser = count())]
    flushes_in_flight: usize,

    /// The most votes in one entry of `voteCount`
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = int)]
    max_votes: u32,

    /// How long a ballot may wait for its flush before it gets `OVERLOADED`
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    max_wait: Duration,

    /// How long the log may take to acknowledge a flush
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration)]
    publish_deadline: Duration,
}

impl IngestConfig {
    pub(super) fn settings(&self) -> IngestSettings {
        IngestSettings {
            intake_capacity: self.intake_capacity,
            flush_limit: self.flush_limit,
            flushes_in_flight: self.flushes_in_flight,
            max_votes: self.max_votes,
            max_wait: self.max_wait,
            publish_deadline: self.publish_deadline,
            // Constants: the steps in Redis take a millisecond, and one that takes a second is
            // down; the memory of acknowledged ballots is 3 MiB, and more of it saves nothing.
            ..IngestSettings::default()
        }
    }
}
