//! The settings of `serve`.

use cast_core::Settings;
use clap::Args;

use super::{
    documents::DocumentConfig, fold::FoldConfig, observability::ObservabilityConfig,
    values::ConfigError, vote_api::VoteApiConfig,
};

/// The settings of `serve`: those of `api`, and of the fold.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ServeConfig {
    #[command(flatten)]
    pub vote_api: VoteApiConfig,
    #[command(flatten)]
    pub fold: FoldConfig,
    #[command(flatten)]
    pub documents: DocumentConfig,
    #[command(flatten)]
    pub observability: ObservabilityConfig,
}

impl ServeConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        self.vote_api.settings(self.fold.settings())
    }
}
