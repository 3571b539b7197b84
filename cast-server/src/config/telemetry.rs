//! What is told to those who run it.

use std::time::Duration;

use clap::Args;

use super::{
    ConfigError,
    values::{Secret, duration},
};
use crate::{
    protocol::HttpUrl,
    telemetry::{TelemetrySettings, traces::Collector},
};

/// What is told to those who run it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics and traces")]
pub struct Telemetry {
    /// How often the ticket, the log and the store are asked for what /metrics says of them
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    metrics_interval: Duration,

    /// Where traces are sent, by OTLP over HTTP: `http://HOST:4318/v1/traces`. Without it, nowhere. A
    /// program that was built without the feature `otlp` has none to send
    #[arg(long, value_name = "URL", hide_env_values = true)]
    traces_url: Option<Secret>,

    /// The share of the GraphQL requests that are traced though their callers do not ask for it, from 0
    /// to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    traces_ratio: f64,
}

fn share(text: &str) -> Result<f64, &'static str> {
    const FORM: &str = "a share is a number from 0 to 1";
    let share: f64 = text.parse().map_err(|_| FORM)?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(FORM)
    }
}

impl Telemetry {
    /// Where traces go, if anywhere. Neither TLS nor a password is spoken, and an error shows none.
    pub fn collector(&self) -> Result<Option<Collector>, ConfigError> {
        let Some(url) = &self.traces_url else {
            return if self.traces_ratio > 0.0 {
                let missing = "traces-ratio: say with traces-url where traces go";
                Err(ConfigError(missing.into()))
            } else {
                Ok(None)
            };
        };
        let url = url.reveal().parse().ok();
        let url = url.filter(|url: &HttpUrl| !url.path_or("").is_empty());
        let url = url.ok_or_else(|| {
            ConfigError("traces-url: the address is written http://HOST:4318/v1/traces".into())
        })?;
        let ratio = self.traces_ratio;
        Ok(Some(Collector { url, ratio }))
    }

    /// What is told to those who run it.
    pub const fn settings(&self) -> TelemetrySettings {
        TelemetrySettings {
            metrics_interval: self.metrics_interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_from_0_to_1() {
        for (text, expected) in [("0", 0.0), ("1", 1.0), ("0.25", 0.25)] {
            assert_eq!(share(text), Ok(expected));
        }
        for text in ["", "-0.1", "1.1", "NaN", "inf", "a"] {
            share(text).unwrap_err();
        }
    }
}
