//! Which settings each role has. One file of settings serves all of them.

use cast_core::{Setting, Settings, SettingsError};
use clap::Args;

use super::{
    BusUrl, ConfigError, CounterUrl, Documents, Folding, Http, IngestConfig, Log, MemoryLog,
    StoreUrl, Tallies, Telemetry, Tickets, TicketsUrl, Urls, urls::shared,
};

/// The settings of `serve`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ServeConfig {
    #[command(flatten)]
    pub http: Http,
    #[command(flatten)]
    pub urls: Urls,
    #[command(flatten)]
    pub memory_log: MemoryLog,
    #[command(flatten)]
    pub tickets: Tickets,
    #[command(flatten)]
    pub ingest: IngestConfig,
    #[command(flatten)]
    pub tallies: Tallies,
    #[command(flatten)]
    pub fold: Folding,
    #[command(flatten)]
    pub documents: Documents,
    #[command(flatten)]
    pub telemetry: Telemetry,
    #[command(flatten)]
    pub log: Log,
}

impl ServeConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let settings = checked(Settings {
            tickets: self.tickets.settings(),
            ingest: self.ingest.settings(),
            tallies: self.tallies.settings(),
            fold: self.fold.settings(),
        })?;
        check_request_deadline(&settings, &self.http)?;
        Ok(settings)
    }
}

/// The settings of `api`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct ApiConfig {
    #[command(flatten)]
    pub http: Http,
    #[command(flatten)]
    pub urls: Urls,
    #[command(flatten)]
    pub tickets: Tickets,
    #[command(flatten)]
    pub ingest: IngestConfig,
    #[command(flatten)]
    pub tallies: Tallies,
    #[command(flatten)]
    pub documents: Documents,
    #[command(flatten)]
    pub telemetry: Telemetry,
    #[command(flatten)]
    pub log: Log,
}

impl ApiConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let urls = &self.urls;
        let needed = [
            ("tickets-url", &urls.tickets.tickets_url),
            ("counter-url", &urls.counter.counter_url),
            ("bus-url", &urls.bus.bus_url),
            ("store-url", &urls.store.store_url),
        ];
        shared("api", needed)?;
        let settings = checked(Settings {
            tickets: self.tickets.settings(),
            ingest: self.ingest.settings(),
            tallies: self.tallies.settings(),
            ..Settings::default()
        })?;
        check_request_deadline(&settings, &self.http)?;
        Ok(settings)
    }
}

/// The settings of `ticket-generator`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct TicketGeneratorConfig {
    #[command(flatten)]
    pub http: Http,
    #[command(flatten)]
    pub tickets_url: TicketsUrl,
    #[command(flatten)]
    pub tickets: Tickets,
    #[command(flatten)]
    pub telemetry: Telemetry,
    #[command(flatten)]
    pub log: Log,
}

impl TicketGeneratorConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let needed = [("tickets-url", &self.tickets_url.tickets_url)];
        shared("ticket-generator", needed)?;
        checked(Settings {
            tickets: self.tickets.settings(),
            ..Settings::default()
        })
    }
}

/// The settings of `vote-consumer`.
#[derive(Args, Clone, Debug)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct VoteConsumerConfig {
    #[command(flatten)]
    pub http: Http,
    #[command(flatten)]
    pub counter_url: CounterUrl,
    #[command(flatten)]
    pub bus_url: BusUrl,
    #[command(flatten)]
    pub store_url: StoreUrl,
    #[command(flatten)]
    pub fold: Folding,
    #[command(flatten)]
    pub telemetry: Telemetry,
    #[command(flatten)]
    pub log: Log,
}

impl VoteConsumerConfig {
    /// The settings of the use cases, checked.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let needed = [
            ("bus-url", &self.bus_url.bus_url),
            ("counter-url", &self.counter_url.counter_url),
            ("store-url", &self.store_url.store_url),
        ];
        shared("vote-consumer", needed)?;
        checked(Settings {
            fold: self.fold.settings(),
            ..Settings::default()
        })
    }
}

fn checked(settings: Settings) -> Result<Settings, ConfigError> {
    match settings.check() {
        Ok(()) => Ok(settings),
        Err(error) => Err(ConfigError(by_flag(&error))),
    }
}

/// The error, with the settings named by their flags.
fn by_flag(error: &SettingsError) -> String {
    match error {
        SettingsError::TicketGap { ttl, period } => format!(
            "{} ({ttl:?}) must be at least {} ({period:?}): otherwise no ticket is valid in between",
            flag(Setting::TicketTtl),
            flag(Setting::TicketPeriod)
        ),
        SettingsError::Zero { setting } => format!("{} must be at least 1", flag(*setting)),
        SettingsError::NotWholeMs { setting } => format!(
            "{} must be a whole number of milliseconds, at least 1 ms",
            flag(*setting)
        ),
    }
}

const fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::TicketPeriod => "--ticket-period",
        Setting::TicketTtl => "--ticket-ttl",
        Setting::TicketUses => "--ticket-uses",
        Setting::IntakeCapacity => "--intake-capacity",
        Setting::FlushLimit => "--flush-limit",
        Setting::FlushesInFlight => "--flushes-in-flight",
        Setting::MaxVotes => "--max-votes",
        Setting::FoldLimit => "--fold-limit",
    }
}

/// A request must outlast its vote: otherwise voters would be told that the outcome is not known
/// where it is.
fn check_request_deadline(settings: &Settings, http: &Http) -> Result<(), ConfigError> {
    let (door, tallies) = (&settings.ingest, &settings.tallies);
    // What a flush may take, a candidate that has to be healed included.
    let flush = door.redeem_deadline
        + door.publish_deadline
        + door.record_deadline
        + tallies.store_deadline
        + 2 * tallies.read_deadline;
    let vote = door.max_wait + flush;
    let request = http.settings().request_deadline;
    if request > vote {
        return Ok(());
    }
    Err(ConfigError(format!(
        "request-deadline ({request:?}) must be longer than max-wait, redeem-deadline, \
         publish-deadline, record-deadline, store-deadline and twice read-deadline together \
         ({vote:?})"
    )))
}
