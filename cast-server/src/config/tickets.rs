//! How tickets are issued, and with what keys.

use std::{fs, path::PathBuf, time::Duration};

use cast_core::{TicketSettings, domain::KeyRing};
use clap::Args;
use zeroize::Zeroizing;

use super::values::{ConfigError, Secret, duration, int};

/// How tickets are issued.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Tickets")]
#[expect(clippy::struct_field_names, reason = "each is a flag of this name")]
pub struct TicketConfig {
    /// How often a new ticket becomes current. At most `--ticket-uses` votes are accepted in each
    /// period
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    ticket_period: Duration,

    /// How long a ticket is valid; at least the period
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    ticket_ttl: Duration,

    /// How many ballots a ticket is good for
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = int)]
    ticket_uses: u32,

    /// The key ring: `id:hex` entries, newest first, separated by commas. An id is 0 to 255, a
    /// secret 32 bytes or more. Without one, `serve` with tickets in `memory:` generates a
    /// temporary key. Other users of the machine can see a flag: prefer the variable or the file
    #[arg(
        long,
        value_name = "RING",
        hide_env_values = true,
        hide_default_value = true
    )]
    ticket_secret: Option<Secret>,

    /// A file with the key ring, one `id:hex` entry a line
    #[arg(long, value_name = "PATH")]
    ticket_secret_file: Option<PathBuf>,
}

impl TicketConfig {
    /// The settings of the use case.
    pub fn settings(&self) -> TicketSettings {
        TicketSettings {
            period: self.ticket_period,
            ttl: self.ticket_ttl,
            uses: self.ticket_uses,
            // A constant: the clocks of servers are synchronized to well within its 5 s, and where
            // they are not, the clocks are what has to be set.
            ..TicketSettings::default()
        }
    }

    /// The key ring, if one is given.
    pub fn key_ring(&self) -> Result<Option<KeyRing>, ConfigError> {
        let (setting, text) = match (&self.ticket_secret, &self.ticket_secret_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let what = "give --ticket-secret or --ticket-secret-file, not both";
                return Err(ConfigError(what.into()));
            }
            (Some(secret), None) => {
                let secret = Zeroizing::new(secret.reveal().to_owned());
                (String::from("--ticket-secret"), secret)
            }
            (None, Some(path)) => {
                let setting = format!("--ticket-secret-file {}", path.display());
                let text = fs::read_to_string(path)
                    .map_err(|error| ConfigError(format!("{setting}: {error}")))?;
                (setting, Zeroizing::new(text))
            }
        };
        // The ring's own errors name the entry, never its text.
        let ring = text.parse();
        ring.map(Some)
            .map_err(|error| ConfigError(format!("{setting}: {error}")))
    }

    /// The key ring, which all processes that share the tickets must have.
    pub fn shared_key_ring(&self) -> Result<KeyRing, ConfigError> {
        self.key_ring()?.ok_or_else(|| {
            let what = "tickets outside of `memory:` need a key ring that all processes share and \
                        keep over restarts: give --ticket-secret-file, a file with a line such as \
                        1: and 64 hex digits (`openssl rand -hex 32` prints some), or \
                        --ticket-secret";
            ConfigError(what.into())
        })
    }
}
