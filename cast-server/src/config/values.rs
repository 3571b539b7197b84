//! How values are written.

use std::{
    collections::BTreeSet, convert::Infallible, fmt, path::Path, str::FromStr, time::Duration,
};

use bytesize::ByteSize;
use zeroize::Zeroizing;

/// Settings that cannot work: a sentence that names each flag as it is typed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// The name of the variable that stands for the flag `--long`.
pub(crate) fn variable_of(long: &str) -> String {
    format!("CAST_{}", long.replace('-', "_").to_ascii_uppercase())
}

/// The known name that is most like `name`, if any is.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, nearest) = known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()?;
    (distance <= name.len().max(3) / 3).then_some(nearest)
}

/// A question to one who has mistyped a name, if a known one is like it.
pub(super) fn hint(name: &str, known: &BTreeSet<String>) -> String {
    let near = nearest(name, known.iter().map(String::as_str));
    near.map_or_else(String::new, |near| format!(": did you mean {near}?"))
}

/// Longer than any deadline makes sense, and so short that a few of them can be added up.
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

/// `4096`, `16KiB`, `1MiB`, or in steps of 1,000 `16KB`, `1MB`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| String::from("a size is written 4096, 16KiB or 1MB"))?;
    match usize::try_from(size.as_u64()) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err("a size must be at least 1 byte, and fit the machine".into()),
    }
}

/// `127.0.0.1:8000`, `[::1]:8000`, `localhost:8000`: the host is looked up later.
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
pub(crate) fn count() -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    |text| match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("it must be a whole number, at least 1".into()),
    }
}

/// A number that fits GraphQL's `Int`, at least one.
pub(super) fn int(text: &str) -> Result<u32, String> {
    const MAX: u32 = i32::MAX.unsigned_abs();
    match text.parse() {
        Ok(number @ 1..=MAX) => Ok(number),
        _ => Err(format!("it must be a whole number from 1 to {MAX}")),
    }
}

/// A share, from 0 to 1.
pub(crate) fn share(text: &str) -> Result<f64, &'static str> {
    const FORM: &str = "a share is a number from 0 to 1, as in 0.01";
    let share: f64 = text.parse().map_err(|_| FORM)?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(FORM)
    }
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

/// The URL of an adapter's server. It may hold a password, so only its scheme is ever shown.
#[derive(Clone)]
pub struct PortUrl(Secret);

/// `memory:`, in this process.
impl Default for PortUrl {
    fn default() -> Self {
        Self(Secret(Zeroizing::new("memory:".into())))
    }
}

impl PortUrl {
    /// What stands before the first colon.
    pub fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.as_str().split_once(':')?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        is_scheme.then_some(scheme)
    }

    /// Whether it is `memory:`.
    pub fn is_memory(&self) -> bool {
        self.scheme() == Some("memory")
    }

    /// `sqlite:` with this folder.
    ///
    /// # Errors
    ///
    /// If the path is not UTF-8.
    pub(super) fn of_folder(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.to_str().ok_or_else(|| {
            let path = folder.display();
            ConfigError(format!(
                "--data-dir {path} is not UTF-8: take another folder"
            ))
        })?;
        Ok(Self(Secret(Zeroizing::new(format!("sqlite:{path}")))))
    }

    /// The folder of `sqlite:`.
    pub fn folder(&self) -> Option<&Path> {
        self.as_str().strip_prefix("sqlite:").map(Path::new)
    }

    /// The scheme and the hosts, or the folder, for messages; without the hosts where a user or a password could
    /// be taken for one.
    pub fn place(&self) -> String {
        if self.folder().is_some() {
            return self.as_str().to_owned();
        }
        let Some((scheme, rest)) = self.as_str().split_once("://") else {
            return format!("{}:", self.scheme().unwrap_or_default());
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let hosts = authority.rsplit('@').next().unwrap_or_default();
        let hosts = if path.contains('@') { "…" } else { hosts };
        format!("{scheme}://{hosts}")
    }

    /// The whole URL, which may hold a password.
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
    fn the_nearest_name_is_offered_only_if_it_is_near() {
        let known = ["ticket-uses", "ticket-period", "log"];
        assert_eq!(nearest("ticket-use", known), Some("ticket-uses"));
        assert_eq!(nearest("tiket-perod", known), Some("ticket-period"));
        assert_eq!(nearest("lgo", known), Some("log"));
        assert_eq!(nearest("replicas", known), None);
    }

    #[test]
    fn variables_are_named_after_flags() {
        assert_eq!(variable_of("ticket-uses"), "CAST_TICKET_USES");
    }

    #[test]
    fn durations_have_a_unit_and_are_longer_than_0() {
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "2", "0s", "-1s", "soon", "11y", "500000000000y"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_and_sizes_are_read_as_they_are_formatted() {
        let random = cast_testkit::Seed::from_env_or_random().entropy();
        for _ in 0..1_000 {
            let ms = 1 + random.below(10 * 366 * 24 * 60 * 60 * 1_000);
            let value = Duration::from_millis(ms);
            let text = humantime::format_duration(value).to_string();
            assert_eq!(duration(&text), Ok(value));
            let bytes = 1 + random.index(usize::MAX >> 12);
            assert_eq!(size(&bytes.to_string()), Ok(bytes));
        }
    }

    #[test]
    fn sizes_have_a_unit_or_are_bytes() {
        for (text, bytes) in [
            ("4096", 4_096),
            ("4KB", 4_000),
            ("4 KiB", 4_096),
            ("1mib", 1 << 20),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text:?}");
        }
        for text in ["", "KB", "0", "1XB", "-1", "é"] {
            assert!(size(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_share_is_from_0_to_1() {
        for (text, expected) in [("0", 0.0), ("1", 1.0), ("0.25", 0.25)] {
            assert_eq!(share(text), Ok(expected));
        }
        for text in ["", "-0.1", "1.1", "NaN", "inf", "1%", "a"] {
            share(text).unwrap_err();
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
        assert_eq!(
            (url.scheme(), &*url.place()),
            (Some("redis"), "redis://host")
        );
        for (url, place) in [
            ("memory:", "memory:"),
            ("kafka://a:1,b:2/votes", "kafka://a:1,b:2"),
            ("postgres://u:p@ss@db:5432/cast?x=y", "postgres://db:5432"),
            ("redis://u:hunter2/x@host", "redis://…"),
        ] {
            assert_eq!(url.parse::<PortUrl>().unwrap().place(), place);
        }
    }

    #[test]
    fn a_text_without_a_scheme_has_none() {
        for text in ["", "memory", "://x", "1a:x", "user@host:80"] {
            let url: PortUrl = text.parse().unwrap();
            assert_eq!(url.scheme(), None, "{text:?}");
        }
    }
}
