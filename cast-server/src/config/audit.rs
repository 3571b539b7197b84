//! The settings of `audit`.

use clap::Args;

use super::{
    log::LogConfig,
    urls::{BusUrl, CounterUrl, StoreUrl, check_shared},
    values::ConfigError,
};

/// The settings of `audit`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct AuditConfig {
    #[command(flatten)]
    pub counter_url: CounterUrl,
    #[command(flatten)]
    pub bus_url: BusUrl,
    #[command(flatten)]
    pub store_url: StoreUrl,
    /// Writes the report as one JSON object
    #[arg(long, help_heading = "Report")]
    pub json: bool,
    #[command(flatten)]
    pub log: LogConfig,
}

impl AuditConfig {
    /// Refuses servers in memory: an audit runs beside the processes that it checks.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_shared(
            "audit",
            &[
                ("--counter-url", &self.counter_url.counter_url),
                ("--bus-url", &self.bus_url.bus_url),
                ("--store-url", &self.store_url.store_url),
            ],
        )
    }
}
