//! The servers that a process uses.

use std::path::Path;

use clap::Args;

use super::values::{ConfigError, PortUrl};

/// Declares the setting of one port's server.
macro_rules! url {
    ($(#[$doc:meta])* $name:ident { $field:ident }) => {
        #[doc = concat!("`", stringify!($field), "`, as a setting.")]
        #[derive(Args, Clone, Debug, Default)]
        #[command(next_help_heading = "Servers")]
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
    };
}

url! {
    /// The server of the tickets: `memory:`, or `redis://[[user]:password@]host[:port][/db]`; of a
    /// Redis Cluster, one node or `host:port,host:port`
    TicketsUrl { tickets_url }
}
url! {
    /// The server of the tallies that are shown: `memory:`, or a URL as for `--tickets-url`
    CounterUrl { counter_url }
}
url! {
    /// The server of the log of ballots: `memory:`; `sqlite:` and a folder of this machine; or
    /// `kafka://[user:password@]host:port,host:port/topic`; `kafkas://` with TLS. Parameters, as in
    /// `kafkas://me:secret@kafka:9093/votes?sasl=plain&ca=/etc/ca.pem`: `sasl` (`scram-sha-512`, the
    /// default, `scram-sha-256` or `plain`); `ca`, a PEM file with the authorities to trust (default:
    /// the system's); `cert` and `key`, PEM files of a client certificate; `partitions`, the number
    /// that the topic must have; `protocol` (`classic`, the default, or `consumer`) of the consumer
    /// group. User, password and files are percent-encoded. TLS and SASL need the feature `kafka-tls`
    BusUrl { bus_url }
}
url! {
    /// The database of the votes: `memory:`; `sqlite:` and the folder of the log; or `postgres://user:password@host[:port]/database`
    StoreUrl { store_url }
}

/// The servers that hold votes.
#[derive(Args, Clone, Debug, Default)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct VoteUrls {
    #[command(flatten)]
    pub counter: CounterUrl,
    #[command(flatten)]
    pub bus: BusUrl,
    #[command(flatten)]
    pub store: StoreUrl,
}

impl VoteUrls {
    /// Log and store in a folder of this machine.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, ConfigError> {
        let url = PortUrl::of_folder(folder)?;
        Ok(Self {
            counter: CounterUrl::default(),
            bus: BusUrl {
                bus_url: url.clone(),
            },
            store: StoreUrl { store_url: url },
        })
    }

    /// Each with its flag.
    pub(super) const fn all(&self) -> [(&'static str, &PortUrl); 3] {
        [
            ("--counter-url", &self.counter.counter_url),
            ("--bus-url", &self.bus.bus_url),
            ("--store-url", &self.store.store_url),
        ]
    }
}

/// The servers that a process uses: a URL for each port. By default, all data is in memory.
#[derive(Args, Clone, Debug, Default)]
#[expect(missing_docs, reason = "each field is documented at its type")]
pub struct Urls {
    #[command(flatten)]
    pub tickets: TicketsUrl,
    #[command(flatten)]
    pub votes: VoteUrls,
}

impl Urls {
    /// Refuses a store or counter that outlives the log: after a restart a log in memory begins
    /// again at offset 0, and a store that has progressed further would skip its records.
    pub fn check_log_lasts(&self) -> Result<(), ConfigError> {
        let [counter, (_, bus), store] = self.votes.all();
        if !bus.is_memory() {
            return Ok(());
        }
        match [store, counter].iter().find(|(_, url)| !url.is_memory()) {
            Some((flag, _)) => Err(ConfigError(format!(
                "{flag} outlives the log, which is in `memory:` and ends with this process: give \
                 --bus-url too, or leave {flag} out"
            ))),
            None => Ok(()),
        }
    }

    /// Whether another process, or this one after a restart, can meet tickets of this process.
    pub fn tickets_are_shared(&self) -> bool {
        !self.tickets.tickets_url.is_memory()
    }

    /// The servers outside of this process, each once; none if all data ends with it.
    pub fn places(&self) -> Vec<String> {
        let urls = self.all().into_iter().map(|(_, url)| url);
        let urls = urls.filter(|url| !url.is_memory());
        let mut places: Vec<_> = urls.map(PortUrl::place).collect();
        places.dedup();
        places
    }

    /// Each with its flag.
    pub(super) const fn all(&self) -> [(&'static str, &PortUrl); 4] {
        let [counter, bus, store] = self.votes.all();
        [
            ("--tickets-url", &self.tickets.tickets_url),
            counter,
            bus,
            store,
        ]
    }
}

/// Refuses servers in memory, for a command that shares them with other processes: names all of
/// them at once. A folder is one process's too.
pub(super) fn check_shared(command: &str, urls: &[(&str, &PortUrl)]) -> Result<(), ConfigError> {
    if let Some((flag, _)) = urls.iter().find(|(_, url)| url.folder().is_some()) {
        return Err(ConfigError(format!(
            "{command} shares {flag} with other processes, and `sqlite:` is locked by one: `serve` does \
             everything in one process"
        )));
    }
    let in_memory = urls.iter().filter(|(_, url)| url.is_memory());
    let missing: Vec<_> = in_memory.map(|(flag, _)| *flag).collect();
    let Some((last, others)) = missing.split_last() else {
        return Ok(());
    };
    let list = if others.is_empty() {
        (*last).to_owned()
    } else {
        format!("{} and {last}", others.join(", "))
    };
    Err(ConfigError(format!(
        "{command} needs {list}: `memory:` is visible to one process only (`serve` does \
         everything in one process)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_servers_in_memory_are_named_at_once() {
        let (memory, redis) = (PortUrl::default(), "redis://h".parse().unwrap());
        let urls = [
            ("--a", &memory),
            ("--b", &redis),
            ("--c", &memory),
            ("--d", &memory),
        ];
        let error = check_shared("audit", &urls).unwrap_err().to_string();
        assert!(
            error.starts_with("audit needs --a, --c and --d: "),
            "{error}"
        );
        assert_eq!(check_shared("audit", &urls[1..2]), Ok(()));
    }
}
