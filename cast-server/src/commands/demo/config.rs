//! The flags of `demo`. They are flags only, like those of `bench`.

use std::time::Duration;

use clap::Args;

use crate::{client::Target, config::duration};

/// Which server to show, and how long to wait for it.
#[derive(Args, Clone, Debug)]
pub struct DemoConfig {
    /// The server: `http://HOST:PORT`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub(super) url: Target,

    /// How long to wait for an answer, and for what is tried again until it is as it must be
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) timeout: Duration,

    /// How long to wait for the end of a ticket: longer than a ticket lives
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(super) expiry_timeout: Duration,
}
