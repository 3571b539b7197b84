//! Where the server is, and how long things are kept and waited for.

use std::{fmt, time::Duration};

use super::error::Cause;

/// Where a Redis server or cluster is, and how long [`RedisTickets`](super::RedisTickets) and
/// [`RedisCounter`](super::RedisCounter) remember there.
///
/// All processes that share a server and a prefix must agree on the retry window.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user][:password@]host[:port][/database]`, or `rediss://` for TLS (needs the
    /// feature `redis-tls`).
    ///
    /// Of a Redis Cluster, any of its nodes, or several of them, separated by commas:
    /// `redis://a:6379,b:6379`. The others are found, and connected to with the same user, password
    /// and certificates. Several addresses are taken for a cluster's only.
    pub url: String,
    /// What all keys begin with: letters, digits, and any of `_-.:`. Two deployments on one server
    /// differ by it.
    pub prefix: String,
    /// How many connections this process opens to a server, at least 1. A connection takes any number
    /// of calls at a time; a few keep a large answer from delaying the others.
    pub connections: u32,
    /// How long to wait for a connection. Beyond it a call is unavailable: nothing was sent.
    pub connect_timeout: Duration,
    /// How long to wait for an answer. Beyond it the outcome is unknown, and the connection is
    /// replaced.
    pub response_timeout: Duration,
    /// How long a granted ballot id is told apart as repeated, at least (and at most twice as long):
    /// longer than any client retries. Each id takes about 100 bytes.
    pub retry_window: Duration,
    /// How long after its end a ticket is told apart as expired. Later it is unknown.
    pub expired_kept: Duration,
    /// How long a candidate without unreconciled votes is kept after it was last asked for.
    pub idle_kept: Duration,
    /// The certificates, in PEM, that vouch for a `rediss://` server; `None` for the system's.
    pub root_certificates: Option<Vec<u8>>,
}

impl RedisOptions {
    /// The server at `url`, with the default options: the prefix `cast`, 2 connections, 400 ms to
    /// connect, 500 ms for an answer, a retry window of 5 minutes, and 1 minute and 1 hour for
    /// expired tickets and idle candidates.
    ///
    /// The two time limits stay together below the second that a flush has for each of its steps.
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
            // A brace would move keys that belong together into different slots.
            return Err(Cause::Option(
                "the prefix must be letters, digits, and any of _-.:",
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
            // The driver takes a text without any for no trust in anybody.
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
