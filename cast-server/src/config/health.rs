//! The flags of `health`.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

use super::values::{address as listen_address, duration};
use crate::protocol::{HttpUrl, HttpUrlError};

/// Whom to ask, and for how long.
#[derive(Args, Clone, Debug)]
pub struct HealthConfig {
    /// What to ask: `http://HOST:PORT/livez` whether a process works, `/readyz` whether it can do
    /// its job now [default: `/livez` of the process that listens at `--listen`]
    #[arg(long, value_name = "URL", value_parser = address)]
    url: Option<HttpUrl>,

    /// Where the process listens: what it was told itself
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "CAST_LISTEN",
        default_value = "127.0.0.1:8000",
        value_parser = listen_address
    )]
    listen: String,

    /// How long the answer may take
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

impl HealthConfig {
    /// What to ask; nothing if the process listens at what is no address of a URL.
    pub(crate) fn url(&self) -> Option<HttpUrl> {
        self.url.clone().or_else(|| livez_at(&self.listen))
    }
}

/// Where a process says that it works, which listens there. What listens everywhere is asked on this machine.
fn livez_at(listen: &str) -> Option<HttpUrl> {
    let authority = match listen.parse() {
        Ok(SocketAddr::V4(v4)) if v4.ip().is_unspecified() => format!("127.0.0.1:{}", v4.port()),
        Ok(SocketAddr::V6(v6)) if v6.ip().is_unspecified() => format!("[::1]:{}", v6.port()),
        _ => listen.to_owned(),
    };
    format!("http://{authority}/livez").parse().ok()
}

/// An address that answers how a process is.
fn address(text: &str) -> Result<HttpUrl, String> {
    let url = text.parse::<HttpUrl>();
    url.and_then(|url| match url.path_or("") {
        "" => Err(HttpUrlError::Form),
        _ => Ok(url),
    })
    .map_err(|error| match error {
        HttpUrlError::Form => "expected http://HOST:PORT/livez or /readyz".into(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_here() {
        for (listen, asked) in [
            ("0.0.0.0:9000", "http://127.0.0.1:9000/livez"),
            ("[::]:9000", "http://[::1]:9000/livez"),
            ("10.1.2.3:80", "http://10.1.2.3:80/livez"),
            ("localhost:8000", "http://localhost:8000/livez"),
        ] {
            assert_eq!(livez_at(listen).unwrap().to_string(), asked);
        }
        assert_eq!(livez_at("no host:80"), None);
    }
}
