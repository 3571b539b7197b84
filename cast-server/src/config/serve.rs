//! The settings of `serve`.

use cast_core::Settings;
use clap::Args;

use super::{
    data::DataConfig, documents::DocumentConfig, fold::FoldConfig,
    observability::ObservabilityConfig, urls::Urls, values::ConfigError, vote_api::VoteApiConfig,
};

/// The settings of `serve`: those of `api`, and of the fold.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ServeConfig {
    #[command(flatten)]
    pub vote_api: VoteApiConfig,
    #[command(flatten)]
    pub data: DataConfig,
    #[command(flatten)]
    pub fold: FoldConfig,
    #[command(flatten)]
    pub documents: DocumentConfig,
    #[command(flatten)]
    pub observability: ObservabilityConfig,
}

impl ServeConfig {
    /// The servers that it uses, and the folder where it uses none.
    pub fn urls(&self) -> Result<Urls, ConfigError> {
        self.data.place(&self.vote_api.urls)
    }

    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        self.vote_api.settings(self.fold.settings())
    }
}
