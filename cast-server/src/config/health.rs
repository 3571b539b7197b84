//! The flags of `health`.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

use super::values::{address, duration};
use crate::protocol::HttpUrl;

/// Checked when the URL names no path: whether the process can do its job.
const READY: &str = "/readyz";

/// Checked with `--live`: whether the process works at all.
const LIVE: &str = "/livez";

/// Which process to check, and for how long.
#[derive(Args, Clone, Debug)]
pub struct HealthConfig {
    /// What to check: `http://HOST:PORT` or `…/readyz` whether the process can do its job now,
    /// `…/livez` whether it works at all [default: `/readyz` of the process that listens at
    /// `--listen`]
    #[arg(long, value_name = "URL")]
    url: Option<HttpUrl>,

    /// Asks `/livez` of the process that listens at `--listen`, not `/readyz`: a process that waits
    /// for its servers is live
    #[arg(long, conflicts_with = "url")]
    live: bool,

    /// The `--listen` of the process to check
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "CAST_LISTEN",
        default_value = "127.0.0.1:8000",
        value_parser = address
    )]
    listen: String,

    /// How long the check may take
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

impl HealthConfig {
    /// What to check; an error if `--listen` is no host of a URL.
    pub(crate) fn url(&self) -> Result<HttpUrl, &'static str> {
        match &self.url {
            Some(url) => Ok(url.clone()),
            None => base_url(&self.listen),
        }
    }

    /// The path to check where the URL names none.
    pub(crate) const fn default_path(&self) -> &'static str {
        if self.live { LIVE } else { READY }
    }
}

/// Where a process that listens there is reached from this machine: one that listens at all
/// addresses is reached at loopback.
fn base_url(listen: &str) -> Result<HttpUrl, &'static str> {
    let authority = match listen.parse() {
        Ok(SocketAddr::V4(v4)) if v4.ip().is_unspecified() => format!("127.0.0.1:{}", v4.port()),
        Ok(SocketAddr::V6(v6)) if v6.ip().is_unspecified() => format!("[::1]:{}", v6.port()),
        _ => listen.to_owned(),
    };
    format!("http://{authority}").parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_listens_at_all_addresses_is_asked_at_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9000", "http://127.0.0.1:9000"),
            ("[::]:9000", "http://[::1]:9000"),
            ("10.1.2.3:80", "http://10.1.2.3:80"),
            ("localhost:8000", "http://localhost:8000"),
        ] {
            assert_eq!(base_url(listen).unwrap().to_string(), asked);
        }
        base_url("no host:80").unwrap_err();
    }
}
