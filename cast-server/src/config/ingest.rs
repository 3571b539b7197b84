//! How ballots are taken in.

use std::time::Duration;

use cast_core::IngestSettings;
use clap::Args;

use super::values::{count, duration, int};

/// How ballots are taken in.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Taking ballots in")]
pub struct IngestConfig {
    /// How many ballots may wait; one more is told `OVERLOADED`
    #[arg(long, value_name = "COUNT", default_value = "4096", value_parser = count())]
    intake_capacity: usize,

    /// How many ballots one flush takes
    #[arg(long, value_name = "COUNT", default_value = "512", value_parser = count())]
    flush_limit: usize,

    /// How many flushes may be under way at once
    #[arg(long, value_name = "COUNT", default_value = "4", value_parser = count())]
    flushes_in_flight: usize,

    /// The most votes of one name in one ballot
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = int())]
    max_votes: u32,

    /// How long a ballot may wait for its flush before it is told `OVERLOADED`
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    max_wait: Duration,

    /// How long the ticket source may take for a flush
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    redeem_deadline: Duration,

    /// How long the log may take for a flush
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = duration)]
    publish_deadline: Duration,

    /// How long the counter may take for a flush
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    record_deadline: Duration,

    /// How many acknowledged ballots are remembered, to tell that the log has them
    #[arg(long, value_name = "COUNT", default_value = "65536", value_parser = count())]
    remembered_ballots: usize,
}

impl IngestConfig {
    pub(super) const fn settings(&self) -> IngestSettings {
        IngestSettings {
            intake_capacity: self.intake_capacity,
            flush_limit: self.flush_limit,
            flushes_in_flight: self.flushes_in_flight,
            max_votes: self.max_votes,
            max_wait: self.max_wait,
            redeem_deadline: self.redeem_deadline,
            publish_deadline: self.publish_deadline,
            record_deadline: self.record_deadline,
            remembered: self.remembered_ballots,
        }
    }
}
