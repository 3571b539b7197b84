//! What is told to those who run it.

use std::time::Duration;

use clap::Args;

use super::values::duration;
use crate::telemetry::TelemetrySettings;

/// What is told to those who run it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct Telemetry {
    /// How often the ticket, the log and the store are asked for what /metrics says of them
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    metrics_interval: Duration,
}

impl Telemetry {
    /// What is told to those who run it.
    pub const fn settings(&self) -> TelemetrySettings {
        TelemetrySettings {
            metrics_interval: self.metrics_interval,
        }
    }
}
