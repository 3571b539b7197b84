//! Checks of settings against each other.

use cast_core::Settings;

use super::{http::HttpConfig, values::ConfigError};

/// The settings, if the use cases can work with them.
pub(super) fn checked(settings: Settings) -> Result<Settings, ConfigError> {
    match settings.check() {
        Ok(()) => Ok(settings),
        Err(error) => Err(ConfigError(format!("--{error}"))),
    }
}

/// A request must outlast its vote: otherwise voters would get `OUTCOME_UNKNOWN` for votes whose
/// outcome is known a moment later.
pub(super) fn check_request_deadline(
    settings: &Settings,
    http: &HttpConfig,
) -> Result<(), ConfigError> {
    let (ingest, tallies) = (&settings.ingest, &settings.tallies);
    // A flush may have to refresh the tally of a candidate.
    let others = ingest.redeem_deadline
        + ingest.record_deadline
        + tallies.store_deadline
        + 2 * tallies.read_deadline;
    let vote = ingest.max_wait + ingest.publish_deadline + others;
    let request = http.request_deadline;
    if request > vote {
        return Ok(());
    }
    Err(ConfigError(format!(
        "--request-deadline ({request:?}) must be longer than a vote may take ({vote:?}): \
         --max-wait ({:?}), --publish-deadline ({:?}) and {others:?} for the other steps together",
        ingest.max_wait, ingest.publish_deadline
    )))
}
