//! The settings of `api`.

use cast_core::Settings;
use clap::Args;

use super::{
    check::{check_request_deadline, checked},
    documents::DocumentConfig,
    http::HttpConfig,
    ingest::IngestConfig,
    log::LogConfig,
    tallies::TallyConfig,
    telemetry::TelemetryConfig,
    tickets::TicketConfig,
    urls::{Urls, check_shared},
    values::ConfigError,
};

/// The settings of `api`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ApiConfig {
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub urls: Urls,
    #[command(flatten)]
    pub tickets: TicketConfig,
    #[command(flatten)]
    pub ingest: IngestConfig,
    #[command(flatten)]
    pub tallies: TallyConfig,
    #[command(flatten)]
    pub documents: DocumentConfig,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

impl ApiConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let urls = &self.urls;
        check_shared(
            "api",
            &[
                ("--tickets-url", &urls.tickets.tickets_url),
                ("--counter-url", &urls.counter.counter_url),
                ("--bus-url", &urls.bus.bus_url),
                ("--store-url", &urls.store.store_url),
            ],
        )?;
        let settings = checked(Settings {
            tickets: self.tickets.settings(),
            ingest: self.ingest.settings(),
            tallies: self.tallies.settings(),
            ..Settings::default()
        })?;
        check_request_deadline(&settings, &self.http)?;
        Ok(settings)
    }
}
