//! The settings of `serve`.

use cast_core::Settings;
use clap::Args;

use super::{api::ApiConfig, fold::FoldConfig, values::ConfigError};

/// The settings of `serve`: those of `api`, and of the fold.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ServeConfig {
    #[command(flatten)]
    pub api: ApiConfig,
    #[command(flatten)]
    pub fold: FoldConfig,
}

impl ServeConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        self.api.settings_with(self.fold.settings())
    }
}
