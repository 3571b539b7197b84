//! How tallies are shown.

use std::time::Duration;

use cast_core::TallySettings;
use clap::Args;

use super::values::duration;

/// How tallies are shown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Showing tallies")]
pub struct TallyConfig {
    /// A tally that was loaded from the store longer ago is refreshed when it is next shown
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    refresh_after: Duration,
}

impl TallyConfig {
    pub(super) fn settings(&self) -> TallySettings {
        TallySettings {
            refresh_after: self.refresh_after,
            // Constants: a read takes milliseconds, and after a second a voter is better served by
            // what the counter shows; the pause after a failure only spares a store that is down.
            ..TallySettings::default()
        }
    }
}
