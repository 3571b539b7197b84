//! What every process that listens is set to.

use clap::Args;

use super::{http::HttpConfig, log::LogConfig, telemetry::TelemetryConfig};

/// What every process that listens is set to.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ProcessConfig {
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    #[command(flatten)]
    pub log: LogConfig,
}
