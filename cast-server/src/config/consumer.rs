//! The settings of `vote-consumer`.

use cast_core::Settings;
use clap::Args;

use super::{
    check::checked,
    fold::FoldConfig,
    process::ProcessConfig,
    urls::{FoldUrls, check_shared},
    values::ConfigError,
};

/// The settings of `vote-consumer`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct VoteConsumerConfig {
    #[command(flatten)]
    pub process: ProcessConfig,
    #[command(flatten)]
    pub urls: FoldUrls,
    #[command(flatten)]
    pub fold: FoldConfig,
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
