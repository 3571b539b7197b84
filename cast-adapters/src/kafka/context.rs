//! Callbacks of the client: its log, and errors that belong to no call.

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
};

/// Forwards the log of a client, and nothing else.
pub(super) struct LoggingContext;

impl ClientContext for LoggingContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&error, reason);
    }
}

impl ConsumerContext for LoggingContext {}

/// Forwards one line of the client's log. The client retries what it logs as an error, so that is a
/// warning here; errors are what a caller gets.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};

    // Remarks about settings, at each start of a client. Ours are all explicit, each with its reason.
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

/// Logs an error that belongs to no call. The client logs each of them too.
pub(super) fn note(error: &KafkaError, reason: &str) {
    tracing::debug!(target: "kafka", %error, reason);
}
