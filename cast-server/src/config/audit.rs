//! The settings of `audit`.

use clap::Args;

use super::{
    log::LogConfig,
    urls::{VoteUrls, check_shared},
    values::ConfigError,
};

/// The settings of `audit`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct AuditConfig {
    #[command(flatten)]
    pub urls: VoteUrls,
    /// Writes the report as one JSON object
    #[arg(long, help_heading = "Report")]
    pub json: bool,
    #[command(flatten)]
    pub log: LogConfig,
}

impl AuditConfig {
    /// Refuses servers in memory: an audit runs beside the processes that it checks.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_shared("audit", &self.urls.all())
    }
}
