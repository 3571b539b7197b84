//! Turns plain configuration into the settings of the rooms below, which do not know it.

use std::sync::Arc;

use cast_core::domain::Clock;

use crate::{
    config::{ConfigError, DocumentConfig, HttpConfig, LogConfig, LogFormat, TelemetryConfig},
    process::terminal,
    schema::DocumentLimits,
    telemetry::{self, traces},
    transport::HttpSettings,
};

/// The limits of connections and requests.
#[must_use]
pub fn http(config: &HttpConfig) -> HttpSettings {
    HttpSettings {
        max_connections: config.max_connections,
        idle_timeout: config.idle_timeout,
        header_deadline: config.header_deadline,
        body_deadline: config.body_deadline,
        request_deadline: config.request_deadline,
        drain_timeout: config.drain_timeout,
        max_body_size: config.max_body_size,
    }
}

/// The limits of GraphQL documents.
#[must_use]
pub fn documents(config: &DocumentConfig) -> DocumentLimits {
    DocumentLimits {
        max_size: config.max_document_size,
        max_cost: config.max_cost,
    }
}

/// Starts the log. To be called once in a process.
pub(crate) fn start_log(config: &LogConfig) {
    let is_json = config.log_format == LogFormat::Json;
    telemetry::init_log(&config.log, is_json, terminal::stderr_has_colour());
}

/// Starts to send traces, if there is a collector.
pub(crate) fn start_traces(
    config: &TelemetryConfig,
    clock: Arc<dyn Clock>,
) -> Result<(), ConfigError> {
    let Some(url) = config.collector()? else {
        return Ok(());
    };
    traces::start(&url, config.traces_ratio, clock)
        .map_err(|why| ConfigError(format!("--traces-url: {why}")))
}
