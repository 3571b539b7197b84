//! Why there are no ports.

use cast_adapters::sqlite::DataDirError;

use crate::config::ConfigError;

/// Why ports cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// Settings that cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] DataDirError),
}
