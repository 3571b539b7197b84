//! What is told to those who run it.

use std::time::Duration;

use clap::Args;

use super::values::duration;
use crate::telemetry::TelemetrySettings;
#[cfg(feature = "otlp")]
use crate::telemetry::traces::Collector;

/// What is told to those who run it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics and traces")]
pub struct Telemetry {
    /// How often the ticket, the log and the store are asked for what /metrics says of them
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    metrics_interval: Duration,

    /// Where traces are sent, by OTLP over HTTP: `http://host:4318/v1/traces`. Otherwise nowhere
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL")]
    traces_url: Option<String>,

    /// The share of the requests that are traced though nobody asks for it, from 0 to 1
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    traces_ratio: f64,
}

#[cfg(feature = "otlp")]
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it must be a number")?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("it must be from 0 to 1".into())
    }
}

impl Telemetry {
    /// Where traces go, if anywhere.
    #[cfg(feature = "otlp")]
    pub fn collector(&self) -> Option<Collector> {
        let url = self.traces_url.clone()?;
        let ratio = self.traces_ratio;
        Some(Collector { url, ratio })
    }

    /// What is told to those who run it.
    pub const fn settings(&self) -> TelemetrySettings {
        TelemetrySettings {
            metrics_interval: self.metrics_interval,
        }
    }
}
