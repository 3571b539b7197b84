//! The settings of `api`.

use cast_core::{FoldSettings, Settings};
use clap::Args;

use super::{
    documents::DocumentConfig, observability::ObservabilityConfig, urls::check_shared,
    values::ConfigError, vote_api::VoteApiConfig,
};

/// The settings of `api`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ApiConfig {
    #[command(flatten)]
    pub vote_api: VoteApiConfig,
    #[command(flatten)]
    pub documents: DocumentConfig,
    #[command(flatten)]
    pub observability: ObservabilityConfig,
}

impl ApiConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        check_shared("api", &self.vote_api.urls.all())?;
        self.vote_api.settings(FoldSettings::default())
    }
}
