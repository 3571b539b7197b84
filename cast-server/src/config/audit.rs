//! How an audit is done.

use cast_core::AuditSettings;
use clap::Args;

use super::{
    ConfigError, Log,
    urls::{BusUrl, CounterUrl, StoreUrl, shared},
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
    /// How many differences are listed; the others are counted
    #[arg(long, value_name = "COUNT", default_value_t = AuditSettings::default().max_findings)]
    pub max_findings: usize,
    /// Writes the report as one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub log: Log,
}

impl AuditConfig {
    /// The settings of the use case, checked: what another process has in memory, nobody can audit.
    pub fn settings(&self) -> Result<AuditSettings, ConfigError> {
        let needed = [
            ("bus-url", &self.bus_url.bus_url),
            ("counter-url", &self.counter_url.counter_url),
            ("store-url", &self.store_url.store_url),
        ];
        shared("audit", needed)?;
        Ok(AuditSettings {
            max_findings: self.max_findings,
            ..AuditSettings::default()
        })
    }
}
