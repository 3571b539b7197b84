//! Why a transfer ended before its end.

use crate::ports::PortError;

/// Why a transfer did not succeed. What was published stays, and the transfer may be run again.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A port failed, or did so for longer than a transfer waits.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The target has votes of another origin.
    #[error("the target is not empty: {0}; move into an empty deployment")]
    Occupied(String),
    /// The target does not have what the origin has.
    #[error("the target differs from what was moved: {0}")]
    Differs(String),
}
