//! The settings of `audit`.

use std::path::PathBuf;

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
    /// The data folder of a `serve`, running or stopped, in place of servers. The tallies that are
    /// shown are in the memory of that process, and are not compared
    #[arg(long, value_name = "FOLDER", help_heading = "Data")]
    pub data_dir: Option<PathBuf>,
    /// Writes the report as one JSON object
    #[arg(long, help_heading = "Report")]
    pub json: bool,
    #[command(flatten)]
    pub log: LogConfig,
}

impl AuditConfig {
    /// The servers or the folder to audit. Refuses servers in memory: an audit runs beside the processes
    /// that it checks.
    pub fn votes(&self) -> Result<VoteUrls, ConfigError> {
        let Some(folder) = &self.data_dir else {
            check_shared("audit", &self.urls.all())?;
            return Ok(self.urls.clone());
        };
        if self.urls.all().iter().any(|(_, url)| !url.is_memory()) {
            let what =
                "give --data-dir or servers, not both: they are the places of different votes";
            return Err(ConfigError(what.into()));
        }
        VoteUrls::in_folder(folder)
    }
}
