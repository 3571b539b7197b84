//! The settings of `vote-consumer`.

use cast_core::Settings;
use clap::Args;

use super::{
    check::checked,
    fold::FoldConfig,
    http::HttpConfig,
    observability::ObservabilityConfig,
    urls::{VoteUrls, check_shared},
    values::ConfigError,
};

/// The settings of `vote-consumer`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct VoteConsumerConfig {
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub urls: VoteUrls,
    #[command(flatten)]
    pub fold: FoldConfig,
    #[command(flatten)]
    pub observability: ObservabilityConfig,
}

impl VoteConsumerConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        check_shared("vote-consumer", &self.urls.all())?;
        checked(Settings {
            fold: self.fold.settings(),
            ..Settings::default()
        })
    }
}
