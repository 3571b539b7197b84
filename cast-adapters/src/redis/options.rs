//! The options of the adapters in Redis.

use std::{fmt, time::Duration};

use super::error::Cause;

/// The address of a Redis server or cluster, and the timeouts and lifetimes of
/// [`RedisTickets`](super::RedisTickets) and [`RedisCounter`](super::RedisCounter).
///
/// All processes that share a server and a prefix must agree on the retry window.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user][:password@]host[:port][/database]`, or `rediss://` for TLS (needs the
    /// feature `redis-tls`).
    ///
    /// For a Redis Cluster, one or several of its nodes, separated by commas: `redis://a:6379,b:6379`.
    /// The other nodes are discovered, and connected to with the same user, password and certificates.
    /// A URL with several addresses is always that of a cluster.
    pub url: String,
    /// The prefix of all keys: letters, digits, and any of `_-.:`. Deployments that share a server need
    /// different prefixes.
    pub prefix: String,
    /// How many connections this process opens to a server, at least 1. Any number of calls share a
    /// connection; a second one keeps a large answer from delaying the others.
    pub connections: u32,
    /// How long to wait for a connection. After that a call fails as unavailable: nothing was sent.
    pub connect_timeout: Duration,
    /// How long to wait for an answer. After that the outcome is unknown, and the connection is
    /// replaced.
    pub response_timeout: Duration,
    /// How long the id of a granted ballot is remembered, at least (and at most twice as long): longer
    /// than any client retries. Each id takes about 100 bytes.
    pub retry_window: Duration,
    /// How long after its end a ticket is refused as expired. Later it is refused as unknown.
    pub expired_kept: Duration,
    /// How long the count of a candidate without pending votes is kept after it was last read.
    pub idle_kept: Duration,
    /// The root certificates for a `rediss://` server, in PEM; `None` for those of the system.
    pub root_certificates: Option<Vec<u8>>,
}

impl RedisOptions {
    /// The server at `url`, with the default options: the prefix `cast`, 2 connections, 400 ms to
    /// connect, 500 ms for an answer, a retry window of 5 minutes, and 1 minute and 1 hour for
    /// expired tickets and idle candidates.
    ///
    /// The two timeouts together are below the second that a flush has for each of its steps.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "cast".into(),
            connections: 2,
            connect_timeout: Duration::from_millis(400),
            response_timeout: Duration::from_millis(500),
            retry_window: Duration::from_secs(5 * 60),
            expired_kept: Duration::from_secs(60),
            idle_kept: Duration::from_secs(60 * 60),
            root_certificates: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), Cause> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        if self.prefix.is_empty() || !self.prefix.chars().all(allowed) {
            // A brace would change the hash tags, and so the slots of keys that belong together.
            return Err(Cause::Option(
                "the prefix of the Redis keys must consist of letters, digits, and any of _-.:",
            ));
        }
        if self.connections == 0 {
            return Err(Cause::Option("there must be at least 1 connection"));
        }
        let durations = [
            self.connect_timeout,
            self.response_timeout,
            self.retry_window,
            self.expired_kept,
            self.idle_kept,
        ];
        if durations.iter().any(|d| d.as_millis() == 0) {
            return Err(Cause::Option("every duration must be at least 1 ms"));
        }
        if durations.iter().any(|d| *d > LONGEST) {
            return Err(Cause::Option("every duration must be at most 10 years"));
        }
        if let Some(pem) = &self.root_certificates {
            if !cfg!(feature = "redis-tls") {
                return Err(Cause::Option("TLS needs the feature redis-tls"));
            }
            // The driver accepts a text without certificates, and then trusts no server.
            if !pem.windows(PEM_MARK.len()).any(|text| text == PEM_MARK) {
                return Err(Cause::Option(
                    "root_certificates holds no certificate in PEM",
                ));
            }
        }
        Ok(())
    }
}

const PEM_MARK: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Redis keeps times in 63 bits and refuses to go beyond.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// Without the URL, which may hold a password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("retry_window", &self.retry_window)
            .field("expired_kept", &self.expired_kept)
            .field("idle_kept", &self.idle_kept)
            .finish_non_exhaustive()
    }
}
