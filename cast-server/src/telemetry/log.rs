use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt};
#[cfg(feature = "otlp")]
use tracing_subscriber::{Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{Log, LogFormat};
#[cfg(feature = "otlp")]
use crate::{
    config::ConfigError,
    telemetry::traces::{Collector, Traces},
};

/// Starts to log. To be called once in a process.
pub fn init(log: &Log) {
    let filter = EnvFilter::new(&log.log);
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr);
    match log.log_format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Starts to log, and to send traces until what is returned is dropped. To be called once in a process,
/// outside of any runtime.
#[cfg(feature = "otlp")]
pub(crate) fn init_with_traces(log: &Log, collector: &Collector) -> Result<Traces, ConfigError> {
    let (traces, spans) = collector.open()?;
    // Only what is logged is filtered by it: a trace needs spans that no log shows.
    let filter = EnvFilter::new(&log.log);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match log.log_format {
        LogFormat::Text => {
            let lines = lines.with_ansi(io::stderr().is_terminal());
            lines.with_filter(filter).boxed()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            lines.with_filter(filter).boxed()
        }
    };
    tracing_subscriber::registry()
        .with(spans)
        .with(lines)
        .init();
    Ok(traces)
}
