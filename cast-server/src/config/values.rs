//! How values are written.

use std::{convert::Infallible, fmt, str::FromStr, time::Duration};

use clap::builder::RangedU64ValueParser;
use zeroize::Zeroizing;

/// So long that nobody means it, and so short that a few of them can be added up.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// `2s`, `500ms`, `1m 30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| String::from("a duration is written 2s, 500ms or 1m30s"))?;
    if duration.is_zero() {
        Err("a duration must be longer than nothing".into())
    } else if duration > LONGEST {
        Err("a duration must be at most 10 years".into())
    } else {
        Ok(duration)
    }
}

/// `4096`, `16KB`, `1MB`: in steps of 1,024.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1_024,
        "M" | "MB" | "MIB" => 1_024 * 1_024,
        _ => return Err("a size is written 4096, 16KB or 1MB".into()),
    };
    let count: usize = digits
        .trim()
        .parse()
        .map_err(|_| String::from("a size is written 4096, 16KB or 1MB"))?;
    match count.checked_mul(unit) {
        None | Some(0) => Err("a size must be at least 1 byte, and fit the machine".into()),
        Some(size) => Ok(size),
    }
}

/// `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000`: whether there is such a host is found out later.
pub(super) fn address(text: &str) -> Result<String, String> {
    let is_whole = text.rsplit_once(':').is_some_and(|(host, port)| {
        // The colons of an IPv6 address are in brackets, or the last would be taken for the port's.
        let is_host = !host.is_empty() && (host.starts_with('[') || !host.contains(':'));
        is_host && port.parse::<u16>().is_ok()
    });
    if is_whole {
        Ok(text.into())
    } else {
        Err("an address is written 127.0.0.1:8000, with a port of at most 65535".into())
    }
}

/// A number of things, at least one.
pub(crate) fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// A number that GraphQL's `Int` can tell, at least one.
pub(super) fn int() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=i32::MAX.unsigned_abs().into())
}

/// A text that is never shown. Parsing it cannot fail, for an error would show it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.into())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where an adapter finds its server. It may hold a password, so only its scheme is ever shown.
#[derive(Clone)]
pub struct PortUrl(Secret);

impl PortUrl {
    /// In this process.
    pub fn memory() -> Self {
        Self(Secret(Zeroizing::new("memory:".into())))
    }

    /// What stands before the first colon.
    pub fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.as_str().split_once(':')?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        is_scheme.then_some(scheme)
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        self.0.reveal()
    }
}

impl FromStr for PortUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        text.parse().map(Self)
    }
}

impl fmt::Debug for PortUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:..", self.scheme().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_are_not_nothing() {
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "2", "0s", "-1s", "soon", "11y", "500000000000y"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_have_a_unit_or_are_bytes() {
        for (text, bytes) in [
            ("4096", 4_096),
            ("4KB", 4_096),
            ("4 KiB", 4_096),
            ("1mb", 1 << 20),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text:?}");
        }
        for text in [
            "",
            "KB",
            "0",
            "1TB",
            "-1",
            "1.5KB",
            "99999999999999999999",
            "é",
        ] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for text in ["127.0.0.1:0", "[::1]:8000", "localhost:65535"] {
            assert_eq!(address(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "9000",
            ":9000",
            "127.0.0.1",
            "127.0.0.1:65536",
            "::1:80",
            "a:b",
        ] {
            assert!(address(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let url: PortUrl = "redis://:hunter2@host/0".parse().unwrap();
        let secret: Secret = "hunter2".parse().unwrap();
        let shown = format!("{url:?} {secret:?}");
        assert_eq!(shown, "redis:.. Secret(..)");
        assert_eq!(url.scheme(), Some("redis"));
    }

    #[test]
    fn what_has_no_scheme_has_none() {
        for text in ["", "memory", "://x", "1a:x", "user@host:80"] {
            let url: PortUrl = text.parse().unwrap();
            assert_eq!(url.scheme(), None, "{text:?}");
        }
    }
}
