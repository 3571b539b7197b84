//! What is logged, and how.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::values::nearest;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub struct LogConfig {
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace` or `off`), or levels by
    /// target, as in `info,cast_core=debug`. An error that ends the process is shown whatever it is
    #[arg(long, value_name = "FILTER", default_value = "info,poem=warn", value_parser = filter)]
    pub log: String,

    /// How the log is written to standard error
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs: a JSON object a line
    Json,
}

/// A filter whose every part names a level. `tracing` itself takes a word that is no level for the
/// name of a target, and would log nothing else: so a misspelt level would silence the log.
fn filter(text: &str) -> Result<String, String> {
    let is_level = |word: &str| LEVELS.contains(&word.to_ascii_lowercase().as_str());
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    for part in parts {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        // A filter by span or field may hold commas and equals signs of its own.
        if part.contains(['[', ']', '{', '}', '"']) || is_level(level) {
            continue;
        }
        let hint = match nearest(level, LEVELS) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("levels are {}", LEVELS.join(", ")),
        };
        return Err(format!("{level:?} is no level: {hint}"));
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_filter_names_a_level() {
        for text in [
            "info",
            "INFO",
            "info,poem=warn",
            "off,cast_core=trace",
            "warn,[request]=debug",
        ] {
            assert_eq!(filter(text).as_deref(), Ok(text));
        }
        let error = filter("inof").unwrap_err();
        assert!(error.contains("did you mean info?"), "{error}");
        let error = filter("info,cast=loud").unwrap_err();
        assert!(error.contains("levels are off, error"), "{error}");
    }
}
