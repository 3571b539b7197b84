//! Checks of settings against each other.

use cast_core::{Setting, Settings, SettingsError};

use super::{http::HttpConfig, values::ConfigError};

/// The settings, if the use cases can work with them.
pub(super) fn checked(settings: Settings) -> Result<Settings, ConfigError> {
    match settings.check() {
        Ok(()) => Ok(settings),
        Err(error) => Err(ConfigError(by_flag(&error))),
    }
}

/// The error, with the settings named by their flags.
fn by_flag(error: &SettingsError) -> String {
    match error {
        SettingsError::TicketGap { ttl, period } => format!(
            "{} ({ttl:?}) must be at least {} ({period:?}): otherwise no ticket is valid in between",
            flag(Setting::TicketTtl),
            flag(Setting::TicketPeriod)
        ),
        SettingsError::Zero { setting } => format!("{} must be at least 1", flag(*setting)),
        SettingsError::NotWholeMs { setting } => format!(
            "{} must be a whole number of milliseconds, at least 1 ms",
            flag(*setting)
        ),
    }
}

const fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::TicketPeriod => "--ticket-period",
        Setting::TicketTtl => "--ticket-ttl",
        Setting::TicketUses => "--ticket-uses",
        Setting::IntakeCapacity => "--intake-capacity",
        Setting::FlushLimit => "--flush-limit",
        Setting::FlushesInFlight => "--flushes-in-flight",
        Setting::MaxVotes => "--max-votes",
        Setting::FoldLimit => "--fold-limit",
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
