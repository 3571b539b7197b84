//! The settings of `serve`.

use cast_core::Settings;
use clap::Args;

use super::{
    check::{check_request_deadline, checked},
    documents::DocumentConfig,
    fold::FoldConfig,
    http::HttpConfig,
    ingest::IngestConfig,
    log::LogConfig,
    tallies::TallyConfig,
    telemetry::TelemetryConfig,
    tickets::TicketConfig,
    urls::Urls,
    values::ConfigError,
};

/// The settings of `serve`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ServeConfig {
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
    pub fold: FoldConfig,
    #[command(flatten)]
    pub documents: DocumentConfig,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

impl ServeConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let settings = checked(Settings {
            tickets: self.tickets.settings(),
            ingest: self.ingest.settings(),
            tallies: self.tallies.settings(),
            fold: self.fold.settings(),
        })?;
        check_request_deadline(&settings, &self.http)?;
        Ok(settings)
    }
}
