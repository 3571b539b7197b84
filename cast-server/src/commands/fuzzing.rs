//! The laws of settings.

use std::{ffi::OsString, path::Path};

use clap::FromArgMatches as _;

use super::{Cli, Role, command};
use crate::{
    app::settings,
    config::{ConfigError, File, Usage, duration, matches_with, setting_names, size},
};

/// What stands in the secrets of the corpus: whoever shows it shows a secret.
const SECRET: &str = "5eC2e7";

/// What may hold a secret, and is never shown.
const HIDDEN: [&str; 6] = [
    "bus-url",
    "counter-url",
    "store-url",
    "ticket-secret",
    "tickets-url",
    "traces-url",
];

const ROLES: [&str; 6] = [
    "serve",
    "api",
    "ticket-generator",
    "vote-consumer",
    "migrate",
    "audit",
];

/// The text of `cast.toml`.
///
/// Durations and sizes are told as they are written. Settings that are accepted can be used. No error
/// shows a secret.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let file = match File::parse(Path::new("cast.toml"), text) {
        Ok(file) => file,
        Err(error) => return assert_hides(&error.to_string(), &keys(text)),
    };
    for (_, value) in file.values() {
        assert_written(value);
    }
    let command = command();
    let values = file.values();
    let shown =
        values.map(|(key, value)| [key, if HIDDEN.contains(&key) { "" } else { value }].concat());
    let shown = shown.collect::<Vec<_>>().concat();
    if let Err(error) = file.check(&setting_names(&command)) {
        return assert_hides(&error.to_string(), &shown);
    }
    // The role that has all settings, and one of the others.
    for role in ["serve", ROLES[text.len() % ROLES.len()]] {
        let args = ["cast-server", role].map(OsString::from);
        let used = matches_with(command.clone(), &file, &args)
            .and_then(|matches| Ok(Cli::from_arg_matches(&matches)?))
            .and_then(|cli| use_settings(&cli.role).map_err(Usage::Config));
        if let Err(error) = used {
            assert_hides(&error.to_string(), &shown);
        }
    }
}

/// What stands before the first `=` of each line.
fn keys(text: &str) -> String {
    text.lines()
        .map(|line| line.split('=').next().unwrap_or_default())
        .collect()
}

/// That `error` does not show the secret, unless it stands where it is none.
fn assert_hides(error: &str, shown: &str) {
    assert!(shown.contains(SECRET) || !error.contains(SECRET), "{error}");
}

/// That a duration or a size is what was written.
fn assert_written(text: &str) {
    if let Ok(read) = duration(text) {
        assert!(!read.is_zero());
        let written = humantime::format_duration(read).to_string();
        assert_eq!(duration(&written), Ok(read));
    }
    if let Ok(read) = size(text) {
        assert_ne!(read, 0);
        assert_eq!(size(&read.to_string()), Ok(read));
    }
}

/// Does with settings what a role does before it starts.
fn use_settings(role: &Role) -> Result<(), ConfigError> {
    let settings = match role {
        Role::Serve(config) => {
            let _ = settings::documents(&config.documents);
            let _ = config.telemetry.collector()?;
            config.settings()?
        }
        Role::Api(config) => {
            let _ = settings::documents(&config.documents);
            let _ = config.telemetry.collector()?;
            config.settings()?
        }
        Role::TicketGenerator(config) => {
            let _ = config.telemetry.collector()?;
            config.settings()?
        }
        Role::VoteConsumer(config) => {
            let _ = config.telemetry.collector()?;
            config.settings()?
        }
        Role::Migrate(_)
        | Role::Audit(_)
        | Role::Bench(_)
        | Role::Completions(_)
        | Role::Demo(_)
        | Role::Health(_)
        | Role::Schema => {
            return Ok(());
        }
    };
    settings
        .check()
        .map_err(|error| ConfigError(error.to_string()))
}
