//! The flags of `health`. They are flags only: who asks how a process is says where it is.

use std::time::Duration;

use clap::Args;

use super::{http_url::HttpUrl, values::duration};

/// Whom to ask, and for how long.
#[derive(Args, Clone, Debug)]
pub struct HealthConfig {
    /// What to ask: `http://HOST:PORT/livez` whether a process works, `/readyz` whether it can do
    /// its job now
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8000/livez",
        value_parser = address
    )]
    pub(crate) url: HttpUrl,

    /// How long the answer may take
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// An address that answers how a process is.
fn address(text: &str) -> Result<HttpUrl, &'static str> {
    HttpUrl::parse(text).ok_or("the address is written http://HOST:PORT/livez")
}
