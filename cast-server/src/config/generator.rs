//! The settings of `ticket-generator`.

use cast_core::Settings;
use clap::Args;

use super::{
    check::checked,
    http::HttpConfig,
    observability::ObservabilityConfig,
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
    pub url: TicketsUrl,
    #[command(flatten)]
    pub tickets: TicketConfig,
    #[command(flatten)]
    pub observability: ObservabilityConfig,
}

impl TicketGeneratorConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let url = ("--tickets-url", &self.url.tickets_url);
        check_shared("ticket-generator", &[url])?;
        checked(Settings {
            tickets: self.tickets.settings(),
            ..Settings::default()
        })
    }
}
