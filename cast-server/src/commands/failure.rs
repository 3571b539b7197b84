//! What the wiring cannot do, as a failure of the process.

use crate::{app::Failure, wiring::WiringError};

impl From<WiringError> for Failure {
    fn from(error: WiringError) -> Self {
        match error {
            WiringError::Config(error) => error.into(),
            WiringError::Data(error) => Self::Data(error.to_string()),
        }
    }
}
