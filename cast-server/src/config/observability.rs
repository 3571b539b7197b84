//! What every process that listens reports to its operators.

use clap::Args;

use super::{log::LogConfig, telemetry::TelemetryConfig};

/// What every process that listens reports to its operators.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ObservabilityConfig {
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    #[command(flatten)]
    pub log: LogConfig,
}
