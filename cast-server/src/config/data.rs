//! Where one machine keeps its votes, and the commands on that folder.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{
    log::LogConfig,
    urls::{Urls, VoteUrls},
    values::{ConfigError, PortUrl, duration},
};

/// The folder of one machine.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data")]
pub struct FolderConfig {
    /// The folder that keeps the votes and the ticket keys of `serve`, where neither `--bus-url` nor
    /// `--store-url` names a server. One process uses it at a time. It must be on a disk of this
    /// machine
    #[arg(long, value_name = "FOLDER", default_value = "./cast-data")]
    pub data_dir: PathBuf,
}

/// Where `serve` keeps its votes, if no server does.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data")]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct DataConfig {
    #[command(flatten)]
    pub folder: FolderConfig,
    /// Keeps nothing: the votes are lost when the process ends
    #[arg(long)]
    pub in_memory: bool,
    /// Drops older records of the folder's log, once a verified `backup` has them and the votes are
    /// synced; without it, all are kept. A backup that is older than the oldest record is restored
    /// whole
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub log_retention: Option<Duration>,
}

impl DataConfig {
    /// The servers, with the folder where there is none.
    pub(super) fn place(&self, urls: &Urls) -> Result<Urls, ConfigError> {
        let mut urls = urls.clone();
        let (bus, store) = (&urls.votes.bus.bus_url, &urls.votes.store.store_url);
        let has_server = !bus.is_memory() || !store.is_memory();
        if self.in_memory && has_server {
            let what =
                "--in-memory keeps nothing, and --bus-url or --store-url does: give one of them";
            return Err(ConfigError(what.into()));
        }
        if self.log_retention.is_some() && (self.in_memory || has_server) {
            let what = "--log-retention is about the log in --data-dir, and --in-memory, --bus-url or \
                        --store-url keep it elsewhere: leave it out";
            return Err(ConfigError(what.into()));
        }
        if !self.in_memory && !has_server {
            let folder = VoteUrls::in_folder(&self.folder.data_dir)?;
            urls.votes.bus = folder.bus;
            urls.votes.store = folder.store;
        }
        Ok(urls)
    }
}

/// The settings of `backup`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct BackupConfig {
    /// The folder of the backup, which is new or empty
    pub target: PathBuf,
    #[command(flatten)]
    pub folder: FolderConfig,
}

/// The settings of `restore`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct RestoreConfig {
    /// The folder of the backup
    pub backup: PathBuf,
    #[command(flatten)]
    pub folder: FolderConfig,
}

/// The settings of `check`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct CheckConfig {
    #[command(flatten)]
    pub folder: FolderConfig,
}

/// The settings of `export`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ExportConfig {
    /// What to write
    #[arg(value_enum)]
    pub what: Exported,
    /// How to write it
    #[arg(long, value_enum, default_value = "csv", help_heading = "Format")]
    pub format: ExportFormat,
    #[command(flatten)]
    pub folder: FolderConfig,
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exported {
    /// Each counted ballot, in the order of counting; as CSV, a row for each of its selections
    Ballots,
    /// Each candidate and the votes
    Tallies,
    /// What was rejected, and why
    Rejections,
}

/// How `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values, with a line of names
    Csv,
    /// An object of JSON in each line
    Jsonl,
}

/// The settings of `move`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct MoveConfig {
    /// The log of the deployment to move into, as for `--bus-url`
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Target",
        hide_env_values = true
    )]
    pub to_bus: PortUrl,
    /// The database of the deployment to move into, as for `--store-url`
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Target",
        hide_env_values = true
    )]
    pub to_store: PortUrl,
    #[command(flatten)]
    pub folder: FolderConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

impl MoveConfig {
    /// The servers to move into. Refuses a target in this process or on this machine's disk.
    pub fn target(&self) -> Result<Urls, ConfigError> {
        let mut urls = Urls::default();
        urls.votes.bus.bus_url = self.to_bus.clone();
        urls.votes.store.store_url = self.to_store.clone();
        for (flag, url) in [("--to-bus", &self.to_bus), ("--to-store", &self.to_store)] {
            if url.is_memory() || url.folder().is_some() {
                let what = format!("{flag} must be a server, as in kafka://… and postgres://…");
                return Err(ConfigError(what));
            }
        }
        Ok(urls)
    }
}
