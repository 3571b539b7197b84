//! Where one machine keeps its votes.

use std::path::PathBuf;

use clap::Args;

use super::{
    urls::{Urls, VoteUrls},
    values::ConfigError,
};

/// Where `serve` keeps its votes, if no server does.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Data")]
pub struct DataConfig {
    /// The folder that keeps the votes and the ticket keys, where neither `--bus-url` nor
    /// `--store-url` names a server. One process uses it at a time. It must be on a disk of this
    /// machine
    #[arg(long, value_name = "FOLDER", default_value = "./cast-data")]
    pub data_dir: PathBuf,
    /// Keeps nothing: the votes are lost when the process ends
    #[arg(long)]
    pub in_memory: bool,
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
        if !self.in_memory && !has_server {
            let folder = VoteUrls::in_folder(&self.data_dir)?;
            urls.votes.bus = folder.bus;
            urls.votes.store = folder.store;
        }
        Ok(urls)
    }
}
