//! What the client tells by itself: its log, and the errors that nobody asked for.

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
};

/// Passes on the log of a client that nothing else hangs on.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
    }
}

impl ConsumerContext for Quiet {}

/// One line of the client's log. What it calls an error, it tries again by itself: here that is a
/// warning, and an error is what a caller is told of.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};

    // Notes on settings, at each start of a client. All of ours are explicit, each with its reason.
    if facility == "CONFWARN" {
        tracing::debug!(target: "kafka", facility, "{message}");
        return;
    }
    match level {
        Emerg | Alert | Critical | Error | Warning => {
            tracing::warn!(target: "kafka", facility, "{message}");
        }
        Notice | Info => tracing::info!(target: "kafka", facility, "{message}"),
        Debug => tracing::debug!(target: "kafka", facility, "{message}"),
    }
}

/// An error that belongs to no call. The client logs each of them too.
pub(super) fn note(error: &KafkaError, reason: &str) {
    tracing::debug!(target: "kafka", %error, reason);
}
