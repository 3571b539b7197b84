//! What a process reports to its operators.

use std::time::Duration;

use clap::Args;

use super::values::{ConfigError, Secret, duration, share};
use crate::protocol::{HttpUrl, HttpUrlError};

/// What a process reports to its operators.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics and traces")]
pub struct TelemetryConfig {
    /// How often the ticket, the log and the database are read for `/metrics`
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub metrics_interval: Duration,

    /// The collector that traces are sent to, by OTLP over HTTP: `http://HOST:4318/v1/traces`.
    /// Without it no traces are sent. Needs a program that was built with the feature `otlp`
    #[arg(long, value_name = "URL", hide_env_values = true)]
    traces_url: Option<Secret>,

    /// The share of GraphQL requests that are traced without their callers asking for it, from 0
    /// to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub traces_ratio: f64,
}

impl TelemetryConfig {
    /// Checks the settings of traces.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.collector().map(drop)
    }

    /// The collector of traces, if there is one. An error does not show the URL.
    pub(crate) fn collector(&self) -> Result<Option<HttpUrl>, ConfigError> {
        let Some(url) = &self.traces_url else {
            return if self.traces_ratio > 0.0 {
                let what = "--traces-ratio needs --traces-url, the collector to send traces to";
                Err(ConfigError(what.into()))
            } else {
                Ok(None)
            };
        };
        let url: HttpUrl = url.reveal().parse().map_err(|error: HttpUrlError| {
            ConfigError(format!(
                "--traces-url: {error}, as in http://HOST:4318/v1/traces"
            ))
        })?;
        Ok(Some(url))
    }
}
