//! The flags of `health`. They are flags only: who asks how a process is says where it is.

use std::{str::FromStr, time::Duration};

use clap::Args;

use super::values::duration;

/// Whom to ask, and for how long.
#[derive(Args, Clone, Debug)]
pub struct HealthConfig {
    /// What to ask: `http://HOST:PORT/livez` whether a process works, `/readyz` whether it can do
    /// its job now
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8000/livez"
    )]
    pub(crate) url: HealthUrl,

    /// How long the answer may take
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// An address that answers how a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthUrl {
    /// For the system: host and port.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For the `Host` header.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl FromStr for HealthUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "the address is written http://HOST:PORT/livez";
        let uri: http::Uri = text.parse().map_err(|_| FORM)?;
        let authority = uri.authority().ok_or(FORM)?;
        let is_plain = uri.scheme_str() == Some("http") && !authority.as_str().contains('@');
        // Without a path it would ask for what is no answer to the question.
        if !is_plain || uri.path() == "/" {
            return Err(FORM);
        }
        Ok(Self {
            // An IPv6 address has brackets in a URL, and none elsewhere.
            host: authority.host().trim_matches(['[', ']']).into(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().into(),
            path: uri.path().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_path() {
        let url: HealthUrl = "http://127.0.0.1:8000/readyz".parse().unwrap();
        assert_eq!((&*url.host, url.port), ("127.0.0.1", 8_000));
        assert_eq!((&*url.authority, &*url.path), ("127.0.0.1:8000", "/readyz"));
        let url: HealthUrl = "http://[::1]/livez".parse().unwrap();
        assert_eq!((&*url.host, url.port), ("::1", 80));
    }

    #[test]
    fn what_is_none_is_told_what_one_is() {
        for text in [
            "",
            "127.0.0.1:8000/livez",
            "https://h/livez",
            "http://h",
            "http://u@h/livez",
        ] {
            let error = text.parse::<HealthUrl>().unwrap_err();
            assert!(error.contains("http://HOST:PORT/livez"), "{text:?}");
        }
    }
}
