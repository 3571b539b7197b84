//! The settings of `ticket-generator`.

use cast_core::Settings;
use clap::Args;

use super::{
    check::checked,
    http::HttpConfig,
    log::LogConfig,
    telemetry::TelemetryConfig,
    tickets::TicketConfig,
    urls::{TicketsUrl, check_shared},
    values::ConfigError,
};

/// The settings of `ticket-generator`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct TicketGeneratorConfig {
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub tickets_url: TicketsUrl,
    #[command(flatten)]
    pub tickets: TicketConfig,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

impl TicketGeneratorConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let urls = [("--tickets-url", &self.tickets_url.tickets_url)];
        check_shared("ticket-generator", &urls)?;
        checked(Settings {
            tickets: self.tickets.settings(),
            ..Settings::default()
        })
    }
}
