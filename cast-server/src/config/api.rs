//! The settings of `api`.

use cast_core::{FoldSettings, Settings};
use clap::Args;

use super::{
    check::{check_request_deadline, checked},
    documents::DocumentConfig,
    ingest::IngestConfig,
    process::ProcessConfig,
    tallies::TallyConfig,
    tickets::TicketConfig,
    urls::{Urls, check_shared},
    values::ConfigError,
};

/// The settings of `api`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ApiConfig {
    #[command(flatten)]
    pub process: ProcessConfig,
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
}

impl ApiConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        check_shared("api", &self.urls.all())?;
        self.settings_with(FoldSettings::default())
    }

    /// Likewise, of a process that may be the only one, and folds like this.
    pub(super) fn settings_with(&self, fold: FoldSettings) -> Result<Settings, ConfigError> {
        let settings = checked(Settings {
            tickets: self.tickets.settings(),
            ingest: self.ingest.settings(),
            tallies: self.tallies.settings(),
            fold,
        })?;
        check_request_deadline(&settings, &self.process.http)?;
        Ok(settings)
    }
}
