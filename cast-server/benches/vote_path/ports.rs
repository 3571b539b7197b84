//! The ports of a side over real servers, in its own process: the parent names their URLs in the
//! environment.

use cast_core::{Ports, Settings};
use cast_server::{
    config::{PortUrl, Urls},
    wiring,
};

pub(crate) const TICKETS: &str = "CAST_TICKETS_URL";
pub(crate) const COUNTER: &str = "CAST_COUNTER_URL";
pub(crate) const BUS: &str = "CAST_BUS_URL";
pub(crate) const STORE: &str = "CAST_STORE_URL";

/// The ports that the environment names.
pub(crate) fn ports() -> Ports {
    let mut urls = Urls::default();
    for (variable, url) in [
        (TICKETS, &mut urls.tickets.tickets_url),
        (COUNTER, &mut urls.votes.counter.counter_url),
        (BUS, &mut urls.votes.bus.bus_url),
        (STORE, &mut urls.votes.store.store_url),
    ] {
        if let Ok(text) = std::env::var(variable) {
            *url = text.parse::<PortUrl>().expect("a URL");
        }
    }
    let wired = wiring::wire(&urls, &Settings::default());
    wired.expect("adapters").ports
}
