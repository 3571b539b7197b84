//! The text of `cast.toml`.

use std::{fs, path::PathBuf, process, thread};

use cast_server::{
    app::settings::{documents, http},
    commands::{Role, parse},
};

/// The secret in the corpus.
const SECRET: &str = "5eC2e7";

/// The settings that may hold a secret, and are never shown.
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

/// Using accepted settings does not panic, and no error shows a secret.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let file = SettingsFile::with(text);
    let path = file.0.to_str().expect("a path in UTF-8");
    let visible = visible(text);
    // The role that has all settings, and one of the others.
    for role in ["serve", ROLES[text.len() % ROLES.len()]] {
        let args = ["cast-server", role, "--config", path].map(Into::into);
        let used = parse(args)
            .map_err(|error| error.to_string())
            .and_then(|cli| use_settings(&cli.role));
        if let Err(error) = used {
            assert!(
                visible.contains(SECRET) || !error.contains(SECRET),
                "{error}"
            );
        }
    }
}

/// A file that is removed when it is dropped. Each thread of each process has its own.
struct SettingsFile(PathBuf);

impl SettingsFile {
    fn with(text: &str) -> Self {
        let thread = format!("{:?}", thread::current().id());
        let number: String = thread.chars().filter(char::is_ascii_digit).collect();
        let name = format!("cast-settings-{}-{number}.toml", process::id());
        let file = Self(std::env::temp_dir().join(name));
        fs::write(&file.0, text).expect("a writable temporary folder");
        file
    }
}

impl Drop for SettingsFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What an error may show of a file: keys, and the values of settings that hold no secret; of a file that
/// cannot be read, what stands before the `=` of each line.
fn visible(text: &str) -> String {
    match text.parse::<toml::Table>() {
        Ok(table) if table.values().all(is_scalar) => table
            .iter()
            .filter(|(key, _)| !HIDDEN.contains(&key.as_str()))
            .map(|(key, value)| format!("{key} {value} "))
            .chain(table.keys().cloned())
            .collect(),
        _ => text
            .lines()
            .map(|line| line.split('=').next().unwrap_or_default())
            .collect(),
    }
}

fn is_scalar(value: &toml::Value) -> bool {
    value.is_str() || value.is_integer() || value.is_float()
}

/// Does with settings what a role does before it starts.
fn use_settings(role: &Role) -> Result<(), String> {
    let (settings, limits, observability) = match role {
        Role::Serve(config) => {
            let _ = documents(&config.documents);
            let limits = &config.vote_api.http;
            (config.settings(), limits, &config.observability)
        }
        Role::Api(config) => {
            let _ = documents(&config.documents);
            let limits = &config.vote_api.http;
            (config.settings(), limits, &config.observability)
        }
        Role::TicketGenerator(config) => (config.settings(), &config.http, &config.observability),
        Role::VoteConsumer(config) => (config.settings(), &config.http, &config.observability),
        _ => return Ok(()),
    };
    let _ = http(limits);
    let telemetry = &observability.telemetry;
    telemetry.check().map_err(|error| error.to_string())?;
    let settings = settings.map_err(|error| error.to_string())?;
    settings.check().map_err(|error| error.to_string())
}
