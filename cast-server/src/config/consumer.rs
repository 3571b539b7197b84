//! The settings of `vote-consumer`.

use cast_core::Settings;
use clap::Args;

use super::{
    check::checked,
    fold::FoldConfig,
    http::HttpConfig,
    log::LogConfig,
    telemetry::TelemetryConfig,
    urls::{BusUrl, CounterUrl, StoreUrl, check_shared},
    values::ConfigError,
};

/// The settings of `vote-consumer`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct VoteConsumerConfig {
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub counter_url: CounterUrl,
    #[command(flatten)]
    pub bus_url: BusUrl,
    #[command(flatten)]
    pub store_url: StoreUrl,
    #[command(flatten)]
    pub fold: FoldConfig,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

impl VoteConsumerConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        check_shared(
            "vote-consumer",
            &[
                ("--counter-url", &self.counter_url.counter_url),
                ("--bus-url", &self.bus_url.bus_url),
                ("--store-url", &self.store_url.store_url),
            ],
        )?;
        checked(Settings {
            fold: self.fold.settings(),
            ..Settings::default()
        })
    }
}
