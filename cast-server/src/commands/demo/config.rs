//! The flags of `demo`. They are flags only, like those of `bench`.

use std::time::Duration;

use clap::Args;

use crate::{client::DEFAULT_URL, config::duration, protocol::HttpUrl};

/// The server of the demo, and how long to wait for it.
#[derive(Args, Clone, Debug)]
pub struct DemoConfig {
    /// The server
    #[arg(long, value_name = "http://HOST:PORT", default_value = DEFAULT_URL)]
    pub(super) url: HttpUrl,

    /// How long to wait for an answer, and for a result that may take several tries
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) timeout: Duration,

    /// How long to wait for the end of a ticket: longer than a ticket lives
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(super) expiry_timeout: Duration,
}
