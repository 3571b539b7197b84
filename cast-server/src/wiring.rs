//! Which adapter a URL means. No other file of the server names one.

use std::sync::Arc;

use cast_adapters::{
    memory::{MemoryBus, MemoryCounter, MemoryStore, MemoryTickets},
    system::{SystemClock, SystemEntropy},
};
use cast_core::{
    Ports,
    domain::Partitions,
    ports::{Clock, Entropy, EventBus, TicketSource, VoteCounter, VoteStore},
};

use crate::config::{ConfigError, PortUrl, Urls};

/// The system's clock and randomness.
pub fn system() -> (Arc<dyn Clock>, Arc<dyn Entropy>) {
    (Arc::new(SystemClock), Arc::new(SystemEntropy))
}

/// The ports that the URLs mean.
pub fn ports(urls: &Urls) -> Result<Ports, ConfigError> {
    let (clock, entropy) = system();
    Ok(Ports {
        tickets: tickets(&urls.tickets_url, &clock)?,
        counter: counter(&urls.counter_url, &clock)?,
        bus: bus(&urls.bus_url, urls.memory_partitions)?,
        store: store(&urls.store_url)?,
        clock,
        entropy,
    })
}

fn tickets(url: &PortUrl, clock: &Arc<dyn Clock>) -> Result<Arc<dyn TicketSource>, ConfigError> {
    match url.scheme() {
        Some("memory") => Ok(Arc::new(MemoryTickets::new(Arc::clone(clock)))),
        other => Err(unknown("tickets-url", other)),
    }
}

fn counter(url: &PortUrl, clock: &Arc<dyn Clock>) -> Result<Arc<dyn VoteCounter>, ConfigError> {
    match url.scheme() {
        Some("memory") => Ok(Arc::new(MemoryCounter::new(Arc::clone(clock)))),
        other => Err(unknown("counter-url", other)),
    }
}

fn bus(url: &PortUrl, memory_partitions: usize) -> Result<Arc<dyn EventBus>, ConfigError> {
    match url.scheme() {
        Some("memory") => {
            let partitions = u32::try_from(memory_partitions)
                .ok()
                .and_then(Partitions::new);
            let partitions = partitions.ok_or_else(|| {
                ConfigError("memory-partitions must be from 1 to 4294967295".into())
            })?;
            Ok(Arc::new(MemoryBus::new(partitions)))
        }
        other => Err(unknown("bus-url", other)),
    }
}

fn store(url: &PortUrl) -> Result<Arc<dyn VoteStore>, ConfigError> {
    match url.scheme() {
        Some("memory") => Ok(Arc::new(MemoryStore::new())),
        other => Err(unknown("store-url", other)),
    }
}

/// Says what is wrong without the rest of the URL, which may hold a password.
fn unknown(setting: &str, scheme: Option<&str>) -> ConfigError {
    ConfigError(match scheme {
        Some(scheme) => {
            format!("{setting}: this build does not have an adapter for {scheme}: (it has memory:)")
        }
        None => format!("{setting} must be a URL that begins with its scheme, as in memory:"),
    })
}
