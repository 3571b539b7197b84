//! What is logged, and how.

use clap::{Args, ValueEnum};

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub struct Log {
    /// What is logged: a level, or levels by target, as `info,cast_core=debug`
    #[arg(long, value_name = "FILTER", default_value = "info,poem=warn", value_parser = filter)]
    pub log: String,

    /// How the log is written, to standard error
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs: an object a line
    Json,
}

fn filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.into()),
        Err(error) => Err(error.to_string()),
    }
}
