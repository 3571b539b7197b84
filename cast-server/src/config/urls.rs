//! What a CAST stands on.

use clap::Args;

use super::{
    ConfigError,
    values::{PortUrl, count},
};

/// Declares the setting that says where one port is.
macro_rules! url {
    ($(#[$doc:meta])* $name:ident { $field:ident }) => {
        #[doc = concat!("`", stringify!($field), "`, as a setting.")]
        #[derive(Args, Clone, Debug)]
        #[command(next_help_heading = "Where things are kept")]
        pub struct $name {
            $(#[$doc])*
            #[arg(
                long,
                value_name = "URL",
                default_value = "memory:",
                hide_env_values = true
            )]
            pub $field: PortUrl,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $field: PortUrl::memory(),
                }
            }
        }
    };
}

url! {
    /// Where tickets are kept and used: `memory:`, or `redis://[[user]:password@]host[:port][/db]`
    TicketsUrl { tickets_url }
}
url! {
    /// Where the tallies that are shown are kept: `memory:`, or a URL as that of tickets
    CounterUrl { counter_url }
}
url! {
    /// The log of ballots: `memory:`, or `kafka://host:port,host:port/topic`
    BusUrl { bus_url }
}
url! {
    /// Where votes are kept for good: `memory:`, or `postgres://user:password@host[:port]/database`
    StoreUrl { store_url }
}

/// What a CAST stands on: a URL for each port. By default, all is in memory.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where things are kept")]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct Urls {
    #[command(flatten)]
    pub tickets: TicketsUrl,
    #[command(flatten)]
    pub counter: CounterUrl,
    #[command(flatten)]
    pub bus: BusUrl,
    #[command(flatten)]
    pub store: StoreUrl,
}

impl Urls {
    /// Refuses what would remember a log that is gone: after a restart a log in memory begins again,
    /// and a fold that is further on than its log leaves out what comes until then.
    pub fn check_log_lasts(&self) -> Result<(), ConfigError> {
        let is_memory = |url: &PortUrl| url.scheme() == Some("memory");
        if !is_memory(&self.bus.bus_url) {
            return Ok(());
        }
        for (setting, url) in [
            ("store-url", &self.store.store_url),
            ("counter-url", &self.counter.counter_url),
        ] {
            if !is_memory(url) {
                return Err(ConfigError(format!(
                    "{setting} outlives the log, which is in memory: and ends with this process: \
                     give bus-url too, or leave {setting} in memory:"
                )));
            }
        }
        Ok(())
    }

    /// Whether other processes may meet the tickets of this one, or this one its own of before a
    /// restart.
    pub fn tickets_are_shared(&self) -> bool {
        self.tickets.tickets_url.scheme() != Some("memory")
    }
}

/// How large a log in memory is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Where things are kept")]
pub struct MemoryLog {
    /// How many partitions a log in memory has
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = count())]
    pub memory_partitions: usize,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self {
            memory_partitions: 1,
        }
    }
}

/// Refuses what other processes cannot see: `urls` are settings with what they say.
pub(super) fn shared<'a>(
    role: &str,
    urls: impl IntoIterator<Item = (&'static str, &'a PortUrl)>,
) -> Result<(), ConfigError> {
    for (setting, url) in urls {
        if url.scheme() == Some("memory") {
            return Err(ConfigError(format!(
                "{role} needs {setting}, as other processes have it: what is in memory: is seen \
                 by one process only (`serve` does everything in one)"
            )));
        }
    }
    Ok(())
}
