//! The settings that `serve` and `api` share.

use cast_core::{FoldSettings, Settings};
use clap::Args;

use super::{
    check::{check_request_deadline, checked},
    http::HttpConfig,
    ingest::IngestConfig,
    tallies::TallyConfig,
    tickets::TicketConfig,
    urls::Urls,
    values::ConfigError,
};

/// The settings of a process that accepts votes and shows tallies.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct VoteApiConfig {
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
}

impl VoteApiConfig {
    /// The settings of the use cases, checked.
    pub(super) fn settings(&self, fold: FoldSettings) -> Result<Settings, ConfigError> {
        let settings = checked(Settings {
            tickets: self.tickets.settings(),
            ingest: self.ingest.settings(),
            tallies: self.tallies.settings(),
            fold,
        })?;
        check_request_deadline(&settings, &self.http)?;
        Ok(settings)
    }
}
