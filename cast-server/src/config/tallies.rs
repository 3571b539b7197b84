//! How tallies are shown.

use std::time::Duration;

use cast_core::TallySettings;
use clap::Args;

use super::values::duration;

/// How tallies are shown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Showing tallies")]
pub struct Tallies {
    /// A tally that was loaded from the store longer ago than this is loaded again when it is next
    /// shown
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    refresh_after: Duration,

    /// How long the counter may take to be read
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    read_deadline: Duration,

    /// How long the store may take to be read
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    store_deadline: Duration,

    /// How long the store is left alone after it failed to be read
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    store_pause: Duration,
}

impl Tallies {
    pub(super) const fn settings(&self) -> TallySettings {
        TallySettings {
            refresh_after: self.refresh_after,
            read_deadline: self.read_deadline,
            store_deadline: self.store_deadline,
            store_pause: self.store_pause,
        }
    }
}
