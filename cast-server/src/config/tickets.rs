//! How tickets are issued, and with what keys.

use std::{fs, path::PathBuf, time::Duration};

use cast_core::{TicketSettings, domain::KeyRing, ports::Entropy};
use clap::Args;
use zeroize::Zeroizing;

use super::{
    ConfigError,
    values::{Secret, duration, int},
};

/// How tickets are issued.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Tickets")]
pub struct Tickets {
    /// How often a new ticket becomes current
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    ticket_period: Duration,

    /// How long a ticket votes; at least the period
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    ticket_ttl: Duration,

    /// How many ballots a ticket buys
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = int())]
    ticket_uses: u32,

    /// How far this process's clock may be from that of the ticket source
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    ticket_clock_skew: Duration,

    #[command(flatten)]
    keys: Keys,
}

/// The keys that make tickets self-certifying.
#[derive(Args, Clone, Debug)]
struct Keys {
    /// The key ring: `id:hex` entries, newest first, separated by commas. An id is 0 to 255, a
    /// secret 32 bytes or more. Without a ring, `serve` with tickets in memory: makes its own. A flag can be seen by
    /// others on the machine: prefer the variable or the file
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

impl Tickets {
    pub(super) const fn settings(&self) -> TicketSettings {
        TicketSettings {
            period: self.ticket_period,
            ttl: self.ticket_ttl,
            uses: self.ticket_uses,
            clock_skew: self.ticket_clock_skew,
        }
    }

    /// The key ring that was given; or one of its own, which no other process shares.
    pub fn key_ring(&self, entropy: &dyn Entropy) -> Result<KeyRing, ConfigError> {
        if let Some(given) = self.keys.given()? {
            return Ok(given);
        }
        tracing::info!("made a key ring: other processes refuse the tickets of this one");
        Ok(KeyRing::generate(entropy))
    }

    /// The key ring that was given, which all processes that share the tickets have.
    pub fn shared_key_ring(&self) -> Result<KeyRing, ConfigError> {
        self.keys.given()?.ok_or_else(|| {
            let what = "tickets that are not in memory: need a key ring that all processes share, \
                        also before and after a restart: give ticket-secret-file or ticket-secret, as in `1:` and 64 hex digits \
                        (`openssl rand -hex 32` makes them)";
            ConfigError(what.into())
        })
    }
}

impl Keys {
    fn given(&self) -> Result<Option<KeyRing>, ConfigError> {
        let (setting, text) = match (&self.ticket_secret, &self.ticket_secret_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let what = "give ticket-secret or ticket-secret-file, not both";
                return Err(ConfigError(what.into()));
            }
            (Some(secret), None) => {
                let secret = Zeroizing::new(secret.reveal().to_owned());
                (String::from("ticket-secret"), secret)
            }
            (None, Some(path)) => {
                let setting = format!("ticket-secret-file {}", path.display());
                let text = fs::read_to_string(path)
                    .map_err(|error| ConfigError(format!("{setting}: {error}")))?;
                (setting, Zeroizing::new(text))
            }
        };
        // The ring's own errors say where something is wrong, not what is there.
        let ring = text.parse();
        ring.map(Some)
            .map_err(|error| ConfigError(format!("{setting}: {error}")))
    }
}
